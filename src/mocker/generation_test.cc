#include "mocker/generation.h"

#include <gtest/gtest.h>

#include "mocker/drive_test.h"
#include "mocker/fleet.h"
#include "sim/text.h"
#include "wire/json_walk.h"
#include "wire/sse.h"

namespace weir::mocker {
namespace {

std::string chat(std::string_view content, std::string_view more) {
    return "{\"messages\":[{\"role\":\"user\",\"content\":\"" + std::string(content) + "\"}]," + std::string(more) + "}";
}
// The text of choice `index` in a streamed chat answer.
std::string streamed_text(const std::string& body, int64_t index = 0) {
    SseReader reader;
    SseEvent event;
    std::string text;
    Arena arena;
    for (std::string_view bytes = body; reader.next(bytes, event);) {
        if (event.data == "[DONE]") break;
        for (JsonItems choices(json_member(event.data, "choices")); choices.next();)
            if (json_int(json_member(choices.value, "index")) == index)
                if (Str content = json_member(json_member(choices.value, "delta"), "content"); json_kind(content) == JsonKind::string)
                    text += json_text(content, arena);
    }
    return text;
}
std::string unary_text(const std::string& body, size_t index = 0) {
    Arena arena;
    JsonItems choices(json_member(body, "choices"));
    for (size_t i = 0; i <= index; ++i) choices.next();
    return std::string(json_text(json_member(json_member(choices.value, "message"), "content"), arena));
}
int64_t usage(const std::string& body, std::string_view name) {
    Str u = json_member(body, "usage");
    if (name == "cached_tokens") u = json_member(u, "prompt_tokens_details");
    return json_int(json_member(u, name)).value_or(-1);
}
EngineSettings timed_engine() {
    EngineSettings s = instant_engine();
    s.engine.speedup_ratio = 1;
    s.engine.timing = sim::Timing::flat(1'000, 10);   // "<|user|>", "hi", "<|end|>", "<|assist", "ant|>": 5 ms, then 10 ms a token
    return s;
}
constexpr uint64_t ms = ns_per_ms;

TEST(Generation, StreamAndWholeAnswerHaveTheSameText) {
    for (auto kind : {EngineKind::vllm, EngineKind::sglang}) {
        for (std::string_view stop : {"[]", "[\"e\"]", "[\" the\",\"er\"]", "[\"nothing such\"]"}) {
            Bench bench(instant_engine(kind));
            const std::string more = "\"max_tokens\":60,\"n\":2,\"seed\":11,\"stop\":" + std::string(stop);
            const std::string whole = bench.post("/v1/chat/completions", chat("hi", more)).body;
            const std::string stream = bench.post("/v1/chat/completions", chat("hi", more + ",\"stream\":true")).body;
            EXPECT_EQ(streamed_text(stream, 0), unary_text(whole, 0)) << stop;
            EXPECT_EQ(streamed_text(stream, 1), unary_text(whole, 1)) << stop;
            EXPECT_NE(unary_text(whole, 0), unary_text(whole, 1));
            EXPECT_TRUE(stream.ends_with("data: [DONE]\n\n"));
        }
    }
}

TEST(Generation, AnswersDependOnPromptAndSeedNotOnTheEngine) {
    FleetSettings f;
    f.engine = instant_engine();
    f.num_workers = 3;
    MockFleet fleet(f, 0, 0);
    EXPECT_EQ(fleet.size(), 3u);
    Bench a(f.engine, 0), b(f.engine, 1);
    const auto at = [](Bench& x, std::string_view content, std::string_view more) {
        return unary_text(x.post("/v1/chat/completions", chat(content, more)).body);
    };
    EXPECT_EQ(at(a, "one", "\"max_tokens\":20"), at(b, "one", "\"max_tokens\":20"));
    EXPECT_NE(at(a, "one", "\"max_tokens\":20"), at(a, "two", "\"max_tokens\":20"));
    EXPECT_EQ(at(a, "one", "\"max_tokens\":20,\"seed\":5"), sim::words(5, 20));
    EXPECT_EQ(at(b, "two", "\"max_tokens\":20,\"seed\":5"), sim::words(5, 20));
    EXPECT_EQ(at(a, "one", "\"max_tokens\":20,\"seed\":-1"), sim::words(~uint64_t{0}, 20));
}

TEST(Generation, AStopStringEndsTheTextBeforeItAndFreesTheEngine) {
    Bench bench(timed_engine());
    const std::string text = sim::words(3, 40);
    const size_t at = text.find(' ', text.size() / 2);
    const std::string stop = text.substr(at - 2, 5);
    Driven d = bench.post("/v1/chat/completions", chat("hi", "\"max_tokens\":40,\"seed\":3,\"stream\":true,\"stop\":\"" + stop + "\""));
    EXPECT_EQ(streamed_text(d.body), text.substr(0, text.find(stop)));
    EXPECT_NE(d.body.find("\"finish_reason\":\"stop\",\"stop_reason\":\"" + stop), std::string::npos);
    EXPECT_EQ(bench.engine.load().running, 0u);
    EXPECT_EQ(bench.engine.totals().cancelled, 0u);
    EXPECT_EQ(bench.engine.counts().cancelled, 0u);
    EXPECT_LT(bench.engine.totals().generated_tokens, 40u);
}

TEST(Generation, MinTokensHoldsStopsBack) {
    Bench bench(instant_engine());
    const std::string all = unary_text(bench.post("/v1/chat/completions", chat("hi", "\"max_tokens\":9,\"seed\":3,\"stop\":\"e\",\"min_tokens\":9")).body);
    EXPECT_GT(all.size(), unary_text(bench.post("/v1/chat/completions", chat("hi", "\"max_tokens\":9,\"seed\":3,\"stop\":\"e\"")).body).size());
    EXPECT_EQ(bench.post("/v1/chat/completions", chat("hi", "\"min_tokens\":120")).body.find("\"completion_tokens\":120") == std::string::npos, false);
}

TEST(Generation, LengthsWithoutABoundAreNaturalUnlessEosIsIgnored) {
    EngineSettings s = instant_engine();
    s.natural_min = 20, s.natural_max = 30;
    Bench bench(s);
    for (int i = 0; i < 10; ++i) {
        const std::string body = bench.post("/v1/chat/completions", chat(std::to_string(i), "\"stream\":false")).body;
        EXPECT_GE(usage(body, "completion_tokens"), 20);
        EXPECT_LE(usage(body, "completion_tokens"), 30);
        EXPECT_NE(body.find("\"finish_reason\":\"stop\""), std::string::npos);
    }
    const std::string long_one = bench.post("/v1/chat/completions", chat("x", "\"ignore_eos\":true")).body;
    EXPECT_EQ(usage(long_one, "total_tokens"), 1'024);
    EXPECT_EQ(usage(bench.post("/v1/chat/completions", chat("x", "\"max_tokens\":40")).body, "completion_tokens"), 40);
}

TEST(Generation, AConversationFindsItsHistoryInTheCache) {
    Bench bench(instant_engine());   // blocks of four tokens
    const std::string first = bench.post("/v1/chat/completions", chat("tell me a long story please", "\"max_tokens\":40")).body;
    const int64_t before = usage(first, "total_tokens");
    const std::string second = "{\"messages\":[{\"role\":\"user\",\"content\":\"tell me a long story please\"},{\"role\":\"assistant\",\"content\":\"" +
                               unary_text(first) + "\"},{\"role\":\"user\",\"content\":\"go on\"}],\"max_tokens\":1}";
    const std::string body = bench.post("/v1/chat/completions", second).body;
    EXPECT_EQ(usage(body, "cached_tokens"), (before - 1) / 4 * 4);   // the last token's KV was never made
    const std::string salted = bench.post("/v1/chat/completions", second.substr(0, second.size() - 1) + ",\"cache_salt\":\"me\"}").body;
    EXPECT_EQ(usage(salted, "cached_tokens"), 0);
}

TEST(Generation, LeavingEarlyCancelsInTheEngineAndIsCounted) {
    Bench bench(timed_engine());
    Outcome o = bench.begin("/v1/completions", "{\"prompt\":[\"a\",\"b\"],\"n\":2,\"max_tokens\":50,\"stream\":true}");
    bench.engine.advance(bench.now);
    EXPECT_EQ(bench.engine.load().running, 4u);
    EXPECT_NE(bench.get("/metrics").body.find("vllm:num_requests_running{engine=\"0\",model_name=\"mock\"} 4\n"), std::string::npos);
    bench.engine.finished(*o.generation);
    o.generation.reset();
    EXPECT_EQ(bench.engine.load().running, 0u);
    EXPECT_EQ(bench.engine.load().blocks_in_use, 0u);
    EXPECT_NE(bench.get("/metrics").body.find("weir_mocker_cancelled_total{model_name=\"mock\",worker=\"0\"} 1\n"), std::string::npos);
    EXPECT_EQ(bench.engine.totals().cancelled, 4u);
}

TEST(Generation, TokensComeWhenTheEngineMadeThem) {
    Bench bench(timed_engine());
    Driven d = bench.post("/v1/chat/completions", chat("hi", "\"max_tokens\":3,\"stream\":true"));
    ASSERT_EQ(d.pieces.size(), 3u);
    EXPECT_EQ(d.pieces[0].first - Bench::start, 15 * ms);
    EXPECT_EQ(d.pieces[1].first - Bench::start, 25 * ms);
    EXPECT_EQ(d.pieces[2].first - Bench::start, 35 * ms);
}

TEST(Generation, SlowAndStalledAnswers) {
    const std::string body = chat("hi", "\"max_tokens\":3,\"stream\":true");
    Driven slow = Bench(timed_engine()).post("/v1/chat/completions", body, "slow:factor=3");
    EXPECT_EQ(slow.pieces[0].first - Bench::start, 45 * ms);
    EXPECT_EQ(slow.end - Bench::start, 105 * ms);
    Driven late = Bench(timed_engine()).post("/v1/chat/completions", body, "stall:ms=500");
    EXPECT_EQ(late.pieces[0].first - Bench::start, 515 * ms);
    EXPECT_EQ(late.then, Step::end);
    Driven gap = Bench(timed_engine()).post("/v1/chat/completions", body, "stall:ms=500,after=2");
    ASSERT_EQ(gap.pieces.size(), 3u);
    EXPECT_EQ(gap.pieces[1].first - Bench::start, 25 * ms);
    EXPECT_EQ(gap.pieces[2].first - Bench::start, 535 * ms);
    EXPECT_TRUE(Bench(timed_engine()).post("/v1/chat/completions", body, "stall:after=1").hangs);
}

TEST(Generation, CompletionsAddUpOverPromptsAndChoices) {
    Bench bench(instant_engine());
    const std::string body = bench.post("/v1/completions", "{\"prompt\":[\"a b\",\"c d e\"],\"n\":3,\"max_tokens\":4}").body;
    EXPECT_EQ(usage(body, "prompt_tokens"), 5);
    EXPECT_EQ(usage(body, "completion_tokens"), 24);
    EXPECT_EQ(json_count(json_member(body, "choices")), 6u);
}

TEST(MockEngine, AFullQueueAnswers503) {
    EngineSettings s = timed_engine();
    s.engine.queue_len_max = 2;
    Bench bench(s);
    const std::string body = chat("hi", "\"max_tokens\":3");
    Outcome a = bench.begin("/v1/chat/completions", body), b = bench.begin("/v1/chat/completions", body);
    Outcome c = bench.begin("/v1/chat/completions", body);
    EXPECT_EQ(c.generation, nullptr);
    EXPECT_EQ(c.reply.status, 503);
    Outcome d = bench.begin("/v1/completions", "{\"prompt\":[\"a\",\"b\",\"c\"]}");   // some of it would fit: all or nothing
    EXPECT_EQ(d.reply.status, 503);
    EXPECT_EQ(bench.engine.load().waiting, 2u);
}

TEST(MockEngine, StartsSlowlyAndRunsRulesOfItsOwn) {
    EngineSettings s = instant_engine();
    s.startup_ms = 100;
    s.faults = *sim::parse_faults("status:code=502,nth=2");
    Bench bench(s);
    EXPECT_EQ(bench.get("/health").status, 503);
    EXPECT_EQ(bench.post("/v1/chat/completions", chat("x", "\"n\":1")).status, 503);
    bench.now += 100 * ms;
    EXPECT_EQ(bench.get("/health").status, 200);
    EXPECT_EQ(bench.post("/v1/chat/completions", chat("x", "\"n\":1")).status, 502);
    EXPECT_EQ(bench.post("/v1/chat/completions", chat("x", "\"n\":1")).status, 200);
}

TEST(MockEngine, KeysGuardWhatTheRealServersGuard) {
    for (auto kind : {EngineKind::vllm, EngineKind::sglang}) {
        EngineSettings s = instant_engine(kind);
        s.api_key = "k";
        Bench bench(s);
        EXPECT_EQ(bench.get("/v1/models").status, 401);
        EXPECT_EQ(bench.get("/health").status, 200);
        EXPECT_EQ(bench.get("/metrics").status, 200);
        EXPECT_EQ(bench.get("/get_model_info").status, kind == EngineKind::vllm ? 200 : 401);
        MockRequest r{"GET", "/v1/models", "", "", "", "Bearer k", "", ""};
        EXPECT_EQ(bench.engine.answer(r, 0, 0).reply.status, 200);
        r.authorization = "Bearer kk";
        EXPECT_EQ(bench.engine.answer(r, 0, 0).reply.status, 401);
    }
}

TEST(MockEngine, RanksHaveQueuesAndCachesOfTheirOwn) {
    EngineSettings s = timed_engine();
    s.dp_size = 2;
    Bench bench(s);
    const std::string body = chat("hi hi hi hi hi hi", "\"max_tokens\":3,\"data_parallel_rank\":1");
    EXPECT_EQ(usage(bench.post("/v1/chat/completions", body).body, "cached_tokens"), 0);
    EXPECT_GT(usage(bench.post("/v1/chat/completions", body).body, "cached_tokens"), 0);
    MockRequest r{"POST", "/v1/chat/completions", "", body, "", "", "0", ""};   // the header wins
    Outcome zero = bench.engine.answer(r, bench.now, bench.wall);
    bench.engine.advance(bench.now);
    EXPECT_EQ(bench.engine.rank(0).running(), 1u);
    EXPECT_NE(bench.get("/metrics").body.find("vllm:num_requests_running{engine=\"0\",model_name=\"mock\"} 1\n"), std::string::npos);
    EXPECT_NE(bench.get("/get_load").body.find("{\"dp_rank\":1,\"num_reqs\":0"), std::string::npos);
    Outcome least = bench.begin("/v1/chat/completions", chat("hi", "\"max_tokens\":3"));   // nobody said: the idle one
    bench.engine.advance(bench.now + 30 * ms);
    EXPECT_EQ(bench.engine.rank(1).running(), 1u);
    r.rank = "2";
    EXPECT_EQ(bench.engine.answer(r, bench.now, bench.wall).reply.status, 400);
    r.rank = "x";
    EXPECT_EQ(bench.engine.answer(r, bench.now, bench.wall).reply.status, 400);
}

}  // namespace
}  // namespace weir::mocker
