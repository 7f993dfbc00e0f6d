// Scanners against the regular expressions they stand for: every piece of random texts of nasty characters, at every vector width.
#include "tokenizer/scan.h"

#include <gtest/gtest.h>

#include <map>
#include <random>

#include "tokenizer/regex.h"
#include "tokenizer/unicode_tables.h"
#include "tokenizer/unicode_utf8.h"

namespace weir::tok {
namespace {

using Spec = PreTokenizerSpec;

Spec byte_level(bool use_regex) {
    Spec s;
    s.kind = Spec::Kind::byte_level;
    s.add_prefix_space = false, s.use_regex = use_regex;
    return s;
}
Spec digits() {
    Spec s;
    s.kind = Spec::Kind::digits;
    s.individual_digits = true;
    return s;
}
Spec split(std::string pattern) {
    Spec s;
    s.kind = Spec::Kind::split;
    s.pattern = {std::move(pattern), true};
    return s;
}
Spec sequence(std::vector<Spec> children) {
    Spec s;
    s.kind = Spec::Kind::sequence;
    s.children = std::move(children);
    return s;
}

constexpr const char* gpt2 = R"('s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+)";
constexpr const char* cl100k =
    R"((?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+)";
constexpr const char* qwen2 =
    R"((?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+)";
constexpr const char* qwen35 =
    R"((?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?[\p{L}\p{M}]+|\p{N}| ?[^\s\p{L}\p{M}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+)";
constexpr const char* o200k =
    R"([^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+(?i:'s|'t|'re|'ve|'m|'ll|'d)?)"
    R"(|[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*(?i:'s|'t|'re|'ve|'m|'ll|'d)?)"
    R"(|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+)";
constexpr const char* tekken =
    R"([^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+|[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+)"
    R"([\p{Ll}\p{Lm}\p{Lo}\p{M}]*|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+)";
constexpr const char* kimi =
    R"([\p{Han}]+|[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}&&[^\p{Han}]]*[\p{Ll}\p{Lm}\p{Lo}\p{M}&&[^\p{Han}]]+(?i:'s|'t|'re|'ve|'m|'ll|'d)?)"
    R"(|[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}&&[^\p{Han}]]+[\p{Ll}\p{Lm}\p{Lo}\p{M}&&[^\p{Han}]]*(?i:'s|'t|'re|'ve|'m|'ll|'d)?)"
    R"(|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+)";
constexpr const char* deepseek_words =
    R"([!"#$%&'()*+,\-./:;<=>?@\[\\\]^_`{|}~][A-Za-z]+|[^\r\n\p{L}\p{P}\p{S}]?[\p{L}\p{M}]+| ?[\p{P}\p{S}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+)";

struct Family {
    const char* name;
    Spec spec;
    std::vector<std::string> patterns;       // one after the other, every piece apart; "#" stands for Digits
};

std::vector<Family> families() {
    const auto one = [](const char* name, const char* pattern) { return Family{name, sequence({split(pattern), byte_level(false)}), {pattern}}; };
    const std::string numbers = R"(\p{N}{1,3})", han = "[一-龥\u3040-ゟ゠-ヿ]+";
    return {one("cl100k", cl100k), one("qwen2", qwen2), one("qwen35", qwen35), one("o200k", o200k), one("tekken", tekken), one("kimi", kimi),
            {"gpt2", byte_level(true), {gpt2}},
            {"starcoder", sequence({digits(), byte_level(true)}), {"#", gpt2}},
            {"deepseek", sequence({split(numbers), split(han), split(deepseek_words), byte_level(false)}), {numbers, han, deepseek_words}}};
}

using Ends = std::vector<size_t>;

// Cuts every piece of `text` again.
void cut(std::string_view text, const std::string& pattern, Ends& ends) {
    static std::map<std::string, Regex> compiled;
    Ends out;
    size_t begin = 0;
    for (const size_t end : ends) {
        const std::string_view piece = text.substr(begin, end - begin);
        size_t last = 0;
        const auto match = [&](size_t from, size_t to) {
            if (from > last) out.push_back(begin + from);
            if (to > from) out.push_back(begin + to);
            last = to;
        };
        if (pattern == "#") {
            for (const char* p = piece.data(); p < piece.data() + piece.size();) {
                const char* from = p;
                if (unicode::is_numeric(unicode::next_point(p))) match(static_cast<size_t>(from - piece.data()), static_cast<size_t>(p - piece.data()));
            }
        } else {
            auto place = compiled.find(pattern);
            if (place == compiled.end()) place = compiled.emplace(pattern, *Regex::compile(pattern)).first;
            ASSERT_TRUE(place->second.each(piece, match));
        }
        if (last < piece.size()) out.push_back(end);
        begin = end;
    }
    ends = std::move(out);
}

Ends by_regex(const Family& family, std::string_view text) {
    Ends ends;
    if (!text.empty()) ends.push_back(text.size());
    for (const std::string& pattern : family.patterns) cut(text, pattern, ends);
    return ends;
}

Ends by_scanner(const Scanner& scanner, std::string_view text, ScanScratch& s) {
    Ends ends;
    for (size_t at = 0; at < text.size();) {
        const size_t next = scanner.scan(text, at, s);
        for (const uint32_t end : s.ends) ends.push_back(at + end);
        EXPECT_GT(next, at);
        if (next <= at) break;
        at = next;
    }
    return ends;
}

class Texts {
public:
    explicit Texts(uint64_t seed) : random_(seed) {}
    std::string next(size_t parts) {
        static const std::vector<std::string> nasty = {
            "a", "b", "s", "t", "re", "ll", "VE", "Ab", "ABC", "xYz", " ", "  ", "   ", "\n", "\r\n", "\t", "\v", "\u0085", "\u00a0", "\u2028", "\u3000",
            "'", "'s", "'S", "'\u017f", "'ll", "'Re", "1", "12", "1234", "٣", "Ⅷ", "½", "²", ".", ",", "!", "/", "//", "_", "-", "+", "=", "\"", "$", "€",
            "é", "ß", "İ", "ǅ", "ʰ", "ª", "中", "文字", "々", "〇", "か", "ナ", "ー", "゛", "ゟ", "・", "한", "글", "ไ", "ก็", "\u0301", "\u0903", "\u20dd", "\u0345",
            "ा", "क्", "ع", "ִ", "😀", "👩\u200d👩", "\u200b", "\u200d", "\ufeff", "\ue000", std::string("\0", 1), "\x01", "\x7f", "\u0378", "\U0010ffff",
            "\U00011de0", "\U0001d7d8", "\U00020000", "⺀", "㐀", "龥", "龦", "ſ", "K", "\u1c89", "\u088f", "、", "。", "「"};
        std::string out;
        for (size_t i = 0; i < parts; i++) {
            const uint64_t how = random_() % 100;
            if (how < 80) out += nasty[random_() % nasty.size()];
            else if (how < 90) out += std::string(random_() % 70, "a 1.\nA"[random_() % 6]);
            else unicode::append_point(out, point());
        }
        return out;
    }

