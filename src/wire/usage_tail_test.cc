#include "wire/usage_tail.h"

#include <gtest/gtest.h>

#include "tests/support/split.h"

namespace weir {
namespace {

std::string seen(std::span<const std::string_view> pieces) {
    UsageTail tail;
    for (std::string_view piece : pieces) tail.feed(piece);
    const Usage& u = tail.usage();
    return !tail.found() ? "none" : std::to_string(u.prompt) + "+" + std::to_string(u.completion) + " cached " + std::to_string(u.cached) + (u.has_cached ? "!" : "");
}
std::string seen(std::string_view text) { return seen(std::span(&text, 1)); }

TEST(UsageTail, FindsTheLastUsage) {
    EXPECT_EQ(seen(R"({"choices":[],"usage": {"prompt_tokens": 3, "completion_tokens": 1, "total_tokens": 4, "prompt_tokens_details": null}})"), "3+1 cached 0");
    EXPECT_EQ(seen(R"({"usage":{"prompt_tokens":30,"total_tokens":41,"completion_tokens":11,"prompt_tokens_details":{"cached_tokens":16,"audio_tokens":2}}})"), "30+11 cached 16!");
    EXPECT_EQ(seen("data: {\"usage\":{\"prompt_tokens\":1,\"completion_tokens\":1}}\n\ndata: {\"usage\":null}\n\n"
                   "data: {\"usage\":{\"prompt_tokens\":1,\"completion_tokens\":9}}\n\ndata: [DONE]\n\n"), "1+9 cached 0");
    EXPECT_EQ(seen(R"({"type":"message_delta","usage":{"input_tokens":5,"output_tokens":6,"cache_read_input_tokens":4}})"), "5+6 cached 4!");
    EXPECT_EQ(seen(R"({"usage":null,"x":1})"), "none");
    EXPECT_EQ(seen(R"({"content":"say \"usage\":{\"prompt_tokens\":9}"})"), "none");
    EXPECT_EQ(seen(R"({"usage":{"prompt_tokens":3)"), "none");
    EXPECT_EQ(seen(R"({"usage":{"prompt_tokens":99999999999}})"), "4294967295+0 cached 0");
    EXPECT_EQ(seen(R"({"usage":{"a":"{\"prompt_tokens\":7}","prompt_tokens":2}})"), "2+0 cached 0");
    EXPECT_EQ(seen(""), "none");
}

TEST(UsageTail, SplitsDoNotMatter) {
    for (std::string_view text : {R"({"x":"\"us","usage" : {"prompt_tokens":30,"completion_tokens":11,"prompt_tokens_details":{"cached_tokens":16}},"y":1})",
                                  R"({"usage":null,"n":[1,2]} {"usage":{"prompt_tokens":12,"completion_tokens":34}})", R"({"usag":1,""usage":{"prompt_tokens":1}})"})
        EXPECT_EQ(split::difference(text, [](auto pieces) { return seen(pieces); }), "") << text;
}

TEST(UsageTail, WhatItHoldsIsBounded) {
    UsageTail tail;
    tail.feed("{\"usage\":{\"a\":\"");
    for (int i = 0; i < 100; ++i) tail.feed(std::string(1'000, 'x'));
    EXPECT_FALSE(tail.found());
    tail.feed("\"usage\":{\"prompt_tokens\":1}");   // it gave the endless one up and looks for the next
    EXPECT_TRUE(tail.found());
}

}  // namespace
}  // namespace weir
