#include "wire/json_walk.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace weir {
namespace {

TEST(JsonWalk, MembersKeepOrderAndText) {
    Str text = "{ \"a\" : 1 ,\"b\":\"x\\\"}y\", \"c\":[1,{\"d\":\"]\"}],\"e\":{} , \"f\":null}";
    std::vector<std::pair<Str, Str>> got;
    for (JsonMembers m(text); m.next();) got.push_back({m.key, m.value});
    ASSERT_EQ(got.size(), 5u);
    EXPECT_EQ(got[0], (std::pair<Str, Str>("a", "1")));
    EXPECT_EQ(got[1], (std::pair<Str, Str>("b", "\"x\\\"}y\"")));
    EXPECT_EQ(got[2].second, "[1,{\"d\":\"]\"}]");
    EXPECT_EQ(got[3].second, "{}");
    EXPECT_EQ(got[4].second, "null");
    EXPECT_EQ(json_member(text, "e"), "{}");
    EXPECT_TRUE(json_member(text, "zz").empty());
    EXPECT_EQ(json_member("{\"a\":1,\"a\":2}", "a"), "2");
}

TEST(JsonWalk, ItemsOfNestedArrays) {
    std::vector<Str> got;
    for (JsonItems i("[ 1 ,\"a,]\", [2, 3],{\"x\":[]},true]"); i.next();) got.push_back(i.value);
    EXPECT_EQ(got, (std::vector<Str>{"1", "\"a,]\"", "[2, 3]", "{\"x\":[]}", "true"}));
    EXPECT_EQ(json_count("[]"), 0u);
    EXPECT_TRUE(json_empty("[ \n]"));
    EXPECT_FALSE(json_empty("[0]"));
}

TEST(JsonWalk, LongStringsAreSkippedWherever16BytesFall) {
    for (size_t pad = 0; pad < 40; ++pad) {
        std::string s = "\"" + std::string(pad, 'x') + "\\\\\\\"" + std::string(40, 'y') + "\"";
        EXPECT_EQ(json_skip(s + ",1", 0), s.size()) << pad;
    }
}

TEST(JsonWalk, TextUnescapes) {
    Arena a;
    EXPECT_EQ(json_text("\"plain\"", a), "plain");
    EXPECT_EQ(json_text(R"("a\n\"\\\/\t\b\f\r")", a), "a\n\"\\/\t\b\f\r");
    EXPECT_EQ(json_text(R"("\u00e9\u4f60\ud83d\ude00")", a), "é你😀");
    EXPECT_EQ(json_text(R"("\ud83dx")", a), "\xef\xbf\xbdx");
    EXPECT_EQ(json_text("\"\"", a), "");
    EXPECT_EQ(json_text(R"("a\u0000b")", a), Str("a\0b", 3));
    EXPECT_TRUE(json_is("\"user\"", "user"));
    EXPECT_FALSE(json_is("7", "user"));
}

TEST(JsonWalk, Numbers) {
    EXPECT_EQ(json_int("-12"), -12);
    EXPECT_EQ(json_int("1.0"), std::nullopt);
    EXPECT_EQ(json_uint("18446744073709551615"), 18446744073709551615ull);
    EXPECT_EQ(json_uint("18446744073709551616"), std::nullopt);
    EXPECT_EQ(json_double("2.5e1"), 25.0);
    EXPECT_FALSE(json_is_integer("1e2"));
    EXPECT_TRUE(json_is_integer("-7"));
}

TEST(JsonWalk, BrokenTextEndsWithoutReadingPastIt) {   // callers promise valid text; a bug there must not become a read beyond it
    Arena a;
    for (std::string s : {"{\"a", "{\"a\"", "{\"a\":", "{\"a\":\"x", "[1,", "[\"", "\"\\", "\"\\u12", "{\"a\":{", "\""}) {
        for (JsonMembers m(s); m.next();) {}
        for (JsonItems i(s); i.next();) {}
        json_text(s, a);
        EXPECT_LE(json_skip(s, 0), s.size());
    }
}

}  // namespace
}  // namespace weir