    // What a window sees whole: words, mostly of ASCII, with few breaks.
    std::string plain(size_t parts) {
        static const std::vector<std::string> words = {"a", "the", "Word", "camelCase", "ABC", "XMLHttp", "x", "12", "1", "12345", ".", ",", "..", "(", "_",
                                                       "->", "::", " ", " ", " ", "  ", "    ", "\t", " \t", "/", "=\"", "\v", "\x01", "'", "'s", "\n", "\r\n  ", "\n\n",
                                                       ".\n", "don't", "'Re", "'ll", "é", "Élan", "naïve", "ǅ", "中", "\n/", " \n\t", "\u0301", "“"};
        std::string out;
        for (size_t i = 0; i < parts; i++) out += words[random_() % words.size()];
        return out;
    }

private:
    char32_t point() {
        char32_t c = static_cast<char32_t>(random_() % (random_() % 2 ? 0x3000 : 0x110000));
        return c >= 0xD800 && c < 0xE000 ? U'x' : c;
    }
    std::mt19937_64 random_;
};

void compare(const Family& family, const Scanner& scanner, std::string_view text, ScanScratch& s, uint64_t seed) {
    const Ends wanted = by_regex(family, text), got = by_scanner(scanner, text, s);
    size_t i = 0;
    while (i < wanted.size() && i < got.size() && wanted[i] == got[i]) i++;
    if (i == wanted.size() && i == got.size()) return;
    const size_t from = i > 0 ? wanted[i - 1] : 0;
    FAIL() << family.name << " seed " << seed << " at byte " << from << ": '" << text.substr(from, 60) << "' wanted end "
           << (i < wanted.size() ? wanted[i] : 0) << " got " << (i < got.size() ? got[i] : 0);
}

class Scan : public testing::TestWithParam<int> {
protected:
    void SetUp() override { scan_level_max = GetParam(); }
    void TearDown() override { scan_level_max = 2; }
};

TEST_P(Scan, EqualsItsRegexOnRandomTexts) {
    ScanScratch scratch;
    for (const Family& family : families()) {
        const auto scanner = recognise_scanner(family.spec);
        ASSERT_TRUE(scanner) << family.name;
        for (uint64_t seed = 0; seed < 150; seed++) {
            Texts texts(seed * 31 + static_cast<uint64_t>(GetParam()));
            for (int i = 0; i < 5; i++) compare(family, *scanner, texts.next(1 + (seed + static_cast<uint64_t>(i) * 7) % 40), scratch, seed);
            for (int i = 0; i < 5; i++) compare(family, *scanner, texts.plain(10 + seed), scratch, seed);
            if (HasFatalFailure()) return;
        }
        Texts texts(99);
        for (int i = 0; i < 4; i++) compare(family, *scanner, texts.next(4000), scratch, 99);    // several chunks
    }
}

TEST_P(Scan, EveryCharacterAlone) {
    ScanScratch scratch;
    for (const Family& family : families()) {
        const auto scanner = recognise_scanner(family.spec);
        std::string text;
        for (char32_t c = 0; c < 0x110000; c++) {
            if (c >= 0xD800 && c < 0xE000) continue;
            if (c >= 0x3400 && c < 0x9F00) c += 50;      // alike
            if (c >= 0xAC00 && c < 0xD700) c += 50;
            if (c >= 0x20000) c += 250;
            if ((c >= 0xD800 && c < 0xE000) || c >= 0x110000) continue;
            text += "a";
            unicode::append_point(text, c);
            text += (c % 3 == 0) ? "B " : (c % 3 == 1) ? " " : "1";
            if (text.size() < 20000) continue;
            compare(family, *scanner, text, scratch, c);
            if (HasFatalFailure()) return;
            text.clear();
        }
        compare(family, *scanner, text, scratch, 0);
    }
}

TEST_P(Scan, PreTokensLongerThanAChunk) {
    ScanScratch scratch;
    for (const Family& family : families()) {
        const auto scanner = recognise_scanner(family.spec);
        for (const char* unit : {"a", "A", " ", "\n", " \n", "1", ".", "中", "か", "\u0301", "\x01", "'s", "aA", "\u0378"}) {
            std::string text = "x ";
            while (text.size() < 3 * scan_chunk) text += unit;
            for (const char* tail : {"", "b", " ", "\n", "."}) compare(family, *scanner, text + tail, scratch, 0);
            if (HasFatalFailure()) return;
        }
    }
}

INSTANTIATE_TEST_SUITE_P(Vectors, Scan, testing::Values(0, 1, 2));

TEST(ScanRecognise, OthersAreLeftAlone) {
    Spec prefixed = byte_level(true);
    prefixed.add_prefix_space = true;
    EXPECT_FALSE(recognise_scanner(prefixed));
    EXPECT_FALSE(recognise_scanner(sequence({split(std::string(cl100k) + "|x"), byte_level(false)})));
    EXPECT_FALSE(recognise_scanner(sequence({split(cl100k), byte_level(true)})));
    EXPECT_FALSE(recognise_scanner(split(cl100k)));
    Spec removed = split(o200k);
    removed.behavior = SplitBehavior::removed;
    EXPECT_FALSE(recognise_scanner(sequence({removed, byte_level(false)})));
    removed.invert = true;
    EXPECT_TRUE(recognise_scanner(sequence({removed, byte_level(false)})));
}

}  // namespace
}  // namespace weir::tok
