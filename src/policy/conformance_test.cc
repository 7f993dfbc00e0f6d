// What every policy must keep, run over every row of the table.
#include <gtest/gtest.h>

#include <set>

#include "policy/policy.h"
#include "tests/support/slate.h"

namespace weir {
namespace {

class EveryPolicy : public ::testing::TestWithParam<PolicyRow> {
protected:
    std::unique_ptr<Policy> policy = GetParam().make({GetParam().name});
    Random random{7};
    Prepared request;
};

TEST_P(EveryPolicy, PicksOnlyEligibleRanks) {
    testing::Workers workers(std::vector<uint32_t>(130, 3));
    for (size_t i = 0; i < 130; i++)
        if (i % 7) workers.exclude(i);
    for (int i = 0; i < 1'000; i++) {
        Pick pick = policy->pick(request, workers.slate(), random);
        ASSERT_EQ(pick.kind, Pick::chosen);
        ASSERT_EQ(pick.index % 7, 0u);
    }
}

TEST_P(EveryPolicy, TakesTheOnlyOneLeft) {
    testing::Workers workers({9, 0, 0});
    workers.exclude(1);
    workers.exclude(2);
    EXPECT_EQ(policy->pick(request, workers.slate(), random).index, 0u);
}

// Simulated load: a request arrives each step, each worker finishes one in as many steps as there are workers.
TEST_P(EveryPolicy, SpreadsEvenlyOverEqualWorkers) {
    constexpr size_t n = 8, steps = 16'000;
    testing::Workers workers(std::vector<uint32_t>(n, 0));
    std::vector<size_t> served(n, 0);
    for (size_t step = 0; step < steps; step++) {
        Pick pick = policy->pick(request, workers.slate(), random);
        served[pick.index]++;
        workers.now[pick.index].requests++;
        auto& done = workers.now[step % n];
        if (done.requests) done.requests--;
    }
    for (size_t i = 0; i < n; i++) {
        EXPECT_GT(served[i], steps / n * 85 / 100) << GetParam().name << " worker " << i;
        EXPECT_LT(served[i], steps / n * 115 / 100) << GetParam().name << " worker " << i;
    }
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
