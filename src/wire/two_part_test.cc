#include "wire/two_part.h"

#include <gtest/gtest.h>

#include "tests/support/split.h"

namespace weir {
namespace {

std::string messages(std::span<const Str> pieces, size_t header_max = 100, size_t body_max = 1000) {
    TwoPartReader reader(header_max, body_max);
    std::string said;
    for (Str bytes : pieces) {
        TwoPart m;
        while (reader.next(bytes, m)) said += "[" + std::string(m.header) + "|" + std::string(m.body) + "]";
        if (reader.bad()) break;
        EXPECT_TRUE(bytes.empty());
    }
    return said + (reader.bad() ? "bad" : reader.mid_message() ? "cut" : "");
}
std::string messages(Str text) { return messages(std::span(&text, 1)); }
std::string message(Str header, Str body) {
    std::string out;
    append_two_part(out, header, body);
    return out;
}

TEST(TwoPart, TheBytesAreTheDocumentedOnes) {
    EXPECT_EQ(message("\"sentinel\"", ""), std::string("\0\0\0\0\0\0\0\x0a\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\"sentinel\"", 34));
    EXPECT_EQ(message("", "ab").substr(0, 16), std::string("\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\2", 16));
}

TEST(TwoPart, ReadsMessagesInARow) {
    EXPECT_EQ(messages(message("h", "body") + message("", "x") + message("\"stop\"", "")), "[h|body][|x][\"stop\"|]");
    EXPECT_EQ(messages(message("", "")), "[|]");
    EXPECT_EQ(messages(message("h", "body").substr(0, 10)), "cut");
    EXPECT_EQ(messages(message("h", "body").substr(0, 28)), "cut");
    std::string checked = message("h", "b");
    checked[20] = 7;   // a checksum is not ours to judge
    EXPECT_EQ(messages(checked), "[h|b]");
}

TEST(TwoPart, SplitsDoNotMatter) {
    std::string text = message("{\"subject\":\"x\"}", "") + message("", std::string(300, 'b')) + message("", "") + message("a", "b") + message("", "end").substr(0, 25);
    EXPECT_EQ(split::difference(text, [](auto pieces) { return messages(pieces); }), "");
    std::string bad = message("a", "b") + message(std::string(101, 'h'), "");
    EXPECT_EQ(split::difference(bad, [](auto pieces) { return messages(pieces); }), "");
}

TEST(TwoPart, LengthsAreBounded) {
    EXPECT_EQ(messages(message(std::string(100, 'h'), std::string(1000, 'b'))).size(), 1103u);
    EXPECT_EQ(messages(message(std::string(101, 'h'), "")), "bad");
    EXPECT_EQ(messages(message("", std::string(1001, 'b'))), "bad");
    EXPECT_EQ(messages(std::string(24, '\xff')), "bad");   // sums of lengths must not wrap
}

TEST(TwoPart, AMessageInOneReadIsNotCopied) {
    TwoPartReader reader(10, 10);
    const std::string text = message("h", "body") + message("", "cut");
    Str bytes = Str(text).substr(0, text.size() - 1);
    TwoPart m;
    ASSERT_TRUE(reader.next(bytes, m));
    EXPECT_EQ(m.body.data(), text.data() + 25);
    EXPECT_EQ(reader.held_bytes(), 0u);
    EXPECT_FALSE(reader.next(bytes, m));
    EXPECT_TRUE(reader.mid_message());
}

TEST(TwoPart, AWholeBufferIsOneMessageOrNone) {
    TwoPart m;
    const std::string text = message("h", "b");
    EXPECT_TRUE(read_two_part(text, m));
    EXPECT_EQ(m.body, "b");
    EXPECT_FALSE(read_two_part(text + "x", m));
    EXPECT_FALSE(read_two_part(text.substr(1), m));
    EXPECT_FALSE(read_two_part("", m));
}

}  // namespace
}  // namespace weir
