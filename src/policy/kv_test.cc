#include <gtest/gtest.h>

#include <cmath>

#include "policy/policy.h"
#include "tests/support/slate.h"

namespace weir {
namespace {

struct KvCost : ::testing::Test {
    // 100 prompt tokens in blocks of 16: 6 full blocks, 6.25 in all. Costs of the defaults, by hand:
    //   0: (100 + 64) / 16 - 0 = 10.25, active 20 + 6 = 26                                  -> 36.25
    //   1: 6.25 - (4 + 0.75 x 1) = 1.5, active 30 + 2.5 out + (6 - 4) = 34.5                -> 36
    //   2: 6.25 - (0.25 x 2) = 5.75, active 25 + 6 = 31                                      -> 36.75
    KvCost() : workers({1, 9, 3}) {
        workers.prompt(100);
        workers.device = {0, 4, 0}, workers.host = {0, 1, 0}, workers.disk = {0, 0, 2}, workers.shared = {0, 0, 3};
        workers.active = {0, 4, 0};
        workers.now[0].prefill_tokens = 64, workers.now[0].active_blocks = 20;
        workers.now[1].active_blocks = 30, workers.now[1].out_blocks = 2.5;
        workers.now[2].active_blocks = 25;
    }
    Pick pick(const PolicyConfig::KvCost& cost = {}, const Hints& hints = Prepared::no_hints) {
        PolicyConfig config{"kv"};
        config.kv = cost;
        Prepared request;
        request.hints = &hints;
        return make_policy(config)->pick(request, workers.slate(), random);
    }
    float cost(size_t i, const PolicyConfig::KvCost& cost = {}, const Hints& hints = Prepared::no_hints) {
        for (size_t k = 0; k < 3; k++) k == i ? workers.include(k) : workers.exclude(k);
        float is = pick(cost, hints).terms[3];
        for (size_t k = 0; k < 3; k++) workers.include(k);
        return is;
    }
    testing::Workers workers;
    Random random{5};
};

TEST_F(KvCost, IsTheFormulaWithEveryWeight) {
    EXPECT_FLOAT_EQ(cost(0), 36.25f);
    EXPECT_FLOAT_EQ(cost(1), 36.f);
    EXPECT_FLOAT_EQ(cost(2), 36.75f);
    EXPECT_EQ(pick().index, 1u);
    EXPECT_FLOAT_EQ(cost(1, {.overlap_credit = 0.5}), 38.f);
    EXPECT_FLOAT_EQ(cost(1, {.prefill_load_scale = 2}), 37.5f);
    EXPECT_FLOAT_EQ(cost(1, {.request_weight = 0.5}), 40.5f);
    EXPECT_FLOAT_EQ(cost(1, {.host_weight = 0}), 36.75f);
    EXPECT_FLOAT_EQ(cost(2, {.disk_weight = 1}), 35.25f);
    EXPECT_FLOAT_EQ(cost(2, {.shared_multiplier = 0.5}), 35.25f);
    EXPECT_FLOAT_EQ(cost(1, {.overlap_credit = 3}), 34.5f) << "credit never makes prefill negative";
    EXPECT_FLOAT_EQ(cost(0, {.track_prefill = false}), 26.f);
    EXPECT_FLOAT_EQ(cost(0, {.track_active = false}), 10.25f);
    EXPECT_FLOAT_EQ(cost(1, {.load_only = true}), 34.5f);
    EXPECT_FLOAT_EQ(cost(1, {.track_prefill = false, .credit_on_active = true}), 29.75f);
    EXPECT_FLOAT_EQ(cost(1, {.request_weight = 1, .track_prefill = false, .credit_on_active = true}), 38.75f);
}

TEST_F(KvCost, PredictedBlocksCountLikeReportedOnes) {
    workers.predicted = {6, 2, 0};
    EXPECT_FLOAT_EQ(cost(0), 30.25f);
    EXPECT_FLOAT_EQ(cost(1), 36.f) << "the larger of both";
}

TEST_F(KvCost, CreditDecaysWherePrefillWaits) {
    workers.device = {4, 0, 0};
    // 4 blocks of prefill above the least, 7 blocks of request: decay 1 / (1 + 2 x 4 / 7) = 7/15
    PolicyConfig::KvCost decaying{.credit_decay = 2};
    workers.exclude(1);
    workers.exclude(2);
    EXPECT_FLOAT_EQ(pick(decaying).terms[1], 4.f) << "alone it is the least";
    workers.include(1);
    workers.now[1].active_blocks = 1'000;
    EXPECT_FLOAT_EQ(pick(decaying).terms[1], 4.f * 7 / 15);
    EXPECT_FLOAT_EQ(pick(decaying).terms[3], 10.25f - 4.f * 7 / 15 + 26);
}

TEST_F(KvCost, PreferredTaintsScaleTheCost) {
    Str fast[] = {"fast", "east"}, other[] = {"slow"};
    workers.views[0].taints = fast;
    workers.views[2].taints = other;
    Taint wanted[] = {{"fast", 0.5f}, {"west", 3.f}};
    Hints hints;
    hints.taints_preferred = wanted;
    EXPECT_NEAR(cost(0, {}, hints), 36.25 * std::exp(-std::tanh(0.5)), 1e-4);
    EXPECT_FLOAT_EQ(cost(2, {}, hints), 36.75f);
    EXPECT_EQ(pick({}, hints).index, 0u);
}

TEST_F(KvCost, ExactTiesAreDrawnEvenly) {
    workers = testing::Workers({0, 0, 0, 0});
    workers.prompt(160);
    workers.now[3].active_blocks = 1;
    std::vector<int> served(4);
    for (int i = 0; i < 9'000; i++) served[pick().index]++;
    for (size_t i = 0; i < 3; i++) EXPECT_NEAR(served[i], 3'000, 250);
    EXPECT_EQ(served[3], 0);
}

TEST_F(KvCost, TemperatureIsASoftmaxOfNormalisedCosts) {
    // Costs 36.25, 36, 36.75: normalised 1/3, 0, 1. T = 0.5: weights e^(-2/3), 1, e^-2.
    double weights[] = {std::exp(-2.0 / 3), 1, std::exp(-2.0)}, total = weights[0] + weights[1] + weights[2];
    std::vector<int> served(3);
    for (int i = 0; i < 30'000; i++) served[pick({.temperature = 0.5}).index]++;
    for (size_t i = 0; i < 3; i++) EXPECT_NEAR(served[i], 30'000 * weights[i] / total, 450) << i;
}

TEST(TwoTier, LoadFirstThenThePrompt) {
    testing::Workers workers({1, 9, 3});
    workers.prompt(160);                         // 10 blocks
    workers.device = {0, 6, 0};
    PolicyConfig config{"two_tier"};
    Random random{5};
    auto pick = [&] { return make_policy(config)->pick(Prepared{}, workers.slate(), random).index; };
    EXPECT_EQ(pick(), 1u);
    config.two_tier.threshold = 0.6;
    EXPECT_EQ(pick(), 0u) << "as much as the threshold is not more";
    config.two_tier = {.spill_abs = 7};
    EXPECT_EQ(pick(), 0u) << "loads differ by 8";
    config.two_tier.spill_rel = 9;
    EXPECT_EQ(pick(), 1u) << "both must be passed";
}

}  // namespace
}  // namespace weir
