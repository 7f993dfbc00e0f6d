#include "wire/json_top.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "base/clock.h"
#include "base/limits.h"
#include "wire/utf8.h"

namespace weir {
namespace {

std::string error(std::string_view text) {
    auto checked = check_json(text);
    return checked ? "" : checked.error()->message;
}
std::string members(std::string_view body) {
    std::vector<Member> out(limits::json_members_max);
    auto found = scan_top(body, out);
    if (!found) return found.error()->message;
    std::string text;
    for (uint32_t i = 0; i < found->members; ++i)
        text += std::string(body.substr(out[i].key.off, out[i].key.len)) + "->" + std::string(body.substr(out[i].value.off, out[i].value.len)) + ";";
    return text + (found->escaped_keys ? "escaped" : "");
}

TEST(ScanTop, ListsMembersInOrder) {
    EXPECT_EQ(members(R"({"model":"m", "messages" : [{"role":"user","content":"a\"b"}] ,"n":-1.5e+3,"s":true,"t":null})"),
              R"(model->"m";messages->[{"role":"user","content":"a\"b"}];n->-1.5e+3;s->true;t->null;)");
    EXPECT_EQ(members(" \r\n\t{ } \n"), "");
    EXPECT_EQ(members(R"({"a":{},"a":[]})"), "a->{};a->[];");
    EXPECT_EQ(members(R"({"\u006dodel":1})"), R"(\u006dodel->1;escaped)");
    EXPECT_EQ(members(R"({"k":"x\\"})"), R"(k->"x\\";)");
    EXPECT_EQ(members(R"({"":0})"), "->0;");
}

TEST(ScanTop, WantsAnObject) {
    EXPECT_EQ(members("[1,2]"), "invalid type: sequence, expected an object at line 1 column 1");
    EXPECT_EQ(members(" \"x\""), "invalid type: string, expected an object at line 1 column 2");
    EXPECT_EQ(members("[1,2"), "EOF while parsing a list at line 1 column 4");
    std::vector<Member> out(2);
    EXPECT_EQ(scan_top("7", out).error()->code, Code::bad_field);
    EXPECT_EQ(scan_top("{", out).error()->code, Code::bad_json);
}

TEST(ScanTop, MembersAreBounded) {
    std::string body = "{";
    for (size_t i = 0; i < limits::json_members_max; ++i) body += (i ? ",\"k\":0" : "\"k\":0");
    std::vector<Member> out(limits::json_members_max);
    EXPECT_EQ(scan_top(body + "}", out)->members, limits::json_members_max);
    auto over = scan_top(body + ",\"k\":0}", out);
    ASSERT_FALSE(over);
    EXPECT_EQ(over.error()->message.substr(0, 16), "too many members");
}

