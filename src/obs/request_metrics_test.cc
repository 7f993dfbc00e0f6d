#include "obs/request_metrics.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <fstream>
#include <sstream>

namespace weir {
namespace {

constexpr uint64_t ms = 1'000'000;

struct Fixture : testing::Test {
    Metrics metrics{1};
    RequestMetrics requests{metrics, 0};
    double value(Metric m, std::initializer_list<std::string_view> labels) { return metrics.value(m, labels); }
    RequestMetrics::Mark begin(bool streaming, std::string_view model = "m", ModelIs is = ModelIs::served) {
        return requests.begin(Api::chat, model, is, streaming, 1'000 * ms);
    }
};

TEST_F(Fixture, StreamThatSucceeds) {
    auto mark = begin(true);
    EXPECT_EQ(value(Metric::requests_inflight, {"m"}), 1);
    EXPECT_EQ(value(Metric::requests_queued, {"m"}), 1);
    requests.picked(mark, "round_robin");
    requests.sent(mark, 7, "http://w:1");
    requests.upstream_answer(200);
    requests.first_byte(mark, 1'100 * ms);
    requests.first_byte(mark, 1'200 * ms);     // only the first counts
    EXPECT_EQ(value(Metric::requests_queued, {"m"}), 0);
    requests.tokens(mark, 1, 1'110 * ms);
    requests.tokens(mark, 4, 1'150 * ms);
    requests.tokens(mark, 0, 1'160 * ms);
    Outcome outcome;
    outcome.status = 200;
    outcome.prompt_tokens = 10;
    outcome.out_tokens = 5;
    outcome.cached_tokens = 3;
    requests.end(mark, outcome, 1'300 * ms);
    requests.end(mark, outcome, 1'400 * ms);   // a guard that fires twice counts once
    EXPECT_EQ(value(Metric::requests_inflight, {"m"}), 0);
    EXPECT_EQ(value(Metric::requests, {"chat_completions", "", "m", "stream", "success"}), 1);
    EXPECT_EQ(value(Metric::itl_seconds, {"m"}), 5);
    EXPECT_EQ(value(Metric::ttft_seconds, {"m"}), 1);
    EXPECT_EQ(value(Metric::tokens, {"m", "input"}), 10);
    EXPECT_EQ(value(Metric::tokens, {"m", "output"}), 5);
    EXPECT_EQ(value(Metric::router_tokens, {"http", "regular", "m", "chat", "output"}), 5);
    EXPECT_EQ(value(Metric::cached_tokens, {"m"}), 1);
    EXPECT_EQ(value(Metric::router_tpot_seconds, {"http", "regular", "m", "chat"}), 1);
    EXPECT_EQ(value(Metric::worker_selections, {"regular", "http", "m", "round_robin"}), 1);
    EXPECT_EQ(value(Metric::worker_requests, {"m", "http://w:1"}), 1);
    EXPECT_EQ(value(Metric::upstream_responses, {"http", "200", ""}), 1);
    std::string text;
    metrics.render(text);
    EXPECT_NE(text.find("smg_router_tpot_seconds_sum{router_type=\"http\",backend_type=\"regular\",model=\"m\",endpoint=\"chat\"} 0.05\n"),
              std::string::npos) << text;
    EXPECT_NE(text.find("dynamo_frontend_inter_token_latency_seconds_sum{model=\"m\"} 0.05\n"), std::string::npos);
}

TEST_F(Fixture, ClientThatLeavesBeforeTheFirstByte) {
    auto mark = begin(true);
    Outcome outcome;
    outcome.code = Code::cancelled;
    outcome.ended_by = Outcome::client;
    requests.end(mark, outcome, 1'001 * ms);
    EXPECT_EQ(value(Metric::requests_queued, {"m"}), 0);
    EXPECT_EQ(value(Metric::requests_inflight, {"m"}), 0);
    EXPECT_EQ(value(Metric::disconnected_clients, {}), 1);
    EXPECT_EQ(value(Metric::model_cancellations, {"chat_completions", "m", "stream"}), 1);
    EXPECT_EQ(value(Metric::requests, {"chat_completions", "cancelled", "m", "stream", "error"}), 1);
    EXPECT_EQ(value(Metric::router_seconds, {"http", "regular", "http", "m", "chat"}), 0);
}

TEST_F(Fixture, NamesOfClientsNeverBecomeLabels) {
    for (const char* name : {"evil-1", "evil-2"}) {
        auto mark = begin(false, name, ModelIs::unserved);
        Outcome outcome;
        outcome.code = Code::model_unknown;
        outcome.status = 404;
        requests.end(mark, outcome, 1'001 * ms);
    }
    auto nameless = begin(false, "", ModelIs::unnamed);
    requests.end(nameless, {.code = Code::missing_field, .status = 400}, 1'001 * ms);
    EXPECT_EQ(value(Metric::requests, {"chat_completions", "not_found", "unknown_model", "unary", "error"}), 2);
    EXPECT_EQ(value(Metric::requests, {"chat_completions", "validation", "unknown_model", "unary", "error"}), 1);
    EXPECT_EQ(value(Metric::router_errors, {"http", "regular", "http", "other", "chat", "no_workers"}), 2);
    EXPECT_EQ(value(Metric::router_errors, {"http", "regular", "http", "unknown", "chat", "validation_error"}), 1);
    std::string text;
    metrics.render(text);
    EXPECT_EQ(text.find("evil"), std::string::npos);
}

TEST_F(Fixture, RefusalsForWantOfRoomAreRejections) {
    for (const Code code : {Code::queue_full, Code::shed, Code::rate_limited}) {
        auto mark = begin(false);
        requests.end(mark, {.code = code, .status = 429}, 1'001 * ms);
    }
    EXPECT_EQ(value(Metric::model_rejections, {"chat_completions", "m"}), 3);
    EXPECT_EQ(value(Metric::requests, {"chat_completions", "overload", "m", "unary", "error"}), 3);
}

TEST_F(Fixture, RetriesAndWorkerErrors) {
    auto mark = begin(false);
    requests.attempt_failed(Code::connect_failed);
    requests.retrying(mark, 2, 20 * ms);
    requests.attempt_failed(Code::first_byte_timeout);
    requests.retrying(mark, 3, 40 * ms);
    requests.attempt_failed(Code::ok);         // not a failure, not counted
    requests.exhausted(mark);
    EXPECT_EQ(value(Metric::worker_errors, {"regular", "http", "backend_error"}), 1);
    EXPECT_EQ(value(Metric::worker_errors, {"regular", "http", "timeout"}), 1);
    EXPECT_EQ(value(Metric::worker_retries, {"regular", "chat"}), 2);
    EXPECT_EQ(value(Metric::retry_backoff_seconds, {"1"}), 1);
    EXPECT_EQ(value(Metric::retry_backoff_seconds, {"2"}), 1);
    EXPECT_EQ(value(Metric::worker_retries_exhausted, {"regular", "chat"}), 1);
}

TEST_F(Fixture, AMomentThatLooksEarlierCountsAsNow) {
    auto mark = begin(true);
    requests.first_byte(mark, 999 * ms);
    requests.tokens(mark, 2, 998 * ms);
    requests.end(mark, {.status = 200, .out_tokens = 2}, 997 * ms);
    requests.http_end(nullptr, 200, "", 5);
    std::string text;
    metrics.render(text);
    for (const char* name : {"time_to_first_token", "inter_token_latency", "request_duration"})
        EXPECT_NE(text.find("dynamo_frontend_" + std::string(name) + "_seconds_sum{model=\"m\"} 0\n"), std::string::npos) << name;
}

TEST_F(Fixture, HttpRows) {
    auto* a = requests.http_begin("GET", "/health");
    EXPECT_EQ(value(Metric::http_requests, {"GET", "/health"}), 1);
    requests.http_end(a, 200, "", 5 * ms);
    EXPECT_EQ(requests.http_begin("GET", "/health"), a);
    requests.http_end(a, 503, "not_ready", 5 * ms);
    for (int i = 0; i < 100; ++i) requests.http_end(a, 400, "code" + std::to_string(i), 5 * ms);   // more than are remembered
    EXPECT_EQ(value(Metric::http_responses, {"/health", "200", ""}), 1);
    EXPECT_EQ(value(Metric::http_responses, {"/health", "503", "not_ready"}), 1);
    EXPECT_EQ(value(Metric::http_responses, {"/health", "400", "code99"}), 1);
    EXPECT_EQ(value(Metric::http_seconds, {"GET", "/health"}), 102);
}

TEST_F(Fixture, MoreModelsThanRowsAreFolded) {
    for (int i = 0; i < 1'200; ++i) {
        auto mark = begin(false, "model" + std::to_string(i));
        requests.end(mark, {.status = 200}, 1'001 * ms);
    }
    EXPECT_EQ(value(Metric::requests_inflight, {"model0"}), 0);
    EXPECT_EQ(value(Metric::requests, {"chat_completions", "", "model7", "unary", "success"}), 1);
    EXPECT_EQ(value(Metric::requests, {"other", "other", "other", "other", "other"}), 200);
}

TEST(ErrorTypes, EveryCodeHasWordsInBothVocabularies) {
    EXPECT_EQ(error_types(Code::ok, 200).frontend, "");
    EXPECT_EQ(error_types(Code::ok, 0).launch, "");
    for (int code = 1; code <= static_cast<int>(Code::internal); ++code) {
        const EndpointNames words = error_types(static_cast<Code>(code), 0);
        EXPECT_FALSE(words.frontend.empty()) << name(static_cast<Code>(code));
        EXPECT_FALSE(words.launch.empty()) << name(static_cast<Code>(code));
    }
    EXPECT_EQ(error_types(Code::engine_status, 404).frontend, "not_found");
    EXPECT_EQ(error_types(Code::engine_status, 529).frontend, "overload");
    EXPECT_EQ(error_types(Code::engine_status, 503).frontend, "unavailable");
    EXPECT_EQ(error_types(Code::engine_status, 500).launch, "backend_error");
    EXPECT_EQ(error_types(Code::engine_status, 422).launch, "validation_error");
    EXPECT_EQ(error_types(Code::deadline, 504).frontend, "response_timeout");
}

// The page after a few requests on a fresh gateway, in full.
TEST_F(Fixture, GoldenPage) {
    auto* http = requests.http_begin("POST", "/v1/chat/completions");
    auto mark = begin(true);
    requests.picked(mark, "power_of_two");
    requests.sent(mark, 1, "http://10.0.0.1:8000");
    requests.upstream_answer(200);
    requests.first_byte(mark, 1'080 * ms);
    for (int i = 1; i < 4; ++i) requests.tokens(mark, 1, (1'080 + 12 * i) * ms);
    requests.end(mark, {.status = 200, .prompt_tokens = 120, .out_tokens = 4}, 1'130 * ms);
    requests.overhead("forward", 41'000);
    requests.http_end(http, 200, "", 131 * ms);
    http = requests.http_begin("POST", "/v1/embeddings");
    mark = requests.begin(Api::embeddings, "nope", ModelIs::unserved, false, 2'000 * ms);
    requests.end(mark, {.code = Code::model_unknown, .ended_by = Outcome::gateway, .status = 404}, 2'000 * ms + 90'000);
    requests.http_end(http, 404, "model_not_found", 110'000);
    std::string text;
    metrics.render(text);
    const std::string path = WEIR_SOURCE_DIR "/tests/golden/metrics_page.txt";
    if (std::getenv("WEIR_GOLDEN_UPDATE")) {
        std::ofstream(path, std::ios::binary) << text;
        return;
    }
    std::ifstream in(path, std::ios::binary);
    std::stringstream golden;
    golden << in.rdbuf();
    EXPECT_EQ(golden.str(), text) << path << " is stale: run the test with WEIR_GOLDEN_UPDATE=1 and look at the difference";
}

}  // namespace
}  // namespace weir
