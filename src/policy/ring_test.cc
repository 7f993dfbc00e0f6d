#include "policy/ring.h"

#include <gtest/gtest.h>

#include <set>

#include "policy/policy.h"
#include "tests/support/slate.h"

namespace weir {
namespace {

testing::Workers smg_workers() {
    testing::Workers workers({0, 0, 0});
    for (size_t i = 0; i < 3; i++) {
        workers.urls[i] = "http://127.0.0.1:4180" + std::to_string(i + 1);
        workers.views[i].url = workers.urls[i];
    }
    return workers;
}

uint32_t pick(const Policy& policy, const testing::Workers& workers, Str key, Str target = {}) {
    Hints hints;
    hints.routing_key = key, hints.target_worker = target;
    Prepared request;
    request.hints = &hints;
    Random random(1);
    Pick pick = policy.pick(request, workers.slate(), random);
    return pick.kind == Pick::chosen ? pick.index : UINT32_MAX;
}

// Where SMG 1.13.0 sent these keys; the last two came as x-forwarded-for and cookie.
TEST(Ring, PicksWhatSmgPicked) {
    auto workers = smg_workers();
    auto policy = find_policy("consistent_hashing")->make({});
    std::pair<const char*, uint32_t> seen[] = {{"a", 3}, {"b", 2}, {"c", 1}, {"d", 1}, {"e", 1}, {"f", 1}, {"key-123", 1}, {"user42", 2},
                                               {"1.1.1.1", 3}, {"2.2.2.2", 1}, {"s=1", 1}};
    for (auto [key, worker] : seen) EXPECT_EQ(pick(*policy, workers, key), worker - 1) << key;
}

TEST(Ring, TargetsAreNumbersWithoutASecondTry) {
    auto workers = smg_workers();
    auto policy = find_policy("consistent_hashing")->make({});
    EXPECT_EQ(pick(*policy, workers, "a", "1"), 1u) << "before the key";
    for (const char* bad : {"3", "x", "-1", "1x", "99999999999999"}) EXPECT_EQ(pick(*policy, workers, "a", bad), UINT32_MAX) << bad;
    workers.exclude(1);
    EXPECT_EQ(pick(*policy, workers, "a", "1"), UINT32_MAX);
    EXPECT_NE(pick(*policy, workers, "b"), 1u) << "keys of the absent walk on";
    EXPECT_EQ(pick(*policy, workers, "a"), 2u) << "others stay";
}

TEST(Ring, TargetsCountOnlyWorkersOfTheModel) {
    auto workers = smg_workers();
    Str mine[] = {"m"}, other[] = {"other"};
    workers.views[0].models = other;
    workers.views[1].models = mine;
    workers.views[2].models = mine;
    workers.exclude(0);
    Hints hints;
    hints.target_worker = "1";
    Prepared request;
    request.model = "m";
    request.hints = &hints;
    Random random(1);
    EXPECT_EQ(find_policy("consistent_hashing")->make({})->pick(request, workers.slate(), random).index, 2u);
}

TEST(Ring, RanksHaveNamesOfTheirOwn) {
    auto workers = smg_workers();
    for (uint16_t i = 0; i < 3; i++) workers.views[i].ranks = 4, workers.ranks[i].rank = i;
    Ring ring(workers.slate(), nullptr);
    // The first point of "http://127.0.0.1:41801@0" is rank 0's.
    EXPECT_EQ(ring.find(ring_position("http://127.0.0.1:41801@0#0"), workers.slate()), 0u);
    EXPECT_EQ(ring.find(ring_position("http://127.0.0.1:41803@2#149"), workers.slate()), 2u);
}

TEST(Ring, AChangedFleetMovesOnlyWhatItMustAndEqualsAFreshRing) {
    testing::Workers before(std::vector<uint32_t>(20, 0)), after(std::vector<uint32_t>(21, 0));
    std::swap(after.views[3], after.views[15]);  // places changed too
    after.fleet_version = 2;
    after.exclude(7);                            // one left out, one more
    Ring old(before.slate(), nullptr), merged(after.slate(), &old), fresh(after.slate(), nullptr);
    EXPECT_EQ(merged.size(), 21u * Ring::points_per_rank);
    size_t moved = 0;
    for (int i = 0; i < 20'000; i++) {
        uint64_t at = mix64(static_cast<uint64_t>(i));
        uint32_t now = merged.find(at, after.slate());
        ASSERT_EQ(now, fresh.find(at, after.slate()));
        uint32_t was = old.find(at, before.slate());
        Str from = before.views[was].url, to = after.views[now].url;
        moved += from != to;
        ASSERT_TRUE(from == to || was == 7 || now == 20);
    }
    EXPECT_GT(moved, 20'000u / 20);
    EXPECT_LT(moved, 20'000u / 5);
}

TEST(Rings, KeepTheLastTwoVersions) {
    testing::Workers workers({0, 0});
    Rings rings;
    auto one = rings.of(workers.slate());
    EXPECT_EQ(rings.of(workers.slate()), one);
    workers.fleet_version = 2;
    auto two = rings.of(workers.slate());
    workers.fleet_version = 1;
    EXPECT_EQ(rings.of(workers.slate()), one) << "a core that is one version behind";
    workers.fleet_version = 2;
    EXPECT_EQ(rings.of(workers.slate()), two);
    workers.fleet_version = 3;
    rings.of(workers.slate());
    workers.fleet_version = 1;
    EXPECT_NE(rings.of(workers.slate()), one);
    workers.fleet_version = 3;
    EXPECT_EQ(rings.of(workers.slate())->version(), 3u);
}

struct PrefixHash : ::testing::Test {
    Pick ask(std::span<const uint32_t> tokens, Str text = {}, Str key = {}) {
        hints.routing_key = key;
        request.tokens = tokens, request.text = text, request.hints = &hints;
        return policy->pick(request, workers.slate(), random);
    }
    testing::Workers workers{std::vector<uint32_t>(8, 0)};
    std::unique_ptr<Policy> policy = find_policy("prefix_hash")->make({});
    Hints hints;
    Prepared request;
    Random random{1};
};

TEST_F(PrefixHash, OnlyTheStartOfThePromptCounts) {
    std::vector<uint32_t> tokens(300, 5);
    uint32_t first = ask(tokens).index;
    tokens[256] = 9;
    EXPECT_EQ(ask(tokens).index, first);
    std::string text(1'023, 'x');
    uint32_t of_text = ask({}, text + "ä").index;
    EXPECT_EQ(ask({}, text + "äöö").index, of_text) << "1,024 characters, not bytes";
    std::set<uint32_t> picks;
    for (uint32_t i = 0; i < 100; i++) {
        tokens[0] = i;
        picks.insert(ask(tokens).index);
    }
    EXPECT_EQ(picks.size(), 8u);
    picks.clear();
    for (int i = 0; i < 100; i++) picks.insert(ask({}, "text " + std::to_string(i)).index);
    EXPECT_EQ(picks.size(), 8u);
}

TEST_F(PrefixHash, ABusyOwnerGivesWayToTheLeastLoaded) {
    uint32_t owner = ask({}, "hello").index, other = (owner + 1) % 8;
    for (auto& load : workers.now) load.requests = 20;
    workers.now[other].requests = 19;
    workers.now[owner].requests = 31;            // mean (170 + 1) / 8 = 21.4, limit 31.4
    EXPECT_EQ(ask({}, "hello").index, owner);
    workers.now[owner].requests = 32;            // limit 31.5
    EXPECT_EQ(ask({}, "hello").index, other);
    EXPECT_STREQ(ask({}, "hello").why, "owner is busy: fewest requests");
}

TEST_F(PrefixHash, WithoutAnythingToHashTheFewestRequests) {
    for (auto& load : workers.now) load.requests = 1;
    workers.now[5].requests = 0;
    EXPECT_EQ(ask({}).index, 5u);
}

}  // namespace
}  // namespace weir