TEST(CheckJson, DepthIsBounded) {
    auto nested = [](size_t n) { return std::string(n, '[') + std::string(n, ']'); };
    EXPECT_EQ(error(nested(limits::json_depth_max)), "");
    EXPECT_EQ(error(nested(limits::json_depth_max + 1)), "recursion limit exceeded at line 1 column 129");
    std::string objects;
    for (int i = 0; i < 100'000; ++i) objects += "{\"a\":";
    EXPECT_EQ(error(objects).substr(0, 24), "recursion limit exceeded");
}

struct Bad { std::string_view text; const char* why; };   // words and positions by serde_json's rules
TEST(CheckJson, ErrorsSayWhatAndWhere) {
    for (const Bad& bad : {
             Bad{"", "EOF while parsing a value at line 1 column 0"},
             Bad{R"({"model":"test-model",)", "EOF while parsing a value at line 1 column 22"},
             Bad{"{", "EOF while parsing an object at line 1 column 1"},
             Bad{"[", "EOF while parsing a list at line 1 column 1"},
             Bad{"[1", "EOF while parsing a list at line 1 column 2"},
             Bad{"[1,", "EOF while parsing a value at line 1 column 3"},
             Bad{"[1,]", "trailing comma at line 1 column 4"},
             Bad{"[1 2]", "expected `,` or `]` at line 1 column 4"},
             Bad{R"({"a":1,})", "trailing comma at line 1 column 8"},
             Bad{R"({"a":1 "b":2})", "expected `,` or `}` at line 1 column 8"},
             Bad{R"({"a" 1})", "expected `:` at line 1 column 6"},
             Bad{R"({"a")", "EOF while parsing an object at line 1 column 4"},
             Bad{R"({"a":)", "EOF while parsing a value at line 1 column 5"},
             Bad{"{a:1}", "key must be a string at line 1 column 2"},
             Bad{R"({"a":1,b:2})", "key must be a string at line 1 column 8"},
             Bad{"{\n  \"a\": tru\n}", "expected ident at line 3 column 0"},
             Bad{"nul", "EOF while parsing a value at line 1 column 3"},
             Bad{"nulx", "expected ident at line 1 column 4"},
             Bad{"NaN", "expected value at line 1 column 1"},
             Bad{"'a'", "expected value at line 1 column 1"},
             Bad{"\xef\xbb\xbf{}", "expected value at line 1 column 1"},
             Bad{"{} x", "trailing characters at line 1 column 4"},
             Bad{"{}\n\n{}", "trailing characters at line 3 column 1"},
             Bad{"01", "invalid number at line 1 column 2"},
             Bad{"-", "EOF while parsing a value at line 1 column 1"},
             Bad{"-a", "invalid number at line 1 column 2"},
             Bad{"+1", "expected value at line 1 column 1"},
             Bad{".5", "expected value at line 1 column 1"},
             Bad{"1.", "EOF while parsing a value at line 1 column 2"},
             Bad{"1.x", "invalid number at line 1 column 3"},
             Bad{"1e", "EOF while parsing a value at line 1 column 2"},
             Bad{"1e+", "EOF while parsing a value at line 1 column 3"},
             Bad{"1ex", "invalid number at line 1 column 3"},
             Bad{"1e999", "number out of range at line 1 column 5"},
             Bad{"0x10", "trailing characters at line 1 column 2"},
             Bad{"\"abc", "EOF while parsing a string at line 1 column 4"},
             Bad{"\"a\nb\"", "control character (\\u0000-\\u001F) found while parsing a string at line 2 column 0"},
             Bad{std::string_view("\"a\0b\"", 5), "control character (\\u0000-\\u001F) found while parsing a string at line 1 column 3"},
             Bad{R"("\x")", "invalid escape at line 1 column 3"},
             Bad{R"("\u12g4")", "invalid escape at line 1 column 7"},
             Bad{R"("\u12)", "EOF while parsing a string at line 1 column 5"},
             Bad{R"("\udc00")", "lone leading surrogate in hex escape at line 1 column 7"},
             Bad{R"("\ud800x")", "unexpected end of hex escape at line 1 column 8"},
             Bad{R"("\ud800\n")", "unexpected end of hex escape at line 1 column 9"},
             Bad{R"("\ud800\u0041")", "lone leading surrogate in hex escape at line 1 column 13"},
             Bad{"\"\xff\"", "invalid unicode code point at line 1 column 3"},
             Bad{"\"\xc0\xaf\"", "invalid unicode code point at line 1 column 4"},
             Bad{"\"\xed\xa0\x80\"", "invalid unicode code point at line 1 column 5"},
             Bad{std::string_view("\0{}", 3), "expected value at line 1 column 1"},
         })
        EXPECT_EQ(error(bad.text), bad.why) << bad.text;
}

TEST(CheckJson, AcceptsWhatIsLegal) {
    for (std::string_view text : {"0", "-0", "-0.0e-0", "1E5", "123456789012345678901234567890", "1e-999", "0e999", "0.0e99999999999999999999", "\"\\u00e4\\ud83d\\ude00\\/\"",
                                  "\"\xf0\x9f\x98\x80\"", "\"\x7f\"", "[[],{},[{}]]", " [ 1 , 2 ] ", "\"\"", "1.7976931348623157e308"})
        EXPECT_EQ(error(text), "") << text;
    EXPECT_EQ(error("0." + std::string(400, '0') + "1"), "");
    EXPECT_EQ(error("0." + std::string(400, '0') + "1e50"), "");
    EXPECT_EQ(error(std::string(400, '1') + "e-200"), "");
    EXPECT_NE(error(std::string(400, '1')), "");
    EXPECT_NE(error(std::string(400, '1') + "e-20"), "");
    EXPECT_NE(error("1.8e308"), "");
}

TEST(CheckJson, StringsOfEveryLengthAndFaultAtEveryPlace) {   // block edges of the wide scan
    for (size_t n = 0; n < 200; ++n) {
        for (std::string_view piece : {"\\n", "\\\"", "\\u0041", "\\ud83d\\ude00", "\xc3\xa4"}) {
            const std::string text = "[\"" + std::string(n, 'x') + std::string(piece) + std::string(150 - n % 100, 'y') + "\",1]";
            EXPECT_EQ(error(text), "") << text;
            EXPECT_EQ(error("[\"" + std::string(n, 'x') + std::string(piece) + std::string(piece)), "EOF while parsing a string at line 1 column " + std::to_string(2 + n + 2 * piece.size()));
        }
        for (std::string_view piece : {"\x01", "\\x", "\xff", "\\ud800", "\x1f"})
            EXPECT_NE(error("\"" + std::string(n, 'x') + std::string(piece) + std::string(100, 'y') + "\""), "") << n;
    }
}

TEST(Utf8, WideAndPlainCheckAgree) {
    Random random(7);
    static constexpr std::string_view good[] = {"a", "\x7f", "\xc2\x80", "\xdf\xbf", "\xe0\xa0\x80", "\xed\x9f\xbf", "\xee\x80\x80", "\xef\xbf\xbf", "\xf0\x90\x80\x80", "\xf4\x8f\xbf\xbf"};
    static constexpr std::string_view bad[] = {"\x80", "\xc0\x80", "\xc1\xbf", "\xe0\x9f\xbf", "\xed\xa0\x80", "\xf0\x8f\xbf\xbf", "\xf4\x90\x80\x80", "\xf5\x80\x80\x80", "\xff",
                                              "\xc2", "\xe1\x80", "\xf1\x80\x80", "\xe1\x80\x41", "\xc2\xc2\x80"};
    for (int round = 0; round < 20'000; ++round) {
        std::string text;
        const size_t pieces = 20 + random.below(80), fault = random.below(2 * pieces);
        for (size_t i = 0; i < pieces; ++i) text += i == fault ? bad[random.below(std::size(bad))] : random.below(2) ? good[0] : good[random.below(std::size(good))];
        EXPECT_EQ(utf8_valid(text), utf8_valid_prefix(text) == text.size());
        ASSERT_EQ(utf8_valid(text), fault >= pieces) << text;
    }
    std::string out;
    for (uint32_t c : {0x41u, 0xe4u, 0x20acu, 0x1f600u, 0xd800u, 0x110000u}) append_utf8(out, c);
    EXPECT_EQ(out, "A\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80\xef\xbf\xbd\xef\xbf\xbd");
}

}  // namespace
}  // namespace weir
