#include "api/encode.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "api/test_calls.h"
#include "engine/openai_codec.h"
#include "tests/support/golden.h"
#include "wire/json_top.h"
#include "wire/json_walk.h"
#include "wire/sse.h"

namespace weir::api {
namespace {

using testing::options_of;

struct Answer { Api api; bool stream; std::string body; };
Answer answer_of(const std::string& input) {
    size_t line = input.find('\n');
    std::string first = input.substr(0, line), word = first.substr(0, first.find(' '));
    std::string body = line == std::string::npos ? "" : input.substr(line + 1);
    bool stream = first.ends_with(" stream");
    return {word == "cmpl" ? Api::completions : word == "emb" ? Api::embeddings : Api::chat, stream, stream ? body + "\n\n" : body};
}

// The engine's bytes through Events to the client's, in reads of `step` bytes.
std::string through(Dialect dialect, const Answer& a, bool client_streams, size_t step = 1u << 20, uint32_t more_wants = wants::include_usage) {
    Tail tail;
    tail.api = a.api;
    tail.dialect = dialect;
    tail.model = "asked";
    tail.id = {0x0123456789abcdef, 0xfedcba9876543210};
    tail.wants = (client_streams ? wants::stream : 0) | more_wants;
    auto encoder = make_encoder(options_of(dialect), tail, 1700000000);
    engine::OpenAiDecoder decoder(a.api, a.stream);
    Batch batch;
    std::string out, body = a.body;
    Result<void> ok;
    for (size_t at = 0; ok && at < body.size(); at += step) {
        batch.clear();
        ok = decoder.feed(Str(body).substr(at, step), batch);
        encoder->events(batch, out);
    }
    if (ok) {
        batch.clear();
        ok = decoder.finish(batch);
        encoder->events(batch, out);
    }
    if (!ok) encoder->fail(*ok.error(), out);
    encoder->end(out);
    if (!client_streams && encoder->failure()) return testing::text_of(error_reply(options_of(dialect), *encoder->failure(), {}));
    return out;
}

TEST(Encode, Golden) {
    golden::check("api/answers.txt", [](const std::string& input) {
        Answer a = answer_of(input);
        std::string text;
        for (Dialect d : {Dialect::frontend, Dialect::launch}) {
            std::string name = d == Dialect::frontend ? "frontend" : "launch";
            if (a.api != Api::embeddings) text += "--- " + name + " streamed\n" + through(d, a, true);
            text += "--- " + name + " unary\n" + through(d, a, false) + "\n";
        }
        return text;
    });
}

std::vector<Answer> engine_answers() {
    std::vector<Answer> all;
    for (const auto& c : golden::parse(golden::slurp(std::string(WEIR_SOURCE_DIR) + "/tests/golden/engine/openai_answers.txt"))) all.push_back(answer_of(c.input));
    return all;
}

TEST(Encode, WhereReadsAreCutDoesNotShow) {
    for (const Answer& a : engine_answers())
        for (Dialect d : {Dialect::frontend, Dialect::launch})
            for (bool streams : {true, false})
                for (size_t step : {1, 7, 100}) EXPECT_EQ(through(d, a, streams && a.api != Api::embeddings, step), through(d, a, streams && a.api != Api::embeddings)) << a.body;
}

TEST(Encode, WhatIsWrittenIsValidJson) {
    for (const Answer& a : engine_answers())
        for (Dialect d : {Dialect::frontend, Dialect::launch}) {
            std::string unary = through(d, a, false);
            if (size_t line = unary.find("\n{"); line != std::string::npos) unary = unary.substr(line + 1);
            EXPECT_TRUE(unary.starts_with('{') && check_json(unary)) << unary;
            if (a.api == Api::embeddings) continue;
            std::string stream = through(d, a, true);
            EXPECT_TRUE(stream.ends_with("data: [DONE]\n\n")) << stream;
            Str rest = stream;
            SseReader reader;
            for (SseEvent e; reader.next(rest, e);) EXPECT_TRUE(e.data == "[DONE]" || check_json(e.data)) << e.data;
        }
}

// Members sorted, null, [] and "object" gone, numbers as doubles.
std::string normal(Str value) {
    switch (json_kind(value)) {
        case JsonKind::object: {
            std::vector<std::string> members;
            for (JsonMembers m(value); m.next();)
                if (m.value != "null" && m.value != "[]" && m.key != "object") members.push_back("\"" + std::string(m.key) + "\":" + normal(m.value));
            std::sort(members.begin(), members.end());
            std::string out = "{";
            for (auto& m : members) out += m + ",";
            return out + "}";
        }
        case JsonKind::array: {
            std::string out = "[";
            for (JsonItems i(value); i.next();) out += normal(i.value) + ",";
            return out + "]";
        }
        case JsonKind::number: return std::to_string(*json_double(value));
        case JsonKind::string: {
            Arena arena;
            std::string out;
            append_json_string(out, json_text(value, arena));
            return out;
        }
        default: return std::string(value);
    }
}

bool good(const Answer& a) {
    engine::OpenAiDecoder decoder(a.api, a.stream);
    Batch batch;
    return decoder.feed(a.body, batch) && decoder.finish(batch) && !batch.events.empty() && batch.events.back().kind != Event::failure;
}

TEST(Encode, LaunchGivesBackWhatTheEngineSaid) {
    int unary = 0, chunks = 0;
    for (const Answer& a : engine_answers()) {
        if (!good(a)) continue;
        if (!a.stream && a.body.find("\"AACAPw==\"") != std::string::npos) continue;   // the client asked for floats: see below
        if (!a.stream) {
            EXPECT_EQ(normal(through(Dialect::launch, a, false)), normal(a.body));
            ++unary;
            continue;
        }
        std::string back = through(Dialect::launch, a, true);
        Str said = a.body, wrote = back;
        SseReader one, two;
        SseEvent e, f;
        while (one.next(said, e)) {
            if (e.data != "[DONE]" && e.data[0] == '{' && normal(e.data).find("\"choices\"") == std::string::npos) break;
            std::string want = e.data == "[DONE]" ? "[DONE]" : normal(e.data);
            if (want.find("{\"delta\":{\"content\":\"b\"") != std::string::npos) {   // two choices in one chunk leave as two chunks
                two.next(wrote, f), two.next(wrote, f);
                continue;
            }
            ASSERT_TRUE(two.next(wrote, f)) << back;
            EXPECT_EQ(f.data == "[DONE]" ? "[DONE]" : normal(f.data), want);
            ++chunks;
            if (e.data == "[DONE]") break;
        }
    }
    EXPECT_GE(unary, 4);
    EXPECT_GE(chunks, 15);
}

// What a client puts together from the frontend's chunks is what it would have put together from the engine's.
TEST(Encode, FrontendChunksFoldToTheSameAnswer) {
    int seen = 0;
    for (const Answer& a : engine_answers()) {
        if (!good(a) || !a.stream) continue;
        Answer again = a;
        again.body = through(Dialect::frontend, a, true);
        std::string want = normal(through(Dialect::frontend, a, false)), got = normal(through(Dialect::frontend, again, false));
        EXPECT_EQ(got, want);
        ++seen;
    }
    EXPECT_GE(seen, 5);
}

TEST(Encode, EmbeddingsInEveryFormAskedFor) {
    Answer floats{Api::embeddings, false, R"({"data":[{"index":0,"embedding":[1.0,-2.5]}],"model":"m"})"};
    Answer text{Api::embeddings, false, R"({"data":[{"index":0,"embedding":"AACAPwAAIMA="}],"model":"m"})"};
    Answer bad{Api::embeddings, false, R"({"data":[{"index":0,"embedding":"A*=="}],"model":"m"})"};
    auto vector = [](const std::string& body) {
        JsonItems rows(json_member(body, "data"));
        return rows.next() ? std::string(json_member(rows.value, "embedding")) : body;
    };
    for (const Answer& a : {floats, text}) {
        std::string list = through(Dialect::launch, a, false), packed = through(Dialect::launch, a, false, 1000, wants::base64);
        EXPECT_EQ(vector(list), "[1.0,-2.5]");
        EXPECT_EQ(vector(packed), "\"AACAPwAAIMA=\"");
    }
    EXPECT_EQ(through(Dialect::launch, bad, false).substr(0, 3), "502");

    Tail tail;
    tail.api = Api::embeddings;
    float values[] = {1.0f, -2.5f};
    Batch batch;
    batch.add(Event::vector).data = Str(reinterpret_cast<const char*>(values), sizeof values);
    for (bool base64 : {false, true}) {
        tail.wants = base64 ? wants::base64 : 0;
        auto encoder = make_encoder(options_of(Dialect::frontend), tail, 1);
        std::string out;
        encoder->events(batch, out);
        encoder->end(out);
        EXPECT_EQ(vector(out), base64 ? "\"AACAPwAAIMA=\"" : "[1.0,-2.5]");
    }
}

// Engines that give tokens have no frames and no raw log probabilities: chunks come per batch, lists from the spans.
TEST(Encode, EventsOfOurOwn) {
    TokenLogprob other{"b", {}, -2, false, 0, {}}, token{"a", {}, -0.5f, false, 3, {&other, 1}};
    Logprobs logprobs{{&token, 1}, {}, {}};
    for (Api api : {Api::chat, Api::completions}) {
        Tail tail;
        tail.api = api;
        tail.model = "m";
        tail.wants = wants::stream;
        auto encoder = make_encoder(options_of(Dialect::launch), tail, 5);
        Batch batch;
        Event& text = batch.add(Event::text);
        text.data = "a";
        text.more = &logprobs;
        batch.add(Event::text).data = "c";
        batch.add(Event::finish).index = static_cast<uint32_t>(FinishReason::length);
        std::string out;
        encoder->events(batch, out);
        encoder->end(out);
        std::string id = "{\"id\":\"" + answer_id(api, {}) + "\",\"object\":\"";
        if (api == Api::chat)
            EXPECT_EQ(out, "data: " + id + R"(chat.completion.chunk","created":5,"model":"m","choices":[{"index":0,"delta":{"content":"a"},"logprobs":{"content":[{"token":"a","logprob":-0.5,"bytes":[97],"top_logprobs":[{"token":"b","logprob":-2.0,"bytes":[98]}]}],"refusal":null},"finish_reason":null}]})" "\n\n"
                           "data: " + id + R"(chat.completion.chunk","created":5,"model":"m","choices":[{"index":0,"delta":{"content":"c"},"finish_reason":"length"}]})" "\n\ndata: [DONE]\n\n");
        else
            EXPECT_EQ(out, "data: " + id + R"(text_completion","created":5,"model":"m","choices":[{"index":0,"text":"a","logprobs":{"text_offset":[3],"token_logprobs":[-0.5],"tokens":["a"],"top_logprobs":[{"b":-2.0}]},"finish_reason":null}]})" "\n\n"
                           "data: " + id + R"(text_completion","created":5,"model":"m","choices":[{"index":0,"text":"c","logprobs":null,"finish_reason":"length"}]})" "\n\ndata: [DONE]\n\n");
    }
}

