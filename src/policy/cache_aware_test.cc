#include <gtest/gtest.h>

#include <cmath>
#include <set>

#include "policy/policy.h"
#include "tests/support/slate.h"

namespace weir {
namespace {

struct CacheAware : ::testing::Test {
    Pick pick(const testing::Workers& workers) { return make_policy(config)->pick({}, workers.slate(), random); }
    std::set<uint32_t> picks(const testing::Workers& workers) {
        std::set<uint32_t> all;
        for (int i = 0; i < 200; i++) all.insert(pick(workers).index);
        return all;
    }
    static testing::Workers with_text(std::vector<uint32_t> loads, std::vector<uint32_t> matched, uint32_t of = 1'000) {
        testing::Workers workers(std::move(loads));
        workers.matched_chars = std::move(matched);
        workers.prompt_chars = of;
        return workers;
    }
    PolicyConfig config{"cache_aware"};
    Random random{5};
};
using Set = std::set<uint32_t>;

TEST_F(CacheAware, AMatchIsMoreThanTheThresholdOfTheText) {
    EXPECT_EQ(pick(with_text({0, 3, 0}, {0, 301, 0})).index, 1u);
    EXPECT_EQ(picks(with_text({0, 3, 0}, {0, 300, 0})), (Set{0, 2})) << "0.3 is not more than 0.3";
    EXPECT_EQ(picks(with_text({0, 3, 0}, {0, 0, 0}, 0)), (Set{0, 2})) << "an empty text matches nothing";
}

TEST_F(CacheAware, OnlyHoldersOfTheLongestTextCompete) {
    EXPECT_EQ(pick(with_text({0, 3, 5}, {500, 501, 0})).index, 1u);
    EXPECT_EQ(pick(with_text({4, 3, 5}, {501, 501, 0})).index, 1u) << "of equal holders the least loaded";
    EXPECT_EQ(picks(with_text({3, 3, 0}, {501, 501, 0})), (Set{0, 1}));
}

TEST_F(CacheAware, ReportedBlocksDecideBeforeTextAndWithoutThreshold) {
    auto workers = with_text({0, 3, 3}, {1'000, 0, 0});
    workers.prompt(1'600);
    workers.device = {0, 1, 2};
    EXPECT_EQ(pick(workers).index, 2u);
    EXPECT_STREQ(pick(workers).why, "holds most");
    workers.device = {0, 0, 0};
    workers.predicted = {0, 31, 30};
    EXPECT_EQ(pick(workers).index, 1u);
    workers.predicted = {0, 30, 30};
    EXPECT_EQ(pick(workers).index, 0u) << "30 % is no match, the text decides";
}

// The gate is the larger of spill_rel x mean and mean + min(spill_abs, max(4, ceil(2 sqrt(mean)))).
TEST_F(CacheAware, ABusyHolderIsPassedOver) {
    EXPECT_EQ(pick(with_text({14, 7, 7, 7}, {900, 0, 0, 0})).index, 0u) << "mean 8.75, gate max(13.1, 14.75)";
    EXPECT_EQ(pick(with_text({16, 7, 7, 5}, {900, 0, 0, 0})).index, 3u) << "mean 8.75: 16 is beyond both";
    EXPECT_STREQ(pick(with_text({16, 7, 7, 5}, {900, 0, 0, 0})).why, "holders are busy");
    EXPECT_EQ(pick(with_text({16, 7, 7, 5}, {900, 900, 0, 0})).index, 1u) << "the other holder is not busy";
    config.cache_aware.spill_rel = 1.9;
    EXPECT_EQ(pick(with_text({16, 7, 7, 5}, {900, 0, 0, 0})).index, 0u) << "16 < 1.9 x 8.75";
    config.cache_aware = {};
    config.cache_aware.spill_abs = 2;
    config.cache_aware.spill_rel = 1;
    EXPECT_EQ(pick(with_text({10, 8, 8, 9}, {900, 0, 0, 0})).index, 0u) << "mean 8.75, gate 10.75";
    EXPECT_NE(pick(with_text({11, 8, 8, 8}, {900, 0, 0, 0})).index, 0u);
}

TEST_F(CacheAware, KvUseSuspendsAffinityForAll) {
    auto workers = with_text({5, 3, 4}, {900, 0, 0});
    for (size_t i = 0; i < 3; i++) workers.report(i);
    workers.now[0].usage = 0.9f, workers.now[1].usage = 0.2f, workers.now[2].usage = 0.5f;
    EXPECT_EQ(pick(workers).index, 0u) << "1 means never";
    config.cache_aware.usage_spread = 0.65;
    EXPECT_EQ(pick(workers).index, 1u);
    config.cache_aware.usage_spread = 0.75;
    EXPECT_EQ(pick(workers).index, 0u);
    config.cache_aware.usage_ceiling = 0.85;
    EXPECT_EQ(pick(workers).index, 1u);
}

TEST_F(CacheAware, OverlapDecaysWherePromptsWait) {
    testing::Workers workers({0, 0});
    workers.prompt(160);
    workers.device = {10, 8};
    workers.report(0), workers.report(1);
    workers.now[0].waiting_tokens = 160;         // one request's worth above the least: 10 / (1 + decay)
    EXPECT_EQ(pick(workers).index, 0u);
    config.cache_aware.overlap_decay = 0.24;
    EXPECT_EQ(pick(workers).index, 0u) << "8.06";
    config.cache_aware.overlap_decay = 0.26;
    EXPECT_EQ(pick(workers).index, 1u) << "7.94";
    workers.now[0].report_age_ms = UINT32_MAX;
    EXPECT_EQ(pick(workers).index, 0u) << "without a report nothing decays";
}

TEST_F(CacheAware, TemperatureDrawsAmongHolders) {
    testing::Workers workers({0, 0, 0});
    workers.prompt(160);
    workers.device = {10, 5, 0};
    config.cache_aware.temperature = 1;          // weights 1 and e^-1
    int first = 0, second = 0;
    auto policy = make_policy(config);
    for (int i = 0; i < 20'000; i++) {
        uint32_t index = policy->pick({}, workers.slate(), random).index;
        first += index == 0, second += index == 1;
    }
    EXPECT_EQ(first + second, 20'000);
    EXPECT_NEAR(first, 20'000 / (1 + std::exp(-1.0)), 300);
}

TEST(LeastLoad, IsExpectedWait) {
    PolicyConfig config{"least_load"};
    testing::Workers workers({9, 0, 0});
    Random random(1);
    auto pick = [&] { return make_policy(config)->pick({}, workers.slate(), random); };
    workers.now[1].requests = 3, workers.now[2].requests = 5;
    EXPECT_EQ(pick().index, 1u) << "nobody reports: the fewest requests";
    for (size_t i = 0; i < 3; i++) workers.report(i);
    workers.now[0].waiting_tokens = 4'000, workers.now[0].tok_s = 1'000;                       // 4 s
    workers.now[1].waiting = 4, workers.now[1].since_tokens = 904;                             // (4 x 1024 + 904) / 2000 = 2.5 s
    workers.now[2].since_requests = 2, workers.now[2].usage = 0.95f, workers.now[2].tok_s = 2'000;   // 1.024 + 0.15 x 19 = 3.874 s
    EXPECT_EQ(pick().index, 1u);
    EXPECT_FLOAT_EQ(pick().terms[0], 2.5f);
    workers.now[1].report_age_ms = UINT32_MAX;   // the best peer's 3.874 s, and 3 x 1024 / 1500
    EXPECT_EQ(pick().index, 2u);
    EXPECT_NEAR(pick().terms[0], 3.874f, 1e-3);
    workers.now[2].usage = 1;
    EXPECT_EQ(pick().index, 0u) << "the barrier is finite but high";
    config.least_load.waiting_max = 2;
    workers.now[0].waiting = 2, workers.now[2].waiting = 0;
    EXPECT_EQ(pick().index, 1u) << "0 and 2 are at the cap, 1 is not known to be";
    workers.report(1);
    EXPECT_EQ(pick().kind, Pick::wait);
}

TEST(PowerOfTwo, ComparesExpectedWaitIfAsked) {
    PolicyConfig config{"power_of_two"};
    testing::Workers workers({9, 0});
    workers.report(0), workers.report(1);
    workers.now[1].waiting = 1;
    Random random(1);
    EXPECT_EQ(make_policy(config)->pick({}, workers.slate(), random).index, 1u);
    config.power_of_two_requests = false;
    EXPECT_EQ(make_policy(config)->pick({}, workers.slate(), random).index, 0u);
}

TEST(DeviceAware, KindsShareByThroughputThenTheFewestRequests) {
    PolicyConfig config{"device_aware_weighted"};
    testing::Workers workers({8, 9, 0, 1});
    workers.views[2].cpu = workers.views[3].cpu = true;
    Random random(1);
    auto pick = [&] { return make_policy(config)->pick({}, workers.slate(), random).index; };
    EXPECT_EQ(pick(), 2u) << "17 / (2 x 8) is more than 1 / 2";
    workers.now[2].requests = 2;
    EXPECT_EQ(pick(), 0u) << "17 / 16 is less than 3 / 2";
    config.accelerator_ratio = 4;
    EXPECT_EQ(pick(), 2u + 1u) << "17 / 8 is more than 3 / 2";
    workers.exclude(0), workers.exclude(1);
    EXPECT_EQ(pick(), 3u);
    workers.include(0), workers.include(1), workers.exclude(2), workers.exclude(3);
    EXPECT_EQ(pick(), 0u);
}

TEST(Direct, OnlyGoesWhereItIsTold) {
    auto policy = find_policy("direct")->make({});
    testing::Workers workers({0, 7, 0});
    Random random(1);
    EXPECT_EQ(policy->pick({}, workers.slate(), random).kind, Pick::none);
    Hints hints;
    hints.pin = workers.views[1].instance_id;
    Prepared request;
    request.hints = &hints;
    EXPECT_EQ(policy->pick(request, workers.slate(), random).index, 1u);
    workers.exclude(1);
    EXPECT_EQ(policy->pick(request, workers.slate(), random).kind, Pick::none);
}

}  // namespace
}  // namespace weir
