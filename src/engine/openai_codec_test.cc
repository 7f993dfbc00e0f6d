#include "engine/openai_codec.h"

#include <gtest/gtest.h>

#include "engine/event_text.h"
#include "tests/support/golden.h"
#include "tests/support/split.h"

namespace weir::engine {
namespace {

Api api_named(const std::string& word) { return word == "cmpl" ? Api::completions : word == "emb" ? Api::embeddings : Api::chat; }

// All Events of an answer that comes in these pieces, as text.
std::string decode(Api api, bool stream, std::span<const Str> pieces, size_t body_max = limits::answer_body_max) {
    OpenAiDecoder decoder(api, stream, body_max);
    Batch batch;
    std::string text;
    for (Str piece : pieces) {
        batch.clear();
        if (auto ok = decoder.feed(piece, batch); !ok) return text + event_text(batch) + "! " + name(ok.error()->code) + " " + ok.error()->detail;
        text += event_text(batch);
    }
    batch.clear();
    auto ok = decoder.finish(batch);
    text += event_text(batch);
    return ok ? text : text + "! " + name(ok.error()->code) + " " + ok.error()->detail;
}

// Input: "<chat|cmpl|emb> <stream|unary>" then the body's lines ("\n" between them; SSE events end with an empty "### " line).
struct Answer { Api api; bool stream; std::string body; };
Answer answer_of(const std::string& input) {
    size_t line = input.find('\n');
    std::string first = input.substr(0, line), body = line == std::string::npos ? "" : input.substr(line + 1);
    bool stream = first.ends_with(" stream");
    return {api_named(first.substr(0, first.find(' '))), stream, stream ? body + "\n\n" : body};
}

TEST(OpenAiDecoder, GoldenEvents) {
    golden::check("engine/openai_answers.txt", [](const std::string& input) {
        Answer a = answer_of(input);
        Str whole = a.body;
        return decode(a.api, a.stream, {&whole, 1});
    });
}

TEST(OpenAiDecoder, AnySplitGivesTheSameEvents) {
    for (const auto& c : golden::parse(golden::slurp(std::string(WEIR_SOURCE_DIR) + "/tests/golden/engine/openai_answers.txt"))) {
        Answer a = answer_of(c.input);
        EXPECT_EQ(split::difference(a.body, [&](std::span<const Str> pieces) { return decode(a.api, a.stream, pieces); }), "") << c.input;
    }
}

TEST(OpenAiDecoder, BoundsAreReached) {
    std::string body = R"({"choices":[{"index":0,"message":{"content":"x"},"finish_reason":"stop"}]})";
    Str whole = body;
    EXPECT_EQ(decode(Api::chat, false, {&whole, 1}, body.size()).find('!'), std::string::npos);
    EXPECT_NE(decode(Api::chat, false, {&whole, 1}, body.size() - 1).find("! engine_garbage answer larger"), std::string::npos);
    std::string event = "data: {\"x\":\"" + std::string(limits::sse_event_max, 'y');
    Str big = event;
    EXPECT_NE(decode(Api::chat, true, {&big, 1}).find("! engine_garbage an event larger"), std::string::npos);
    for (size_t over : {0, 1}) {
        std::string at = std::to_string(limits::choices_max - 1 + over);
        std::string far = R"({"choices":[{"index":)" + at + R"(,"message":{"content":"x"},"finish_reason":"stop"}]})";
        Str one = far;
        EXPECT_EQ(decode(Api::chat, false, {&one, 1}).find('!') != std::string::npos, over == 1);
    }
}

TEST(OpenAiDecoder, KeepsNothingBetweenWholeEvents) {
    OpenAiDecoder decoder(Api::chat, true);
    Batch batch;
    std::string event = "data: {\"choices\":[{\"index\":0,\"delta\":{\"content\":\"" + std::string(5000, 'x') + "\"}}]}\n\n";
    for (int i = 0; i < 20; ++i) {
        batch.clear();
        ASSERT_TRUE(decoder.feed(event, batch));
        ASSERT_EQ(batch.events.size(), i ? 1u : 2u);
        EXPECT_EQ(decoder.held_bytes(), std::string().capacity());
    }
}

TEST(OpenAiStatus, KeepsWhatTheEngineSaid) {
    Failure f = openai_status(429, "retry-after: 7\r\n", std::string(limits::error_body_max + 5, 'x'));
    EXPECT_EQ(f->code, Code::engine_status);
    EXPECT_EQ(f->upstream_status, 429);
    EXPECT_EQ(f->upstream_headers, "retry-after: 7\r\n");
    EXPECT_EQ(f->upstream_body.size(), limits::error_body_max);
}

}  // namespace
}  // namespace weir::engine
