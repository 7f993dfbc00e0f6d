#include <gtest/gtest.h>

#include "tokenizer/regex.h"
#include "tokenizer/unicode_grapheme.h"
#include "tokenizer/unicode_normalize.h"
#include "tokenizer/unicode_tables.h"
#include "tokenizer/unicode_utf8.h"

namespace weir::tok {
namespace {

using unicode::Form;

std::string normal(Form form, std::string_view text) {
    std::string out;
    unicode::normalize(form, text, out);
    return out;
}

TEST(Unicode, CategoriesAndSets) {
    EXPECT_EQ(unicode::category('A'), unicode::Category::Lu);
    EXPECT_EQ(unicode::category(U'中'), unicode::Category::Lo);
    EXPECT_EQ(unicode::category(0x10FFFF), unicode::Category::Cn);
    EXPECT_EQ(unicode::category(0x110000), unicode::Category::Cn);
    EXPECT_TRUE(unicode::is_white_space(0x85));
    EXPECT_FALSE(unicode::is_white_space(0x1C));
    EXPECT_TRUE(unicode::is_numeric(0x11DE0)) << "a digit of Unicode 17, which Digits knows";
    EXPECT_FALSE(unicode::is_number(0x11DE0)) << "but no regex";
    EXPECT_TRUE(unicode::is_han(U'中'));
    EXPECT_FALSE(unicode::is_han(U'か'));
    EXPECT_EQ(unicode::script_class_legacy(U'中'), unicode::script_class_legacy(U'か'));
    EXPECT_NE(unicode::script_class_legacy(U'中'), unicode::script_class_legacy('a'));
    EXPECT_EQ(unicode::script_class_legacy(' '), unicode::script_any);
}

TEST(Unicode, Lowercase) {
    char32_t out[3];
    ASSERT_EQ(unicode::to_lower(U'İ', out), 2);
    EXPECT_EQ(out[1], 0x307u);
    ASSERT_EQ(unicode::to_lower(U'Σ', out), 1);
    EXPECT_EQ(out[0], U'σ');
    ASSERT_EQ(unicode::to_lower('Z', out), 1);
    EXPECT_EQ(out[0], U'z');
}

TEST(Unicode, NormalForms) {
    EXPECT_EQ(normal(Form::nfc, "e\u0301"), "é");
    EXPECT_EQ(normal(Form::nfd, "é"), "e\u0301");
    EXPECT_EQ(normal(Form::nfd, "각"), "\u1100\u1161\u11a8");
    EXPECT_EQ(normal(Form::nfc, "\u1100\u1161\u11a8"), "각");
    EXPECT_EQ(normal(Form::nfkc, "ﬁ①"), "fi1");
    EXPECT_EQ(normal(Form::nfc, "a\u0315\u0300\u05ae\u0062"), "à\u05ae\u0315b");
    EXPECT_EQ(normal(Form::nfc, "\u0958"), "\u0915\u093c") << "excluded from composition";
    for (Form form : {Form::nfc, Form::nfd, Form::nfkc, Form::nfkd}) {
        EXPECT_TRUE(unicode::quick_check(form, "plain ASCII text, long enough for a word at a time"));
        EXPECT_FALSE(unicode::quick_check(form, "\u0344"));
    }
    EXPECT_TRUE(unicode::quick_check(Form::nfc, "naïve 中文 한국어"));
    EXPECT_FALSE(unicode::quick_check(Form::nfd, "naïve"));
    EXPECT_FALSE(unicode::quick_check(Form::nfc, "e\u0301"));
}

// What quick_check calls normal must be: every character alone, before and after others.
TEST(Unicode, QuickCheckNeverLies) {
    for (char32_t c = 1; c < 0x110000; c++) {
        if (c >= 0xD800 && c < 0xE000) continue;
        for (const char* before : {"", "e", "\u0301", "\u1100", "가"}) {
            std::string text = before;
            unicode::append_point(text, c);
            for (Form form : {Form::nfc, Form::nfd, Form::nfkc, Form::nfkd}) {
                if (unicode::quick_check(form, text)) {
                    ASSERT_EQ(normal(form, text), text) << std::hex << uint32_t(c);
                }
            }
        }
    }
}

TEST(Unicode, ChangesSayWhatBecameOfEachCharacter) {
    std::vector<unicode::Transformed> out;
    unicode::normalize(Form::nfd, "éa", out);
    ASSERT_EQ(out.size(), 3u);
    EXPECT_EQ(out[0].change, 0);
    EXPECT_EQ(out[1].change, 1);
    EXPECT_EQ(out[2].change, 0);
    out.clear();
    unicode::normalize(Form::nfc, "e\u0301a", out);
    ASSERT_EQ(out.size(), 2u);
    EXPECT_EQ(out[0].change, -1);
}

TEST(Unicode, Graphemes) {
    EXPECT_EQ(unicode::grapheme_len(""), 0u);
    EXPECT_EQ(unicode::grapheme_len("ab"), 1u);
    EXPECT_EQ(unicode::grapheme_len("e\u0301x"), 3u);
    EXPECT_EQ(unicode::grapheme_len("\r\nx"), 2u);
    EXPECT_EQ(unicode::grapheme_len("\n\n"), 1u);
    EXPECT_EQ(unicode::grapheme_len("🇩🇪🇫🇷"), 8u);
    EXPECT_EQ(unicode::grapheme_len("👩\u200d👩x"), std::string("👩\u200d👩").size());
    EXPECT_EQ(unicode::grapheme_len("\u1100\u1161\u11a8x"), 9u);
}

std::string matches(std::string_view pattern, std::string_view text) {
    auto regex = Regex::compile(pattern);
    if (!regex) return "refused: " + regex.error()->message;
    std::string out;
    auto done = regex->each(text, [&](size_t begin, size_t end) { out += std::string(text.substr(begin, end - begin)) + "|"; });
    return done ? out : "failed";
}

TEST(Regex, OnigurumasDialect) {
    EXPECT_EQ(matches(R"(\h+)", "xfgA0"), "f|A0|");
    EXPECT_EQ(matches(R"([a-z&&[^aeiou]]+)", "hello"), "h|ll|");
    EXPECT_EQ(matches(R"([\p{L}&&[^\p{Han}]]+)", "ab中c"), "ab|c|");
    EXPECT_EQ(matches(R"(\s)", "a\u0085b\u001c"), "\u0085|");
    EXPECT_EQ(matches(R"(a++a|b)", "aaab"), "b|");
    EXPECT_EQ(matches(R"(a{2}+)", "aaaaa"), "aaaa|") << "an interval repeated, not possessive";
    EXPECT_EQ(matches(R"(a{,2})", "aaab"), "aa|a||");
    EXPECT_EQ(matches(R"((?i:'S|k))", "'s'ſ'S\u212a"), "'s|'ſ|'S|\u212a|");
    EXPECT_EQ(matches(R"(\s+(?!\S)|\s+)", "a   b  "), "  | |  |");
    EXPECT_EQ(matches(R"((?m:.)+)", "a\nb"), "a\nb|");
    EXPECT_EQ(matches(R"(.+)", "a\nb"), "a|b|");
    EXPECT_EQ(matches(R"(\d{1,3}(?=(?:\d{3})*\b))", "1234567"), "1|234|567|");
    EXPECT_EQ(matches(R"(^b)", "a\nb"), "b|");
    EXPECT_EQ(matches(R"([[:alpha:]]+)", "ab1é"), "ab|é|");
    EXPECT_EQ(matches(R"([]a]+)", "a]b"), "a]|");
    EXPECT_EQ(matches(R"(\x{4e2d}\u6587)", "中文"), "中文|");
    EXPECT_EQ(matches("x*", "axb"), "|x||");
    EXPECT_EQ(matches("(", "a").substr(0, 7), "refused");
    EXPECT_EQ(matches(R"(\p{NoSuch})", "a").substr(0, 7), "refused");
    EXPECT_EQ(matches(R"([z-a])", "a").substr(0, 7), "refused");
}

// The engine's own tables may be of another Unicode version: its answers must be ours all the same.
TEST(Regex, ClassesAreThoseOfOurTables) {
    struct Row {
        const char* pattern;
        bool (*holds)(char32_t);
    };
    constexpr Row rows[] = {
        {R"(\p{L})", unicode::is_letter},
        {R"(\p{N})", unicode::is_number},
        {R"([\p{M}])", unicode::is_mark},
        {R"(\s)", unicode::is_white_space},
        {R"(\p{Han})", unicode::is_han},
        {R"([^\s\p{L}\p{N}])", [](char32_t c) { return !unicode::is_white_space(c) && !unicode::is_letter(c) && !unicode::is_number(c); }},
        {R"(\p{Cn})", [](char32_t c) { return unicode::category(c) == unicode::Category::Cn; }},
    };
    std::string all;
    for (char32_t c = 0; c < 0x110000; c++) {
        if (c < 0xD800 || c > 0xDFFF) unicode::append_point(all, c);
    }
    for (const Row& row : rows) {
        auto regex = Regex::compile(row.pattern);
        ASSERT_TRUE(regex) << row.pattern;
        std::string found, wanted;
        ASSERT_TRUE(regex->each(all, [&](size_t begin, size_t end) { found += all.substr(begin, end - begin); }));
        for (const char *p = all.data(), *end = p + all.size(); p < end;) {
            const char32_t c = unicode::next_point(p);
            if (row.holds(c)) unicode::append_point(wanted, c);
        }
        EXPECT_TRUE(found == wanted) << row.pattern;
    }
}

TEST(Regex, BacktrackingWithoutEndIsAFailure) {
    auto regex = Regex::compile("(?:a|aa)+$");
    ASSERT_TRUE(regex);
    EXPECT_FALSE(regex->find(std::string(64, 'a') + "b", 0));
}

}  // namespace
}  // namespace weir::tok