TEST(Encode, UsageOnlyWhenAskedFor) {
    Answer a{Api::chat, true, "data: {\"choices\":[{\"index\":0,\"delta\":{\"content\":\"x\"},\"finish_reason\":\"stop\"}]}\n\n"
                              "data: {\"choices\":[],\"usage\":{\"prompt_tokens\":1,\"completion_tokens\":1,\"total_tokens\":2}}\n\ndata: [DONE]\n\n"};
    EXPECT_EQ(through(Dialect::frontend, a, true, 1000, 0).find("usage"), std::string::npos);
    EXPECT_NE(through(Dialect::frontend, a, true, 1000, wants::include_usage).find("\"usage\":{\"prompt_tokens\":1"), std::string::npos);
}

TEST(Encode, NothingFollowsAnError) {
    for (Dialect d : {Dialect::frontend, Dialect::launch}) {
        Tail tail;
        tail.api = Api::chat;
        tail.wants = wants::stream;
        auto encoder = make_encoder(options_of(d), tail, 5);
        std::string out, after;
        FailureBody f;
        f.code = Code::lost_mid_stream;
        f.message = "http://10.0.0.1:9/ broke";
        encoder->fail(f, out);
        EXPECT_EQ(out, d == Dialect::frontend
                           ? "data: {\"error\":{\"message\":\"Service temporarily unavailable\",\"type\":\"service_unavailable\",\"code\":503}}\n\ndata: [DONE]\n\n"
                           : "data: {\"error\":{\"message\":\"Stream error: the connection to the worker was lost\",\"type\":\"stream_error\"}}\n\ndata: [DONE]\n\n");
        Batch batch;
        batch.add(Event::text).data = "x";
        encoder->events(batch, after);
        encoder->end(after);
        encoder->fail(f, after);
        EXPECT_EQ(after, "");
    }
}

