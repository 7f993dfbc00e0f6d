#include "wire/sse.h"

#include <gtest/gtest.h>

#include "tests/support/split.h"

namespace weir {
namespace {

std::string events(std::span<const std::string_view> pieces) {
    SseReader reader;
    std::string text;
    for (std::string_view bytes : pieces) {
        SseEvent e;
        while (reader.next(bytes, e)) text += "[" + std::string(e.event) + "|" + std::string(e.id) + "|" + std::string(e.data) + "]";
    }
    return text + (reader.bad() ? "bad" : reader.mid_event() ? "cut" : "");
}
std::string events(std::string_view text) { return events(std::span(&text, 1)); }

TEST(SseReader, ReadsEvents) {
    EXPECT_EQ(events("data: a\n\ndata:b\n\n"), "[||a][||b]");
    EXPECT_EQ(events("event: e\nid: 7\ndata:  x\n\n"), "[e|7| x]");
    EXPECT_EQ(events("data: a\ndata\ndata: c\n\n"), "[||a\n\nc]");
    EXPECT_EQ(events("data\n\n"), "[||]");
    EXPECT_EQ(events(": comment\n\nevent: lonely\n\ndata: z\n\n"), "[||z]");
    EXPECT_EQ(events("retry: 10\nfoo: bar\nda ta: no\n:\ndata: y\n\n"), "[||y]");
    EXPECT_EQ(events("data: a\r\rdata: b\r\n\r\ndata: c\n\r\n"), "[||a][||b][||c]");
    EXPECT_EQ(events("\xef\xbb\xbf" "data: a\n\n" "\xef\xbb\xbf" "data: b\n\n"), "[||a]");
    EXPECT_EQ(events("\xef\xbb\xbf\ndata: a\n\n"), "[||a]");
    EXPECT_EQ(events("\n\n\r\n\rdata: a\n\n\n\n"), "[||a]");
    EXPECT_EQ(events(std::string_view("id: a\0b\ndata: x\n\n", 17)), "[||x]");
    EXPECT_EQ(events("data: a\n"), "cut");
    EXPECT_EQ(events("data: a"), "cut");
    EXPECT_EQ(events("data: [DONE]\n\n"), "[||[DONE]]");
}

TEST(SseReader, SplitsDoNotMatter) {
    for (std::string_view text : {"data: a\n\ndata: b\n\n", "event: e\r\nid: 1\r\ndata: x\r\ndata: y\r\n\r\ndata: z\r\n\r\n", "data: a\r\rdata: b\r\r", "data: a\r\n\ndata: b\n\r\ndata: c\r\r\n",
                                  "\xef\xbb\xbf\r\ndata: a\r\n\r\n: c\n\n\n\ndata: last\n\n", ": only\n\n: comments\n\n", "data: cut\r\n"})
        EXPECT_EQ(split::difference(text, [](auto pieces) { return events(pieces); }), "") << text;
}

TEST(SseReader, AnEventInOneReadIsNotCopied) {
    SseReader reader;
    const std::string text = "data: first\n\nevent: e\ndata: second\n\ndata: cut";
    std::string_view bytes = text;
    SseEvent e;
    ASSERT_TRUE(reader.next(bytes, e));
    EXPECT_EQ(e.data.data(), text.data() + 6);
    ASSERT_TRUE(reader.next(bytes, e));
    EXPECT_EQ(e.data.data(), text.data() + text.find("second"));
    EXPECT_FALSE(reader.next(bytes, e));
    EXPECT_TRUE(bytes.empty());
    EXPECT_TRUE(reader.mid_event());
}

TEST(SseReader, EventsAreBounded) {
    const std::string fits = "data:" + std::string(limits::sse_event_max - 7, 'x') + "\n\n";
    EXPECT_EQ(events(fits).size(), limits::sse_event_max - 7 + 4);
    EXPECT_EQ(events("data:x" + fits.substr(5)), "bad");
    SseReader reader;
    const std::string line(60'000, 'c');
    SseEvent e;
    for (int i = 0; i < 40 && !reader.bad(); ++i) {
        std::string_view bytes = line;
        EXPECT_FALSE(reader.next(bytes, e));
    }
    EXPECT_TRUE(reader.bad());
    EXPECT_EQ(reader.held_bytes(), 0u);
}

TEST(SseWrite, WhatIsWrittenReadsBack) {
    std::string out;
    append_sse(out, "{}");
    append_sse(out, "a\nb\r\nc\rd", "delta", "9");
    append_sse(out, "");
    append_sse_comment(out, "ping");
    out += sse_done;
    EXPECT_EQ(events(out), "[||{}][delta|9|a\nb\nc\nd][||][||[DONE]]");
    EXPECT_EQ(out.substr(0, 10), "data: {}\n\n");
}

}  // namespace
}  // namespace weir
