#include "policy/sticky.h"

#include <gtest/gtest.h>

#include <map>
#include <thread>

#include "policy/bucket_window.h"
#include "policy/dp_min_tokens.h"
#include "policy/key_loads.h"
#include "policy/sticky_map.h"
#include "tests/support/slate.h"

namespace weir {
namespace {

using Pin = StickyMap::Pin;
using Pins = StickyMap::Pins;
constexpr Instant start = 1'000 * ns_per_s;

TEST(StickyMap, DoesWhatAMapDoes) {
    StickyMap map(64 * 1'000'000, 10'000);
    struct Known { Pins pins; Instant used; };
    std::map<int, Known> known;
    Random random(3);
    Instant now = start;
    for (int step = 0; step < 200'000; step++) {
        now += random.below(20) * ns_per_ms;
        int name = static_cast<int>(random.below(1'000));
        auto key = StickyMap::key_of("k" + std::to_string(name));
        auto it = known.find(name);
        if (it != known.end() && now - it->second.used >= 10'000 * ns_per_ms) known.erase(it), it = known.end();
        Pins have = it == known.end() ? Pins{} : it->second.pins;
        if (random.below(2)) {
            ASSERT_EQ(map.find(key, now), have);
            if (it != known.end()) it->second.used = now;
            continue;
        }
        Pin pin{random.below(5) + 1, 0};
        auto where = random.below(2) ? StickyMap::first : StickyMap::last;
        if (random.below(10) == 0) {
            Pins wrong{Pin{999, 0}, Pin{}};
            ASSERT_EQ(map.put(key, pin, where, wrong, now), have) << "somebody else was faster";
            continue;
        }
        Pins expected = have;
        if (where == StickyMap::first && !(have[0] == pin)) expected = {pin, have[0]};
        if (where == StickyMap::last) expected = !have[0].id ? Pins{pin, Pin{}} : !have[1].id ? Pins{have[0], pin} : Pins{have[1], pin};
        ASSERT_EQ(map.put(key, pin, where, have, now), expected);
        known[name] = {expected, now};
    }
    EXPECT_LE(map.size(), 1'000u);
    EXPECT_EQ(map.evicted(), 0u);
}

TEST(StickyMap, ForgetsTheLeastRecentlyUsedForRoom) {
    StickyMap map(64 * 100, 0);
    for (int i = 0; i < 100'000; i++) {
        map.put(StickyMap::key_of(std::to_string(i)), {7, 0}, StickyMap::first, {}, start + static_cast<Instant>(i));
        map.find(StickyMap::key_of("0"), start + static_cast<Instant>(i));
    }
    EXPECT_EQ(map.size(), 6'400u);
    EXPECT_EQ(map.evicted(), 100'000u - 6'400u);
    EXPECT_EQ(map.find(StickyMap::key_of("0"), start)[0].id, 7u) << "always in use";
    EXPECT_EQ(map.find(StickyMap::key_of("99999"), start)[0].id, 7u);
    EXPECT_EQ(map.find(StickyMap::key_of("1"), start)[0].id, 0u);
}

TEST(StickyMap, IdleEntriesLeaveByThemselves) {
    StickyMap map(1'000'000, 1'000);
    for (int i = 0; i < 10'000; i++) map.put(StickyMap::key_of(std::to_string(i)), {7, 0}, StickyMap::first, {}, start);
    Instant later = start + 2 * ns_per_s;
    for (int i = 0; i < 10'000; i++) map.find(StickyMap::key_of("other " + std::to_string(i)), later);
    EXPECT_LT(map.size(), 100u);
}

TEST(KeyLoads, CountsRequestsAndKeys) {
    testing::Workers workers({0, 0});
    KeyLoads loads;
    loads.begin(1, workers.ranks[0]), loads.begin(1, workers.ranks[0]), loads.begin(2, workers.ranks[0]), loads.begin(1, workers.ranks[1]);
    EXPECT_EQ(loads.requests(1, workers.ranks[0]), 2u);
    EXPECT_EQ(loads.keys(workers.ranks[0]), 2u);
    EXPECT_EQ(loads.keys(workers.ranks[1]), 1u);
    loads.end(1, workers.ranks[0]);
    EXPECT_EQ(loads.keys(workers.ranks[0]), 2u);
    loads.end(1, workers.ranks[0]), loads.end(2, workers.ranks[0]), loads.end(1, workers.ranks[1]);
    EXPECT_EQ(loads.keys(workers.ranks[0]) + loads.keys(workers.ranks[1]) + loads.requests(1, workers.ranks[0]), 0u);
}

TEST(KeyLoads, CountToTheLastRankThereMayBe) {
    testing::Workers workers({0, 0});
    workers.ranks[1].number = ranks_max - 1;
    KeyLoads loads;
    loads.begin(1, workers.ranks[1]), loads.begin(2, workers.ranks[1]), loads.begin(1, workers.ranks[0]);
    EXPECT_EQ(loads.keys(workers.ranks[1]), 2u);
    loads.end(1, workers.ranks[1]), loads.end(2, workers.ranks[1]), loads.end(1, workers.ranks[0]);
    EXPECT_EQ(loads.keys(workers.ranks[1]), 0u);
    BucketWindow window(5'000);
    window.add(workers.ranks[1], 7, start);
    EXPECT_EQ(window.sizes(workers.ranks[1]), 7u);
    EXPECT_EQ(window.sizes(workers.ranks[0]), 0u);
}

TEST(Sticky, KeysLoseTurnAndRetry) {
    std::pair<const char*, const char*> cases[] = {{"conv", "conv"}, {"conv_t2", "conv"}, {"conv_t2_r1", "conv"}, {"conv_r1", "conv"},
        {"conv_t1_t2", "conv_t1"}, {"conv_r1_t2", "conv_r1"}, {"conv_t", "conv_t"}, {"conv_tx1", "conv_tx1"}, {"conv_T2", "conv_T2"},
        {"under_scored_id", "under_scored_id"}, {"_t1", "_t1"}, {"", ""}, {"7", "7"}, {"t1", "t1"}, {"_r1", "_r1"}};
    for (auto [key, is] : cases) EXPECT_EQ(conversation_of(key), is) << key;
}

struct Keyed : ::testing::Test {
    Pick pick(Str key) {
        hints.routing_key = key;
        request.hints = &hints;
        return policy->pick(request, workers.slate(), random);
    }
    Routed book(Str key, const Pick& at) {
        hints.routing_key = key;
        request.hints = &hints;
        return {.key = policy->booked(request, workers.ranks[at.index], workers.time)};
    }
    testing::Workers workers{std::vector<uint32_t>(16, 0)};
    PolicyConfig config{"manual"};
    std::unique_ptr<Policy> policy = make_policy(config);
    Hints hints;
    Prepared request;
    Random random{1};
};

TEST_F(Keyed, ManualStaysFailsOverAndReturns) {
    uint32_t first = pick("a").index;
    for (int i = 0; i < 50; i++) ASSERT_EQ(pick("a").index, first);
    workers.exclude(first);
    uint32_t second = pick("a").index;
    EXPECT_NE(second, first);
    for (int i = 0; i < 50; i++) ASSERT_EQ(pick("a").index, second);
    workers.include(first);
    EXPECT_EQ(pick("a").index, first) << "the first is preferred again";
    workers.exclude(first), workers.exclude(second);
    uint32_t third = pick("a").index;
    workers.include(first), workers.include(second);
    EXPECT_EQ(pick("a").index, second) << "the oldest of three was forgotten";
    workers.exclude(second);
    EXPECT_EQ(pick("a").index, third);
}

TEST_F(Keyed, ManualKnowsAWorkerInAnotherPlace) {
    uint32_t at = pick("a").index, to = (at + 5) % 16;
    std::swap(workers.ranks[at], workers.ranks[to]);
    EXPECT_EQ(pick("a").index, to);
}

TEST_F(Keyed, ManualForgetsIdleKeys) {
    config.manual.idle_ms = 1'000;
    config.manual.assignment = config.manual.min_load;
    policy = make_policy(config);
    workers.now[3].requests = 0;
    for (size_t i = 0; i < 16; i++) workers.now[i].requests = i == 3 ? 0 : 1;
    EXPECT_EQ(pick("a").index, 3u);
    workers.now[3].requests = 2, workers.now[4].requests = 0;
    workers.time += 900 * ns_per_ms;
    EXPECT_EQ(pick("a").index, 3u);
    workers.time += 900 * ns_per_ms;
    EXPECT_EQ(pick("a").index, 3u) << "use keeps it";
    workers.time += 1'000 * ns_per_ms;
    EXPECT_EQ(pick("a").index, 4u);
}

TEST_F(Keyed, MinGroupCountsKeysUnderWay) {
    config.manual.assignment = config.manual.min_group;
    policy = make_policy(config);
    ASSERT_TRUE(policy->follows());
    std::map<uint32_t, int> keys;
    std::vector<std::pair<Routed, uint32_t>> under_way;
    for (int i = 0; i < 48; i++) {
        std::string key = "k" + std::to_string(i);
        Pick at = pick(key);
        keys[at.index]++;
        under_way.push_back({book(key, at), at.index});
        under_way.push_back({book(key, at), at.index});
    }
    EXPECT_EQ(keys.size(), 16u);
    for (auto [worker, n] : keys) EXPECT_EQ(n, 3) << worker;
    for (auto& [routed, worker] : under_way) policy->ended(routed, workers.ranks[worker], {});
    for (size_t i = 1; i < 16; i++) workers.exclude(i);
    Pick alone = pick("new");
    book("new", alone);
    workers.include(9);
    EXPECT_EQ(pick("newer").index, 9u) << "one key at 0, none at 9 any more";
}

TEST_F(Keyed, OverrideSendsNewKeysWhereThePolicySays) {
    config = {.name = "least_loaded", .sticky = true};
    policy = make_policy(config);
    for (size_t i = 0; i < 16; i++) workers.now[i].requests = i == 6 ? 0 : 5;
    EXPECT_EQ(pick("talk_t1").index, 6u);
    workers.now[6].requests = 9, workers.now[2].requests = 1;
    EXPECT_EQ(pick("talk_t2").index, 6u) << "the same conversation";
    EXPECT_EQ(pick("talk_t2_r4").index, 6u);
    EXPECT_EQ(pick("other").index, 2u);
    EXPECT_EQ(pick("").index, 2u);
    workers.exclude(6);
    EXPECT_EQ(pick("talk").index, 2u);
    workers.include(6);
    EXPECT_EQ(pick("talk").index, 2u) << "the policy's new choice is preferred from then on";
}

TEST_F(Keyed, OverridePlacesTheThirdRequestOfAKeyAnew) {
    config = {.name = "least_loaded", .sticky = true};
    policy = make_policy(config);
    for (size_t i = 0; i < 16; i++) workers.now[i].requests = i == 6 ? 0 : 5;
    Routed one = book("k", pick("k")), two = book("k", pick("k"));
    EXPECT_EQ(pick("k").index, 6u) << "the policy may say the same again";
    workers.now[6].requests = 7, workers.now[1].requests = 4;
    EXPECT_EQ(pick("k").index, 1u);
    workers.now[1].requests = 6, workers.now[3].requests = 1;
    EXPECT_EQ(pick("k").index, 1u) << "the pin has moved";
    policy->ended(one, workers.ranks[6], {}), policy->ended(two, workers.ranks[6], {});
}

TEST_F(Keyed, OverrideLeavesPoliciesWithKeysAlone) {
    for (const char* name : {"manual", "consistent_hashing"}) {
        config = {.name = name, .sticky = true};
        EXPECT_FALSE(make_policy(config)->follows()) << name;
    }
}

// An inner policy gets back the key it gave.
struct Learner final : Policy {
    uint32_t needs() const override { return 0; }
    Pick pick(const Prepared&, const Slate&, Random&) const override { return {0, Pick::chosen, "", {}}; }
    uint64_t booked(const Prepared&, RankRef, Instant) override { return 42; }
    void first_token(const Routed& routed, RankRef, Instant) override { heard += routed.key == 42; }
    void ended(const Routed& routed, RankRef, const Outcome&) override { heard += routed.key == 42; }
    bool follows() const override { return true; }
    int heard = 0;
};

TEST_F(Keyed, OverrideKeepsWhatTheInnerPolicyGave) {
    auto learner = std::make_unique<Learner>();
    Learner& inner = *learner;
    policy = make_sticky(std::move(learner), {});
    for (Str key : {"k", "", "k"}) {
        Routed routed = book(key, Pick{0, Pick::chosen, "", {}});
        policy->first_token(routed, workers.ranks[0], workers.time);
        policy->ended(routed, workers.ranks[0], {});
    }
    EXPECT_EQ(inner.heard, 6);
}

TEST(DpMinTokens, TheRankWithTheFewestTokens) {
    testing::Workers workers(std::vector<uint32_t>(6, 0));
    workers.views[0].ranks = 4, workers.views[0].block = 16;
    for (uint16_t i = 0; i < 4; i++) workers.ranks[i].worker = &workers.views[0], workers.ranks[i].rank = i;
    PolicyConfig config{.name = "passthrough", .dp_min_tokens = true};
    auto policy = make_policy(config);
    Random random(1);
    auto pick = [&] { return policy->pick({}, workers.slate(), random).index; };
    EXPECT_EQ(pick(), 0u) << "the lowest of equals";
    for (size_t i = 0; i < 4; i++) workers.now[i].context_tokens = static_cast<uint32_t>(100 - i);
    EXPECT_EQ(pick(), 3u) << "no reports: prompts under way";
    for (size_t i = 0; i < 4; i++) workers.report(i), workers.now[i].kv_used = 10;
    workers.now[1].kv_used = 9, workers.now[1].since_tokens = 15;
    EXPECT_EQ(pick(), 1u);
    workers.now[1].since_tokens = 17;
    EXPECT_EQ(pick(), 0u);
    workers.exclude(0);
    EXPECT_EQ(pick(), 2u);
    config.name = "random";
    auto any = make_policy(config);
    for (int i = 0; i < 100; i++) {
        uint32_t at = any->pick({}, workers.slate(), random).index;
        EXPECT_TRUE(at == 2 || at == 4 || at == 5) << at;
    }
}

struct Bucket : ::testing::Test {
    uint32_t pick(uint32_t chars) {
        workers.prompt_chars = chars;
        return policy->pick({}, workers.slate(), random).index;
    }
    testing::Workers workers{{0, 0, 0}};
    PolicyConfig config{.name = "bucket", .bucket = {.spill_abs = 1'000'000}};
    std::unique_ptr<Policy> policy = make_policy(config);
    Random random{1};
};

TEST_F(Bucket, SizesShareThemselvesOut) {
    for (uint32_t size : {5, 10, 15, 20, 24, 26}) EXPECT_EQ(pick(size), 0u) << "4,096 in three: the first takes up to 1,364";
    EXPECT_EQ(pick(1'364), 0u);
    EXPECT_EQ(pick(1'365), 1u);
    EXPECT_EQ(pick(2'730), 2u);
    EXPECT_EQ(pick(1u << 30), 2u);
    policy = make_policy(config);
    for (uint32_t size : {5, 10, 15, 20, 24, 26}) pick(size);   // 100 in all: 33 each
    workers.time += 5 * ns_per_s;
    EXPECT_EQ(pick(20), 0u) << "5 + 10 + 15 + 20 fill the first";
    EXPECT_EQ(pick(21), 1u);
    EXPECT_EQ(pick(26), 1u);
    EXPECT_EQ(pick(27), 2u);
}

TEST_F(Bucket, UnevenSumsGoToTheLeast) {
    config.bucket = {.spill_abs = 50, .spill_rel = 1.5};
    policy = make_policy(config);
    EXPECT_EQ(pick(50), 0u);
    EXPECT_EQ(pick(1), 0u) << "50 is not more than 50";
    EXPECT_NE(pick(1), 0u);
    workers.time += 6 * ns_per_s;
    pick(1);                                     // lets the old ones leave
    EXPECT_EQ(pick(1), 0u) << "the period is over";
}

TEST(BucketWindow, RemembersABoundedNumber) {
    testing::Workers workers({0, 0});
    BucketWindow window(5'000);
    for (uint64_t i = 0; i < 3 * BucketWindow::requests_max; i++) window.add(workers.ranks[i % 2], 1, start);
    EXPECT_EQ(window.sizes(workers.ranks[0]) + window.sizes(workers.ranks[1]), BucketWindow::requests_max);
    window.add(workers.ranks[0], 9, start + 6 * ns_per_s);
    EXPECT_EQ(window.sizes(workers.ranks[0]), 9u);
    EXPECT_EQ(window.sizes(workers.ranks[1]), 0u);
}

}  // namespace
}  // namespace weir
