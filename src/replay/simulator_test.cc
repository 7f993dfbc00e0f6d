#include "replay/simulator.h"

#include <gtest/gtest.h>

#include <fstream>
#include <sstream>

#include "replay/decisions.h"
#include "replay/report.h"
#include "route/decisions.h"

namespace weir::replay {
namespace {

struct Replay : testing::Test {
    Workload load = synthetic({.requests = 400, .prompt = 1'500, .out = 40, .groups = 8, .turns = 3}, 5);
    replay::Setup setup;
    double rate = 25;
    Figures run(const std::string& policy) {
        auto contestant = parse_contestant(policy);
        EXPECT_TRUE(contestant) << contestant.error()->message;
        auto figures = simulate(load, arrange(load, rate, 1, 1), *contestant, setup);
        EXPECT_TRUE(figures) << figures.error()->message;
        return *std::move(figures);
    }
    std::string json(const std::string& policy) {
        Contest contest;
        contest.setup = setup;
        contest.policies = {*parse_contestant(policy)};
        Outcomes o;
        o.rounds.push_back({0, rate, {run(policy)}});
        return report_json(o, contest, {"a load", false});
    }
};

// Whatever the policy and the faults: every request ends, and nothing stays booked.
TEST_F(Replay, EveryRequestEndsAndNothingStaysBooked) {
    uint64_t rerouted = 0;
    for (const PolicyRow& row : policy_table()) {
        if (row.name == "direct") continue;   // wants a pinned worker
        for (const bool faults : {false, true}) {
            setup.faults = {};
            setup.faults.kill = faults ? 3 : 0;
            setup.faults.kill_at_s = 2, setup.faults.down_s = 4;
            setup.faults.event_loss = faults ? 0.2 : 0, setup.faults.stale_load_ms = faults ? 50 : 0;
            setup.follow_output = faults;
            const Figures f = run(std::string(row.name));
            EXPECT_EQ(f.finished + f.refused, f.requests) << row.name;
            EXPECT_EQ(f.refused, 0u) << row.name;
            EXPECT_EQ(f.leaked, 0u) << row.name;
            rerouted += f.rerouted;
        }
    }
    EXPECT_GT(rerouted, 20u);
}

// The router's queue of the gateway: who finds every worker full waits, and goes where there is room first.
TEST_F(Replay, RequestsWaitInTheRoutersQueue) {
    rate = 200;                                  // far beyond what they can take
    setup.fleet.workers = 2;
    const Figures straight = run("kv");
    EXPECT_EQ(straight.queued, 0u);
    for (auto order : {route::QueueOrder::fcfs, route::QueueOrder::wspt, route::QueueOrder::lcfs}) {
        route::QueueClass& all = setup.queue.emplace().classes.front();
        all.threshold.batch_share = 1, all.order = order;
        const Figures f = run("kv");
        EXPECT_GT(f.queued, 100u);
        EXPECT_EQ(f.finished, f.requests);
        EXPECT_EQ(f.leaked, 0u);
        if (order == route::QueueOrder::wspt) EXPECT_LT(f.ttft_ms.p50, 0.8 * straight.ttft_ms.p50) << "short ones first";
        EXPECT_EQ(run("round_robin").queued, 0u) << "does not go by prompts";
    }
    setup.queue->classes.front().requests_per_worker = 5;
    const Figures f = run("kv");
    EXPECT_GT(f.refused, 0u);
    EXPECT_EQ(f.finished + f.refused, f.requests);
    setup.queue->classes.front().requests_per_worker.reset();
    setup.faults.kill = 2, setup.faults.kill_at_s = 0.5, setup.faults.down_s = 2, setup.faults.stale_load_ms = 50;
    const Figures faulty = run("kv");
    EXPECT_EQ(faulty.finished + faulty.refused, faulty.requests);
    EXPECT_EQ(faulty.leaked, 0u);
}

TEST_F(Replay, TheSameSeedGivesTheSameBytes) {
    setup.faults.kill = 1, setup.faults.kill_at_s = 3, setup.faults.event_loss = 0.1;
    for (const char* policy : {"power_of_two", "kv", "default"}) EXPECT_EQ(json(policy), json(policy)) << policy;
    const std::string before = json("power_of_two");
    setup.seed = 2;
    EXPECT_NE(json("power_of_two"), before);
}

TEST_F(Replay, CachesAreFoundByThoseWhoLook) {
    const Figures blind = run("round_robin"), seeing = run("default");
    EXPECT_GT(seeing.hit_rate, blind.hit_rate * 1.2);
    EXPECT_GT(seeing.index_blocks, 0u);
    EXPECT_EQ(blind.index_bytes, 0u) << "who needs no index has none";
}

TEST_F(Replay, FaultsAreFelt) {
    const Figures good = run("cache_aware");
    setup.faults.event_loss = 1;
    const Figures deaf = run("cache_aware");
    EXPECT_EQ(deaf.index_blocks, 0u);
    EXPECT_LT(deaf.hit_rate, good.hit_rate);
    setup.faults = {};
    setup.faults.event_lag_ms = 1e7;
    EXPECT_EQ(run("cache_aware").index_blocks, 0u) << "the news is still under way";
    setup.faults = {};
    setup.index.events = false;
    EXPECT_GT(run("cache_aware").hit_rate, deaf.hit_rate) << "predictions stand in for events";
    setup.index.events = true;
    rate = 60;
    setup.faults.stale_load_ms = 2'000;
    const Figures stale = run("least_loaded");
    setup.faults = {};
    EXPECT_GT(stale.load_cv, run("least_loaded").load_cv) << "all go where it was empty";
}

// The report of a tiny trace, byte by byte. WEIR_GOLDEN_UPDATE=1 writes it anew.
TEST_F(Replay, ReportOfATinyTrace) {
    std::string lines;
    for (int i = 0; i < 12; ++i)
        lines += "{\"timestamp\": " + std::to_string(i / 3 * 1'000) + ", \"input_length\": " + std::to_string(1'100 + i) +
                 ", \"output_length\": " + std::to_string(3 + i) + ", \"hash_ids\": [0, " + std::to_string(1 + i % 3) + ", " + std::to_string(10 + i) + "]}\n";
    load = *read_trace(lines, 1);
    Contest contest;
    contest.setup = setup;
    contest.setup.fleet.workers = 2;
    contest.rate = 4;
    for (const char* name : {"round_robin", "kv", "default"}) contest.policies.push_back(*parse_contestant(name));
    auto outcomes = run_contest(load, contest, nullptr);
    ASSERT_TRUE(outcomes);
    const ReportStyle style{"tiny.jsonl", false};
    const std::string got = report_table(*outcomes, contest, style) + report_json(*outcomes, contest, style);
    const std::string file = WEIR_SOURCE_DIR "/tests/golden/replay/tiny.txt";
    if (std::getenv("WEIR_GOLDEN_UPDATE")) std::ofstream(file) << got;
    std::ostringstream want;
    want << std::ifstream(file).rdbuf();
    EXPECT_EQ(got, want.str());
    const std::string page = report_html(*outcomes, contest, style);
    EXPECT_NE(page.find("<svg"), std::string::npos);
    EXPECT_EQ(page.find("http"), std::string::npos) << "the page needs nothing from elsewhere";
}

TEST_F(Replay, PrefillAndDecodeApart) {
    setup.fleet.workers = 3, setup.fleet.decode = 2;
    const Figures f = run("default+power_of_two");
    EXPECT_EQ(f.finished, f.requests);
    EXPECT_EQ(f.leaked, 0u);
    EXPECT_GT(f.ttft_ms.p50, setup.fleet.transfer_ms);
    setup.fleet.transfer_ms = 500;
    EXPECT_GT(run("default+power_of_two").ttft_ms.p50, 500);
}

TEST_F(Replay, UnknownPoliciesAreNamed) {
    auto bad = parse_contestant("kv+best");
    ASSERT_FALSE(bad);
    EXPECT_NE(bad.error()->message.find("'best'"), std::string::npos);
}

TEST_F(Replay, CapacityIsWhatRoundRobinBears) {
    load = synthetic({.requests = 600, .prompt = 6'000, .out = 50}, 5);
    Contest contest;
    contest.setup.fleet.workers = 2;
    contest.copies = 1;
    auto capacity = find_capacity(load, contest, nullptr);
    ASSERT_TRUE(capacity);
    setup.fleet.workers = 2;
    rate = *capacity;
    EXPECT_LT(run("round_robin").ttft_ms.p90, capacity_ttft_ms);
    rate = *capacity * 1.05;
    EXPECT_GT(run("round_robin").ttft_ms.p90, capacity_ttft_ms);
}

TEST_F(Replay, NothingSharedIsNoWorseThanPowerOfTwo) {
    load = synthetic({.requests = 1'500, .prompt = 4'000, .out = 100}, 5);
    for (const double stale : {0.0, 100.0}) {
        setup.faults.stale_load_ms = stale;
        rate = 50;
        EXPECT_LT(run("default").ttft_ms.p90, run("power_of_two").ttft_ms.p90 * 1.05) << "loads " << stale << " ms old";
    }
}

// What a gateway logs: the chosen worker holds nothing and is busy, the other one holds most of the prompt.
std::string logged(const char* id) {
    route::Decision d;
    std::copy_n(id, 2, d.id.begin());
    d.id_len = 2;
    d.policy = "round_robin", d.why = "in turn";
    d.eligible = d.candidates_n = 2;
    d.prompt_tokens = 1'600, d.request_blocks = 100, d.block = 16;
    d.candidates[0].instance = 7, d.candidates[0].load.prefill_tokens = 5'000;
    d.candidates[1].instance = 8, d.candidates[1].device = 90;
    std::string line;
    route::append_json(d, [](const route::Decision::Candidate& c) { return c.instance == 7 ? Str("http://a:1") : Str("http://b:1"); }, line);
    return line + "\n";
}

TEST(Decisions, AreDecidedAgain) {
    auto contestant = parse_contestant("default");
    ASSERT_TRUE(contestant);
    auto second = decide_again(logged("r1") + "\n" + logged("r2"), *contestant, {}, 1);
    ASSERT_TRUE(second) << second.error()->message;
    EXPECT_EQ(second->decisions, 2u);
    EXPECT_EQ(second->changed, 2u);
    EXPECT_EQ(second->cached_then, 0);
    EXPECT_EQ(second->cached_now, 2 * 90 * 16);
    const std::string text = second_text(*second, *contestant);
    EXPECT_NE(text.find("2 decisions, 2 of them otherwise by default"), std::string::npos) << text;
    EXPECT_NE(text.find("r1: http://a:1 -> http://b:1"), std::string::npos) << text;
    auto bad = decide_again(logged("r1") + "{", *contestant, {}, 1);
    ASSERT_FALSE(bad);
    EXPECT_NE(bad.error()->message.find("line 2"), std::string::npos);
    EXPECT_FALSE(decide_again("", *contestant, {}, 1)) << "an empty log";
}

TEST(Percentile, AreOfTheSmallestThatCovers) {
    std::vector<double> values;
    for (int i = 100; i >= 1; --i) values.push_back(i);
    const Percentiles p = percentiles(values);
    EXPECT_EQ(p.p50, 50);
    EXPECT_EQ(p.p90, 90);
    EXPECT_EQ(p.p99, 99);
    EXPECT_EQ(percentile({}, 0.5), 0);
    Histogram h;
    for (uint64_t us = 1; us <= 1'000; ++us) h.add(us * 1'000);
    EXPECT_NEAR(h.ms(0.5), 0.5, 0.005);
    EXPECT_NEAR(h.ms(0.99), 0.99, 0.01);
    const std::vector<uint32_t> even{3, 3, 3}, odd{0, 6, 3};
    EXPECT_EQ(variation(even), 0);
    EXPECT_NEAR(variation(odd), std::sqrt(6.0) / 3, 1e-9);
}

}  // namespace
}  // namespace weir::replay
