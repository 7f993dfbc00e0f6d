// What every policy must keep, run over every row of the table.
#include <gtest/gtest.h>

#include <algorithm>
#include <set>
#include <thread>

#include "policy/policy.h"
#include "tests/support/slate.h"

namespace weir {
namespace {

// What is asked of a row; most need not be here.
struct Case {
    const char* name = "";
    int spread_percent = 15;         // how far from an even share a worker may be when all are equal; 0: does not spread
    enum Wants : uint8_t { nothing, pin, key } wants = nothing;   // what a request must carry
    bool by_size = false;            // the share is of prompt tokens, not of requests
};
constexpr Case usual, cases[] = {
    {"direct", 0, Case::pin}, {"passthrough", 0}, {"manual", 15, Case::key},
    {"consistent_hashing", 25, Case::key}, {"prefix_hash", 25, Case::key},   // 150 points a worker: shares differ by a tenth or so
    {"bucket", 25, Case::nothing, true},
};

class EveryPolicy : public ::testing::TestWithParam<PolicyRow> {
protected:
    static const Case& of(std::string_view name) {
        for (auto& c : cases)
            if (name == c.name) return c;
        return usual;
    }
    // The request of a step: a session of its own, pinned to `worker` if the policy wants to be told.
    void ask(size_t step, const testing::Workers& workers, size_t worker) {
        key = "session-" + std::to_string(step);
        hints = {};
        if (wanted.wants == Case::pin) hints.pin = workers.views[worker].instance_id;
        if (wanted.wants == Case::key) hints.routing_key = key;
        request.hints = &hints;
    }
    const Case& wanted = of(GetParam().name);
    std::unique_ptr<Policy> policy = GetParam().make({GetParam().name});
    Random random{7};
    Prepared request;
    Hints hints;
    std::string key;
};

TEST_P(EveryPolicy, PicksOnlyEligibleRanks) {
    testing::Workers workers(std::vector<uint32_t>(130, 3));
    for (size_t i = 0; i < 130; i++)
        if (i % 7) workers.exclude(i);
    for (size_t i = 0; i < 1'000; i++) {
        ask(i, workers, i % 19 * 7);
        Pick pick = policy->pick(request, workers.slate(), random);
        ASSERT_EQ(pick.kind, Pick::chosen);
        ASSERT_EQ(pick.index % 7, 0u);
    }
}

TEST_P(EveryPolicy, TakesTheOnlyOneLeft) {
    testing::Workers workers({9, 0, 0});
    workers.exclude(1);
    workers.exclude(2);
    ask(1, workers, 0);
    EXPECT_EQ(policy->pick(request, workers.slate(), random).index, 0u);
}

// Simulated load: a request arrives each step, each worker finishes one in as many steps as there are workers.
TEST_P(EveryPolicy, SpreadsEvenlyOverEqualWorkers) {
    constexpr size_t n = 8, steps = 16'000;
    constexpr uint32_t blocks = 10;
    testing::Workers workers(std::vector<uint32_t>(n, 0));
    std::vector<size_t> served(n, 0);
    size_t all = 0;
    for (size_t step = 0; step < steps; step++) {
        ask(step, workers, 3);
        uint32_t tokens = blocks * 16 + static_cast<uint32_t>(step * 7 % 1'000);
        workers.prompt(tokens);
        workers.request_blocks = blocks;
        workers.time += ns_per_ms;
        Pick pick = policy->pick(request, workers.slate(), random);
        ASSERT_EQ(pick.kind, Pick::chosen);
        Routed routed{.key = policy->booked(request, workers.ranks[pick.index], workers.time)};
        served[pick.index] += wanted.by_size ? tokens : 1;
        all += wanted.by_size ? tokens : 1;
        auto& at = workers.now[pick.index];
        at.requests++, at.active_blocks += blocks, at.prefill_tokens += blocks * 16;
        auto& done = workers.now[step % n];
        if (done.requests) done.requests--, done.active_blocks -= blocks, done.prefill_tokens -= blocks * 16;
        policy->ended(routed, workers.ranks[pick.index], {});
    }
    if (!wanted.spread_percent) {
        EXPECT_EQ(*std::max_element(served.begin(), served.end()), all);
        return;
    }
    for (size_t i = 0; i < n; i++) {
        EXPECT_GT(served[i], all / n * static_cast<size_t>(100 - wanted.spread_percent) / 100) << GetParam().name << " worker " << i;
        EXPECT_LT(served[i], all / n * static_cast<size_t>(100 + wanted.spread_percent) / 100) << GetParam().name << " worker " << i;
    }
}

// Cores pick, book and end requests at once, while workers come and go.
TEST_P(EveryPolicy, ServesManyThreads) {
    auto run = [&](size_t thread) {
        testing::Workers workers(std::vector<uint32_t>(30, 1));
        Random own(thread);
        for (size_t i = 0; i < 400; i++) {
            std::string name = "session-" + std::to_string(i % 37);
            Hints mine;
            mine.routing_key = name;
            mine.pin = workers.views[2 * i % 30].instance_id;
            Prepared asked;
            asked.hints = &mine;
            workers.prompt(static_cast<uint32_t>(i), 16);
            workers.time += 20 * ns_per_ms;
            workers.fleet_version = 1 + i / 50;
            workers.exclude(i % 15 * 2 + 1);
            Pick pick = policy->pick(asked, workers.slate(), own);
            ASSERT_EQ(pick.kind, Pick::chosen);
            ASSERT_TRUE(workers.slate().may(pick.index));
            RankRef rank = workers.ranks[pick.index];
            Routed routed{.key = policy->booked(asked, rank, workers.time)};
            if (policy->follows()) policy->first_token(routed, rank, workers.time);
            policy->ended(routed, rank, {});
        }
    };
    std::vector<std::thread> threads;
    for (size_t i = 0; i < 4; i++) threads.emplace_back(run, i);
    for (auto& thread : threads) thread.join();
}

INSTANTIATE_TEST_SUITE_P(Table, EveryPolicy, ::testing::ValuesIn(policy_table().begin(), policy_table().end()),
                         [](const auto& info) { return std::string(info.param.name); });

TEST(PolicyTable, NamesAreUniqueAndFoundInBothSpellings) {
    std::set<std::string_view> names;
    for (auto& row : policy_table()) EXPECT_TRUE(names.insert(row.name).second) << row.name;
    EXPECT_EQ(find_policy("round-robin"), find_policy("round_robin"));
    EXPECT_NE(find_policy("power-of-two"), nullptr);
    EXPECT_EQ(find_policy("best"), nullptr);
}

TEST(PowerOfTwo, PrefersTheIdleOne) {
    auto policy = find_policy("power_of_two")->make({});
    testing::Workers workers({5, 0});
    Random random(1);
    for (int i = 0; i < 100; i++) EXPECT_EQ(policy->pick({}, workers.slate(), random).index, 1u);
}

TEST(RoundRobin, IsStrict) {
    auto policy = find_policy("round_robin")->make({});
    testing::Workers workers({0, 0, 0});
    Random random(1);
    for (uint32_t i = 0; i < 9; i++) EXPECT_EQ(policy->pick({}, workers.slate(), random).index, i % 3);
}

}  // namespace
}  // namespace weir
