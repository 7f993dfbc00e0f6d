#include <gtest/gtest.h>

#include "policy/policy.h"
#include "tests/support/slate.h"

namespace weir {
namespace {

struct SoonestTest : ::testing::Test {
    std::unique_ptr<Policy> policy = find_policy("default")->make({});
    testing::Workers workers{std::vector<uint32_t>(8, 0)};
    std::vector<uint32_t> device = std::vector<uint32_t>(8, 0), active = device;
    Random random{3};
    Slate slate() {
        Slate s = workers.slate();
        s.device = device, s.active_overlap = active;
        s.block = 16, s.request_blocks = 100, s.prompt_tokens = 1'600;
        return s;
    }
    uint32_t share(uint32_t index) {   // how many of 100 picks go there
        uint32_t n = 0;
        for (int i = 0; i < 100; i++) n += policy->pick({}, slate(), random).index == index;
        return n;
    }
};

TEST_F(SoonestTest, SeeksOutWhoHoldsThePrompt) {
    device[5] = 80;
    EXPECT_EQ(share(5), 100u);
    device[5] = 0, active[2] = 80;
    EXPECT_EQ(share(2), 100u) << "what is being computed there will be cached";
}

TEST_F(SoonestTest, AHolderIsLeftAloneOnceItsQueueOutweighsItsCache) {
    device[5] = 80;                              // 1,280 tokens, worth four times as many ahead
    workers.now[5].prefill_tokens = 4 * 1'280 - 100;
    EXPECT_EQ(share(5), 100u);
    workers.now[5].prefill_tokens = 4 * 1'280 + 100;
    EXPECT_EQ(share(5), 0u);
}

TEST_F(SoonestTest, ALittleOverlapDrawsNobody) {
    device[5] = 4;
    EXPECT_LT(share(5), 60u) << "three draws of eight";
    EXPECT_GT(share(5), 15u);
}

TEST_F(SoonestTest, TheBusiestIsTakenOnlyWhenAllDrawsAreIt) {
    for (size_t i = 0; i < 8; i++) workers.now[i].prefill_tokens = static_cast<uint32_t>(1'000 * i);
    EXPECT_LT(share(7), 5u);
    EXPECT_GT(share(0), 20u);
    EXPECT_LT(share(0), 60u) << "old loads must not send everybody to one rank";
}

TEST_F(SoonestTest, LearnsWhoIsSlow) {
    auto wait = [&](size_t i, uint64_t ms) {
        Routed routed;
        routed.prompt_tokens = 6'000, routed.cached_tokens = 1'000, routed.prefill_ahead = 5'000;
        routed.booked = ns_per_s;
        policy->first_token(routed, workers.ranks[i], ns_per_s + ms * ns_per_ms);
        workers.now[i].prefill_tok_s = workers.cells[i].prefill_tok_s.load();
    };
    for (int n = 0; n < 50; n++)
        for (size_t i = 0; i < 8; i++) wait(i, i < 4 ? 500 : 2'000);
    EXPECT_NEAR(workers.now[0].prefill_tok_s, 20'000, 100);
    EXPECT_NEAR(workers.now[7].prefill_tok_s, 5'000, 100);
    uint32_t slow = 0;
    for (uint32_t i = 4; i < 8; i++) slow += share(i);
    EXPECT_LT(slow, 20u) << "taken only when all three draws are slow";
    Routed brief;
    brief.prompt_tokens = 100, brief.booked = ns_per_s;
    policy->first_token(brief, workers.ranks[0], 9 * ns_per_s);
    EXPECT_EQ(workers.cells[0].prefill_tok_s.load(), workers.now[0].prefill_tok_s) << "too little work to tell a speed";
}

TEST_F(SoonestTest, DecodersAreChosenByWhatTheyHold) {
    PolicyConfig config;
    config.kv.load_only = true;
    policy = find_policy("soonest")->make(config);
    device[5] = 100;
    for (size_t i = 0; i < 8; i++) workers.now[i].context_tokens = i == 5 ? 90'000 : 1'000;
    EXPECT_LT(share(5), 5u);
}

}  // namespace
}  // namespace weir
