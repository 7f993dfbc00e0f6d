#include "tokenizer/scan.h"

#include <algorithm>

#include "tokenizer/scan_rules.h"
#include "tokenizer/unicode_tables.h"

namespace weir::tok {
namespace {

using unicode::Category;
constexpr size_t margin = 8;                     // a rule looks at most this far beyond what it returns

// Where flags may change: with the properties, and at the ends of ranges that deepseek_flags names.
const std::vector<char32_t>& edges() {
    static const std::vector<char32_t> all = [] {
        const auto known = unicode::property_edges();
        std::vector<char32_t> out(known.begin(), known.end());
        out.insert(out.end(), {0x3040, 0x3100, 0x4E00, 0x9FA6});
        std::sort(out.begin(), out.end());
        out.erase(std::unique(out.begin(), out.end()), out.end());
        return out;
    }();
    return all;
}

template <class Rule>
class RuleScanner final : public Scanner {
public:
    RuleScanner(Rule rule, uint8_t (*flags_of)(char32_t)) : rule_(rule), classes_(flags_of, edges()) {}
    size_t scan(std::string_view text, size_t from, ScanScratch& s) const override {
        s.ends.clear();
        for (size_t size = scan_chunk; from < text.size(); size *= 4) {
            std::string_view part = text.substr(from, size);
            const bool last = from + part.size() == text.size();
            while (!last && (static_cast<uint8_t>(part.data()[part.size()]) & 0xC0) == 0x80) part.remove_suffix(1);
            s.chunk.classify(part, classes_);
            const scan::View view(s.chunk, last);
            const size_t stop = last ? part.size() : part.size() - margin;
            uint32_t* out = s.ends.room(part.size());
            size_t at = 0;
            while (at < part.size()) {
                if (uint64_t starts = rule_.window(view, at); starts != 0) {
                    const size_t base = at;
                    for (; starts != 0; starts &= starts - 1) *out++ = static_cast<uint32_t>(at = base + static_cast<size_t>(__builtin_ctzll(starts)));
                    continue;
                }
                const size_t end = rule_(view, at);
                if (end > stop) break;
                *out++ = static_cast<uint32_t>(at = end);
            }
            s.ends.filled(out);
            if (at > 0) return from + at;
        }
        return from;
    }
    size_t memory_bytes() const override { return sizeof *this + classes_.memory_bytes(); }

private:
    Rule rule_;
    ScanClasses classes_;
};

bool in(Category c, Category first, Category last) { return c >= first && c <= last; }
bool is_letter(Category c) { return in(c, Category::Lu, Category::Lo); }
bool is_mark(Category c) { return in(c, Category::Mn, Category::Me); }
bool is_number(Category c) { return in(c, Category::Nd, Category::No); }

uint8_t common(char32_t c, bool letter, bool number) {
    const bool white = unicode::is_white_space(c);
    const bool newline = c == '\r' || c == '\n', rest = !letter && !number && !white;
    return static_cast<uint8_t>(letter * scan::letter | number * scan::number | white * scan::white | newline * scan::newline | rest * scan::other);
}
uint8_t plain_flags(char32_t c) {
    const Category kind = unicode::category(c);
    return common(c, is_letter(kind), is_number(kind));
}
uint8_t marked_flags(char32_t c) {
    const Category kind = unicode::category(c);
    return common(c, is_letter(kind) || is_mark(kind), is_number(kind));
}
// Digits goes by Rust's numbers: where the regex knows none, the character is a piece all the same.
uint8_t digit_flags(char32_t c) { return common(c, is_letter(unicode::category(c)), unicode::is_numeric(c)); }

uint8_t cased(char32_t c) {
    const Category kind = unicode::category(c);
    const bool either = kind == Category::Lm || kind == Category::Lo || is_mark(kind);
    const bool upper = either || kind == Category::Lu || kind == Category::Lt, lower = either || kind == Category::Ll;
    return static_cast<uint8_t>(upper * scan::flag5 | lower * scan::flag6);
}
uint8_t cased_flags(char32_t c) { return plain_flags(c) | cased(c); }
uint8_t kimi_flags(char32_t c) { return plain_flags(c) | (unicode::is_han(c) ? uint8_t{scan::flag7} : cased(c)); }

uint8_t deepseek_flags(char32_t c) {
    const Category kind = unicode::category(c);
    if (is_number(kind)) return scan::number;
    const bool letter = is_letter(kind) || is_mark(kind), sign = in(kind, Category::Pc, Category::So);
    const bool newline = c == '\r' || c == '\n', first = !newline && !sign && !is_letter(kind);
    if ((c >= 0x4E00 && c <= 0x9FA5) || (c >= 0x3040 && c <= 0x30FF)) {
        if (letter) return scan::flag7;
        return static_cast<uint8_t>(scan::DeepSeek::kana | first * scan::flag6);
    }
    const bool alpha = (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z');
    return static_cast<uint8_t>(letter * scan::letter | sign * scan::other | unicode::is_white_space(c) * scan::white | alpha * scan::flag5 |
                                first * scan::flag6);
}

// Patterns, word for word.
#define CONTRACTIONS "(?i:'s|'t|'re|'ve|'m|'ll|'d)"
#define SPACES R"(|\s*[\r\n]+|\s+(?!\S)|\s+)"
#define UPPER R"([\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}])"
#define LOWER R"([\p{Ll}\p{Lm}\p{Lo}\p{M}])"
#define UPPER_KIMI R"([\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}&&[^\p{Han}]])"
#define LOWER_KIMI R"([\p{Ll}\p{Lm}\p{Lo}\p{M}&&[^\p{Han}]])"
#define FIRST R"([^\r\n\p{L}\p{N}]?)"
#define SIGNS R"(| ?[^\s\p{L}\p{N}]+[\r\n]*)"
#define SIGNS_SLASH R"(| ?[^\s\p{L}\p{N}]+[\r\n/]*)"
#define WORDS(U, L, END) FIRST U "*" L "+" END "|" FIRST U "+" L "*" END

std::unique_ptr<Scanner> make(auto rule, uint8_t (*flags)(char32_t)) { return std::make_unique<RuleScanner<decltype(rule)>>(rule, flags); }

struct Known {
    std::string_view pattern;
    std::unique_ptr<Scanner> (*make)();
};
constexpr Known known[] = {
    {CONTRACTIONS "|" FIRST R"(\p{L}+|\p{N}{1,3})" SIGNS SPACES, [] { return make(scan::Cl100k{3}, plain_flags); }},
    {CONTRACTIONS "|" FIRST R"(\p{L}+|\p{N})" SIGNS SPACES, [] { return make(scan::Cl100k{1}, plain_flags); }},
    {CONTRACTIONS "|" FIRST R"([\p{L}\p{M}]+|\p{N}| ?[^\s\p{L}\p{M}\p{N}]+[\r\n]*)" SPACES, [] { return make(scan::Cl100k{1}, marked_flags); }},
    {WORDS(UPPER, LOWER, CONTRACTIONS "?") R"(|\p{N}{1,3})" SIGNS_SLASH SPACES, [] { return make(scan::O200k{3, true, true, false}, cased_flags); }},
    {WORDS(UPPER, LOWER, "") R"(|\p{N})" SIGNS_SLASH SPACES, [] { return make(scan::O200k{1, false, true, false}, cased_flags); }},
    {R"([\p{Han}]+|)" WORDS(UPPER_KIMI, LOWER_KIMI, CONTRACTIONS "?") R"(|\p{N}{1,3})" SIGNS SPACES,
     [] { return make(scan::O200k{3, true, false, true}, kimi_flags); }},
};
constexpr std::string_view deepseek[] = {
    R"(\p{N}{1,3})", "[一-龥\u3040-ゟ゠-ヿ]+",
    R"([!"#$%&'()*+,\-./:;<=>?@\[\\\]^_`{|}~][A-Za-z]+|[^\r\n\p{L}\p{P}\p{S}]?[\p{L}\p{M}]+| ?[\p{P}\p{S}]+[\r\n]*)" SPACES};

using Spec = PreTokenizerSpec;

// A newline itself in a pattern is what \n is.
std::string spelled_out(const std::string& pattern) {
    std::string out;
    for (const char c : pattern) out += c == '\n' ? "\\n" : c == '\r' ? "\\r" : std::string(1, c);
    return out;
}

// A Split that keeps every character, one piece a match: Isolated, or Removed of what does not match where everything does.
bool keeps_all(const Spec& s, bool everything_matches) {
    if (s.kind != Spec::Kind::split || !s.pattern.regex) return false;
    if (s.behavior == SplitBehavior::isolated) return true;
    return everything_matches && s.behavior == SplitBehavior::removed && s.invert;
}

}  // namespace

std::unique_ptr<Scanner> recognise_scanner(const PreTokenizerSpec& spec) {
    std::vector<const Spec*> steps;
    if (spec.kind != Spec::Kind::sequence) steps.push_back(&spec);
    for (const Spec& child : spec.children) {
        if (child.kind == Spec::Kind::sequence) return nullptr;
        if (spec.kind == Spec::Kind::sequence) steps.push_back(&child);
    }
    if (steps.empty() || steps.back()->kind != Spec::Kind::byte_level || steps.back()->add_prefix_space) return nullptr;
    const bool own_pattern = steps.back()->use_regex;
    if (own_pattern && steps.size() == 1) return make(scan::Gpt2{false}, plain_flags);
    if (own_pattern && steps.size() == 2 && steps[0]->kind == Spec::Kind::digits && steps[0]->individual_digits) return make(scan::Gpt2{true}, digit_flags);
    if (own_pattern) return nullptr;
    if (steps.size() == 2) {
        for (const Known& k : known) {
            if (keeps_all(*steps[0], true) && spelled_out(steps[0]->pattern.text) == k.pattern) return k.make();
        }
        return nullptr;
    }
    if (steps.size() != 4) return nullptr;
    for (size_t i = 0; i < 3; i++) {
        if (!keeps_all(*steps[i], false) || spelled_out(steps[i]->pattern.text) != deepseek[i]) return nullptr;
    }
    return make(scan::DeepSeek{}, deepseek_flags);
}

}  // namespace weir::tok
