#include "tokenizer/regex_translate.h"

#include <algorithm>
#include <array>
#include <cctype>
#include <cstdio>
#include <map>
#include <mutex>
#include <optional>

namespace weir::tok {
namespace {

constexpr char32_t points = CodeSet::points;
using Set = CodeSet;

Set set_of(const std::vector<unicode::Range>& ranges) {
    Set out;
    for (const auto& r : ranges) out.add(r.first, r.last);
    return out;
}
// Working out a property takes a walk over all code points: it is done once. Only names that exist are kept.
const std::vector<unicode::Range>& property(std::string_view name) {
    static std::mutex mutex;
    static std::map<std::string, std::vector<unicode::Range>, std::less<>> known;
    static const std::vector<unicode::Range> none;
    const std::lock_guard lock(mutex);
    if (const auto found = known.find(name); found != known.end()) return found->second;
    auto ranges = unicode::property_ranges(name);
    if (ranges.empty() || known.size() >= 1'000) {
        thread_local std::vector<unicode::Range> last;
        return ranges.empty() ? none : last = std::move(ranges);
    }
    return known.emplace(name, std::move(ranges)).first->second;
}
Set set_of(std::string_view name) { return set_of(property(name)); }

// Whole categories are spelled \p{..}; what is left, and what the engine does not know, as ranges.
constexpr const char* spelled[] = {"Lu", "Ll", "Lt", "Lm", "Lo", "Mn", "Mc", "Me", "Nd", "Nl", "No", "Pc", "Pd", "Ps", "Pe",
                                   "Pi", "Pf", "Po", "Sm", "Sc", "Sk", "So", "Zs", "Zl", "Zp", "Cc", "Cf", "Co"};

void append_range(std::string& out, char32_t first, char32_t last) {
    char text[40];
    std::snprintf(text, sizeof text, first == last ? "\\x{%x}" : "\\x{%x}-\\x{%x}", unsigned(first), unsigned(last));
    out += text;
}

class Translator {
public:
    Translator(std::string_view in, const std::vector<unicode::Range>& late) : in_(in), late_(late) {}
    Result<std::string> run();

private:
    Failure fail(const char* what) const { return Failure(Code::bad_field, "regular expression: " + std::string(what)); }
    bool more() const { return at_ < in_.size(); }
    bool eat(std::string_view text) {
        if (in_.substr(at_, text.size()) != text) return false;
        at_ += text.size();
        return true;
    }
    char32_t code_point();
    Result<Set> read_class();                    // after its '['
    Result<std::optional<char32_t>> class_atom(Set& set);   // one character, or a set added to `set`
    std::optional<Set> escape_set(char c);       // \s, \p{..} ...; after the letter
    Result<char32_t> escape_char(char c);
    Result<void> escape();
    Result<void> group();
    Result<void> quantifier();
    void atom(std::string text) { atom_ = out_.size(), out_ += text; }

