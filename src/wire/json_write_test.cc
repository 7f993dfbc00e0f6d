#include "wire/json_write.h"

#include <gtest/gtest.h>

#include <limits>

#include "base/clock.h"
#include "wire/json_top.h"

namespace weir {
namespace {

std::string as_json(std::string_view text) {
    std::string out;
    append_json_string(out, text);
    return out;
}
std::string number(auto value) {
    std::string out;
    append_json_number(out, value);
    return out;
}

TEST(JsonWrite, EscapesWhatMustBe) {
    EXPECT_EQ(as_json("a\"b\\c/d"), R"("a\"b\\c/d")");
    EXPECT_EQ(as_json("\n\r\t\b\f"), R"("\n\r\t\b\f")");
    EXPECT_EQ(as_json(std::string_view("\0\x1f\x7f", 3)), "\"\\u0000\\u001f\x7f\"");
    EXPECT_EQ(as_json("\xc3\xa4\xf0\x9f\x98\x80"), "\"\xc3\xa4\xf0\x9f\x98\x80\"");
    for (size_t n = 0; n < 40; ++n)   // every place in a block
        EXPECT_EQ(as_json(std::string(n, 'x') + "\n" + std::string(n, '\xc3')), "\"" + std::string(n, 'x') + "\\n" + std::string(n, '\xc3') + "\"");
}

TEST(JsonWrite, NumbersAreShortAndExact) {
    EXPECT_EQ(number(int64_t{-9223372036854775807} - 1), "-9223372036854775808");
    EXPECT_EQ(number(uint64_t{18446744073709551615u}), "18446744073709551615");
    EXPECT_EQ(number(0.1), "0.1");
    EXPECT_EQ(number(0.1f), "0.1");
    EXPECT_EQ(number(1.0), "1.0");
    EXPECT_EQ(number(-0.0), "-0.0");
    EXPECT_EQ(number(1e300), "1e+300");
    EXPECT_EQ(number(std::numeric_limits<double>::quiet_NaN()), "null");
    EXPECT_EQ(number(-std::numeric_limits<float>::infinity()), "null");
}

TEST(JsonWriter, PlacesCommas) {
    std::string out = "data: ";
    JsonWriter w(out);
    w.object().member("id", "a,").member("n", 3).member("t", 0.5f).member("ok", true).member("none", nullptr);
    w.key("choices").array().object().end_object().text("x{").number(-1).raw("[1,2]").end_array().key("o").object().end_object().end_object();
    EXPECT_EQ(out, R"(data: {"id":"a,","n":3,"t":0.5,"ok":true,"none":null,"choices":[{},"x{",-1,[1,2]],"o":{}})");
    EXPECT_TRUE(check_json(std::string_view(out).substr(6)));
}

TEST(JsonUnescape, UndoesEveryEscape) {
    std::string out;
    EXPECT_TRUE(json_unescape(R"(a\"\\\/\b\f\n\r\t\u00e4\u20ac\ud83d\ude00z)", out));
    EXPECT_EQ(out, "a\"\\/\b\f\n\r\t\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80z");
    for (std::string_view bad : {"\\", "\\x", "\\u12", "\\u12g4", "\\ud800", "\\ud800x", "\\ud800\\n", "\\ud800\\u0041", "\\udc00", "\\u"}) EXPECT_FALSE(json_unescape(bad, out)) << bad;
    std::string scratch;
    const std::string_view plain = "no escape";
    EXPECT_EQ(json_unescaped(plain, scratch).data(), plain.data());
    EXPECT_EQ(json_unescaped("a\\nb", scratch), "a\nb");
    EXPECT_EQ(json_unescaped("\\q", scratch).data(), nullptr);
    EXPECT_NE(json_unescaped({}, scratch).data(), nullptr);
}

TEST(JsonUnescape, RandomTextSurvivesTheRoundTrip) {
    Random random(3);
    std::string back;
    for (int round = 0; round < 2'000; ++round) {
        std::string text;
        for (size_t n = random.below(80); n > 0; --n) text.push_back(static_cast<char>(random.below(4) ? 'a' + random.below(26) : random.below(128)));
        const std::string json = as_json(text);
        ASSERT_TRUE(check_json(json)) << json;
        ASSERT_TRUE(json_unescape(std::string_view(json).substr(1, json.size() - 2), back));
        ASSERT_EQ(back, text);
    }
}

}  // namespace
}  // namespace weir