// Full decoding loses nothing an engine needs: written from the Call alone, the request decodes to the same again.
TEST(RoundTrip, RequestsThroughTheCall) {
    const char* bodies[][2] = {
        {"chat", R"({"model":"m","messages":[{"role":"system","content":"s\n\"q\""},{"role":"user","name":"n","content":[{"type":"text","text":"t"},{"type":"image_url","image_url":{"url":"http://h/x","detail":"low"}},{"type":"image_url","image_url":{"url":"data:image/png;base64,AAAA"}},{"type":"input_audio","input_audio":{"data":"BB","format":"wav"}},{"type":"video_url","video_url":{"url":"http://h/v"}},{"type":"file","file":{"file_id":"f"}},{"type":"weird","x":[1]}]},{"role":"assistant","content":null,"reasoning_content":"r","tool_calls":[{"id":"c","type":"function","function":{"name":"f","arguments":"{\"a\": 1}"}}]},{"role":"tool","tool_call_id":"c","content":"4"}],"tools":[{"type":"function","function":{"name":"f","description":"d","parameters":{"a":1},"strict":true}},{"type":"web_search"}],"tool_choice":"auto","temperature":0.7,"top_p":0.9,"n":2,"stop":"x","seed":5,"max_completion_tokens":5,"stream":true,"stream_options":{"include_usage":true},"logprobs":true,"top_logprobs":2,"logit_bias":{"1":2},"response_format":{"type":"json_object"},"presence_penalty":0.5,"frequency_penalty":-0.5,"min_p":0.1,"top_k":3,"repetition_penalty":1.1,"min_tokens":1,"stop_token_ids":[4],"length_penalty":1.5,"zz":{"y":1},"user":"u"})"},
        {"cmpl", R"({"model":"m","prompt":["a","b"],"max_tokens":5,"stop":["x","y"],"echo":true,"logprobs":2,"best_of":3,"suffix":"s"})"},
        {"cmpl", R"({"model":"m","prompt":[1,2,3]})"},
        {"cmpl", R"({"model":"m","prompt":[[1],[2,3]],"stream":false})"},
        {"emb", R"({"model":"m","input":"x","dimensions":4,"encoding_format":"float"})"},
        {"emb", R"({"model":"m","input":["x"]})"},
    };
    for (auto& [word, body] : bodies) {
        Api api = Str(word) == "cmpl" ? Api::completions : Str(word) == "emb" ? Api::embeddings : Api::chat;
        auto d = testing::decode(options_of(Dialect::launch), api, body);
        ASSERT_TRUE(d->result) << d->result.error()->message;
        for (Wire from : {Wire::openai, Wire::anthropic}) {   // the second: nothing of messages, parts and tools is copied as sent
            d->call.wire = from;
            std::string out;
            engine::write_openai_request(d->call, {{}, (d->call.wants & wants::stream) != 0, false}, out);
            ASSERT_TRUE(check_json(out)) << out;
            std::string want = normal(body), drop = "\"stream\":false,";
            if (size_t at = want.find(drop); at != std::string::npos) want.erase(at, drop.size());
            EXPECT_EQ(normal(out), want);
        }
    }
}

TEST(RoundTrip, RequestEdits) {
    auto d = testing::decode(options_of(Dialect::launch), Api::chat, R"({"model":"alias","messages":[{"role":"user","content":"x","zz":1}],"stream":true})");
    std::string out;
    engine::write_openai_request(d->call, {"real", true, true}, out);
    EXPECT_EQ(out, R"({"model":"real","messages":[{"role":"user","content":"x","zz":1}],"stream":true,"stream_options":{"include_usage":true}})");
}

}  // namespace
}  // namespace weir::api