    std::string_view in_;
    const std::vector<unicode::Range>& late_;
    size_t at_ = 0, atom_ = 0;
    std::vector<size_t> open_;                   // where groups began in out_
    std::string out_;
    bool repeated_ = false;                      // the atom has an interval already
};

char32_t Translator::code_point() {
    const auto lead = static_cast<uint8_t>(in_[at_++]);
    const int rest = lead < 0xC0 ? 0 : lead < 0xE0 ? 1 : lead < 0xF0 ? 2 : 3;
    char32_t c = rest == 0 ? lead : lead & (0x3F >> rest);
    for (int i = 0; i < rest && more(); i++) c = c << 6 | (uint8_t(in_[at_++]) & 0x3F);
    return c;
}

std::optional<Set> Translator::escape_set(char c) {
    const auto negate = [](Set set, bool on) {
        if (on) set.flip();
        return set;
    };
    switch (c) {
        case 's': case 'S': return negate(set_of("White_Space"), c == 'S');
        case 'd': case 'D': return negate(set_of("Nd"), c == 'D');
        case 'w': case 'W': return negate(set_of("Word"), c == 'W');
        case 'h': case 'H': return negate(set_of({{'0', '9'}, {'A', 'F'}, {'a', 'f'}}), c == 'H');
        case 'p': case 'P': {
            std::string_view name;
            if (eat("{")) {
                const size_t end = in_.find('}', at_);
                if (end == std::string_view::npos) return std::nullopt;
                name = in_.substr(at_, end - at_);
                at_ = end + 1;
            } else if (more()) {
                name = in_.substr(at_++, 1);
            }
            const auto& ranges = property(name);
            if (ranges.empty()) return std::nullopt;
            return negate(set_of(ranges), c == 'P');
        }
        default: return std::nullopt;
    }
}

Result<char32_t> Translator::escape_char(char c) {
    switch (c) {
        case 't': return char32_t('\t');
        case 'n': return char32_t('\n');
        case 'r': return char32_t('\r');
        case 'f': return char32_t('\f');
        case 'v': return char32_t('\v');
        case 'a': return char32_t(7);
        case 'e': return char32_t(27);
        case '0': return char32_t(0);
        case 'x': case 'u': {
            const bool braces = c == 'x' && eat("{");
            size_t width = braces ? 8 : c == 'x' ? 2 : 4, digits = 0;
            char32_t value = 0;
            for (; digits < width && more() && std::isxdigit(uint8_t(in_[at_])); digits++, at_++) {
                const char d = in_[at_];
                value = value * 16 + (d <= '9' ? d - '0' : (d | 32) - 'a' + 10);
            }
            if (digits == 0 || (braces && !eat("}")) || value >= points) return fail("bad \\x or \\u");
            if (c == 'x' && !braces && value > 127) return fail("a raw byte above 7F");
            return value;
        }
        default: break;
    }
    if (uint8_t(c) >= 0x80) {
        at_--;
        return code_point();
    }
    if (std::isalnum(uint8_t(c))) return fail("an escape we do not know inside a class");
    return char32_t(uint8_t(c));
}

Result<std::optional<char32_t>> Translator::class_atom(Set& set) {
    if (eat("[:")) {
        const size_t end = in_.find(":]", at_);
        if (end == std::string_view::npos) return fail("[: without :]");
        std::string_view name = in_.substr(at_, end - at_);
        static const std::map<std::string_view, std::string_view> known = {{"upper", "Lu"}, {"lower", "Ll"}, {"blank", "Zs"}};
        const bool negated = !name.empty() && name[0] == '^';
        if (negated) name.remove_prefix(1);
        auto found = known.find(name);
        Set members = name == "xdigit" ? set_of({{'0', '9'}, {'A', 'F'}, {'a', 'f'}}) : set_of(found == known.end() ? name : found->second);
        if (name == "blank") members.add('\t');
        if (negated) members.flip();
        set.join(members);
        at_ = end + 2;
        return std::optional<char32_t>();
    }
    if (eat("[")) {
        TRY(Set inner, read_class());
        set.join(inner);
        return std::optional<char32_t>();
    }
    if (!eat("\\")) return std::optional<char32_t>(code_point());
    if (!more()) return fail("ends in a backslash");
    const char c = in_[at_++];
    if (std::string_view("sSdDwWhHpP").find(c) != std::string_view::npos) {
        auto members = escape_set(c);
        if (!members) return fail("an unknown property");
        set.join(*members);
        return std::optional<char32_t>();
    }
    if (c == 'b') return std::optional<char32_t>(8);
    TRY(const char32_t value, escape_char(c));
    return std::optional<char32_t>(value);
}

Result<Set> Translator::read_class() {
    const bool negated = eat("^");
    std::optional<Set> both;
    Set set;
    for (bool first = true;; first = false) {
        if (!more()) return fail("a class without its end");
        if (in_[at_] == ']' && !(first && in_.find(']', at_ + 1) != std::string_view::npos)) break;
        if (eat("&&")) {
            if (!both) both = set;
            else both->meet(set);
            set.clear();
            continue;
        }
        TRY(const auto low, class_atom(set));
        if (!low) continue;
        char32_t high = *low;
        if (at_ + 1 < in_.size() && in_[at_] == '-' && in_[at_ + 1] != ']' && in_.substr(at_ + 1, 2) != "&&") {
            const size_t back = at_++;
            Set other;
            TRY(const auto upper, class_atom(other));
            if (upper) high = *upper;
            else at_ = back, set.add(*low), at_++, set.add('-');
            if (!upper) {
                set.join(other);
                TRY(const auto again, class_atom(other));
                if (again) set.add(*again);
                continue;
            }
            if (high < *low) return fail("an empty range in a class");
        }
        set.add(*low, high);
    }
    at_++;
    if (both) set.meet(*both);
    if (negated) set.flip();
    return set;
}

Result<void> Translator::escape() {
    if (!more()) return fail("ends in a backslash");
    const char c = in_[at_++];
    if (std::string_view("sSdDwWhHpP").find(c) != std::string_view::npos) {
        auto members = escape_set(c);
        if (!members) return fail("an unknown property");
        atom(class_text(*members, late_));
        return {};
    }
    if (c == 'b' || c == 'B') {
        const std::string w = class_text(set_of("Word"), late_);
        atom(c == 'b' ? "(?:(?<=" + w + ")(?!" + w + ")|(?<!" + w + ")(?=" + w + "))" : "(?:(?<=" + w + ")(?=" + w + ")|(?<!" + w + ")(?!" + w + "))");
        return {};
    }
    if (std::string_view("AzZGKRXk123456789g").find(c) != std::string_view::npos) {
        atom(std::string("\\") + c);
        return {};
    }
    TRY(const char32_t value, escape_char(c));
    std::string text;
    append_range(text, value, value);
    atom(text);
    return {};
}

// After '('. Options: Oniguruma's m is "dot matches newline", which PCRE2 calls s.
Result<void> Translator::group() {
    open_.push_back(out_.size());
    out_ += '(';
    if (!eat("?")) return {};
    out_ += '?';
    if (eat("#")) {
        const size_t end = in_.find(')', at_);
        if (end == std::string_view::npos) return fail("a comment without its end");
        out_.resize(open_.back());
        open_.pop_back();
        at_ = end + 1;
        return {};
    }
    if (!more()) return fail("ends in (?");
    if (eat("~")) return fail("the absent operator");
    while (more() && (std::isalpha(uint8_t(in_[at_])) || in_[at_] == '-')) {
        const char c = in_[at_++];
        if (c != 'i' && c != 'm' && c != 'x' && c != '-') return fail("an option we do not know");
        out_ += c == 'm' ? 's' : c;
    }
    if (eat(")")) {    // (?i): on for the rest of the enclosing group
        out_ += ')';
        open_.pop_back();
        return {};
    }
    for (std::string_view mark : {":", "=", "!", ">", "<=", "<!"}) {
        if (eat(mark)) {
            out_ += mark;
            return {};
        }
    }
    if (!eat("<")) return fail("a group we do not know");
    const size_t end = in_.find('>', at_);
    if (end == std::string_view::npos) return fail("a group's name without its end");
    out_ += "<" + std::string(in_.substr(at_, end + 1 - at_));
    at_ = end + 1;
    return {};
}

// After '{' was seen at at_. An interval followed by + or, when exact, by ? repeats the interval here; PCRE2 would call it possessive or lazy.
Result<void> Translator::quantifier() {
    size_t i = at_ + 1;
    std::string low, high;
    bool comma = false;
    while (i < in_.size() && std::isdigit(uint8_t(in_[i]))) low += in_[i++];
    if (i < in_.size() && in_[i] == ',') {
        comma = true, i++;
        while (i < in_.size() && std::isdigit(uint8_t(in_[i]))) high += in_[i++];
    }
    if (i >= in_.size() || in_[i] != '}' || (low.empty() && high.empty())) {
        at_++;
        atom("\\{");
        return {};
    }
    at_ = i + 1;
    out_ += "{" + (low.empty() ? "0" : low) + (comma ? "," + high : "") + "}";
    if (more() && (in_[at_] == '+' || (in_[at_] == '?' && !comma))) {
        out_.insert(atom_, "(?:");
        out_ += ")";
    }
    return {};
}

Result<std::string> Translator::run() {
    while (more()) {
        const char c = in_[at_];
        if (c == '\\') {
            at_++;
            TRY_OK(escape());
        } else if (c == '[') {
            at_++;
            TRY(const Set set, read_class());
            atom(class_text(set, late_));
        } else if (c == '(') {
            at_++;
            TRY_OK(group());
        } else if (c == ')') {
            at_++;
            if (open_.empty()) return fail("a ) too many");
            atom_ = open_.back();
            open_.pop_back();
            out_ += ')';
        } else if (c == '{') {
            TRY_OK(quantifier());
        } else if (c == '*' || c == '+' || c == '?' || c == '|' || c == '^' || c == '$' || c == '.') {
            if (c == '.' || c == '^' || c == '$') atom_ = out_.size();
            out_ += c;
            at_++;
        } else {
            const size_t from = at_;
            code_point();
            atom(std::string(in_.substr(from, at_ - from)));
        }
    }
    if (!open_.empty()) return fail("a ( without its end");
    return std::move(out_);
}

}  // namespace

std::string class_text(const CodeSet& members, const std::vector<unicode::Range>& late) {
    // Which categories are inside as a whole? What no category has is the unassigned.
    static const auto assigned = [] {
        std::pair<Set, std::array<std::vector<unicode::Range>, std::size(spelled)>> out;
        for (size_t i = 0; i < std::size(spelled); i++) {
            const auto ranges = unicode::property_ranges(spelled[i]);
            out.second[i].assign(ranges.begin(), ranges.end());
            for (const auto& r : ranges) out.first.add(r.first, r.last);
        }
        out.first.add(0xD800, 0xDFFF);
        return out;
    }();
    Set others = members;
    others.flip();
    Set unassigned = assigned.first;
    unassigned.flip();
    unassigned.meet(others);
    if (unassigned.next(0, true) == points) {    // unassigned ones too: say what is not in it
        const std::string text = class_text(others, late);
        return text[0] == '[' ? "[^" + text.substr(1) : "(?s:.)";
    }
    std::string out = "[";
    Set rest = members;
    for (size_t i = 0; i < std::size(spelled); i++) {
        const auto& ranges = assigned.second[i];
        if (!std::all_of(ranges.begin(), ranges.end(), [&](const auto& r) { return members.has_all(r.first, r.last); })) continue;
        out += std::string("\\p{") + spelled[i] + "}";
        for (const auto& r : ranges) rest.remove(r.first, r.last);
    }
    for (const auto& r : late) {
        for (char32_t c = r.first; c <= r.last; c++)
            if (members.has(c)) rest.add(c);
    }
    bool some = out.size() > 1;
    for (char32_t c = rest.next(0, true); c < points; c = rest.next(c, true)) {
        const char32_t end = rest.next(c, false), last = end - 1;
        if (c < 0xD800 && last > 0xDFFF) append_range(out, c, 0xD7FF), append_range(out, 0xE000, last);
        else if (c < 0xD800 || c > 0xDFFF) append_range(out, c, last >= 0xD800 && last <= 0xDFFF ? 0xD7FF : last);
        some = true;
        if (end == points) break;
        c = end;
    }
    return some ? out + "]" : "(?!)";
}

Result<std::string> translate_regex(std::string_view onig, const std::vector<unicode::Range>& late) { return Translator(onig, late).run(); }

}  // namespace weir::tok
