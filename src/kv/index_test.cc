#include "kv/index.h"

#include <gmock/gmock.h>

#include <fstream>
#include <string>

#include "kv/block_hash.h"
#include "kv/matcher.h"
#include "kv/naive_index_test.h"
#include "kv/lru_predictions.h"
#include "kv/predictions.h"

namespace weir::kv {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;
using testing::UnorderedElementsAre;
using Locals = std::vector<uint64_t>;

struct KvIndexTest : testing::Test {
    std::unique_ptr<KvIndex> index = *KvIndex::make({.bytes_max = 64 << 20});
    Matcher matcher{*index};

    static std::vector<Block> blocks(const Locals& locals, uint64_t first_name) {
        std::vector<Block> out;
        for (uint64_t l : locals) out.push_back({first_name++, l});
        return out;
    }
    void store(Rank rank, const Locals& locals, uint64_t first_name, uint64_t parent = 0, Tier tier = Tier::device) {
        index->stored(rank, tier, parent ? &parent : nullptr, blocks(locals, first_name));
    }
    void remove(Rank rank, const Locals& names, Tier tier = Tier::device) { index->removed(rank, tier, names); }
    std::vector<RankOverlap> match(const Locals& locals) {
        const auto got = matcher.match(locals);
        return {got.begin(), got.end()};
    }
    static RankOverlap on_device(Rank rank, uint32_t n) { return {rank, n, 0, 0, 0, 0}; }
};

TEST_F(KvIndexTest, LeadingBlocksOfEachRank) {
    EXPECT_THAT(match({1, 2}), IsEmpty());
    EXPECT_THAT(match({}), IsEmpty());
    store(0, {1, 2, 3, 4}, 100);
    store(1, {1, 2, 9}, 100);
    EXPECT_THAT(match({1, 2, 3, 7}), UnorderedElementsAre(on_device(0, 3), on_device(1, 2)));
    EXPECT_THAT(match({1, 2, 9, 7}), UnorderedElementsAre(on_device(0, 2), on_device(1, 3)));
    EXPECT_THAT(match({2, 3}), IsEmpty());
    remove(0, {101});                                       // a hole: what stands behind does not count, until it is filled
    EXPECT_THAT(match({1, 2, 3, 4}), UnorderedElementsAre(on_device(0, 1), on_device(1, 2)));
    store(0, {2}, 101, 100);
    EXPECT_THAT(match({1, 2, 3, 4}), UnorderedElementsAre(on_device(0, 4), on_device(1, 2)));
}

TEST_F(KvIndexTest, NamesOfRanksThatCameWhileASweepRuns) {
    constexpr uint32_t path = 200, late_first = 10, late = 200;
    Locals locals;
    for (uint64_t n = 1; n <= path; ++n) locals.push_back(n);
    store(0, locals, 1'000);
    for (Rank r = 1; r <= 4; ++r) store(r, locals, 10'000 * r);          // names of their own
    index->cleared(1);
    for (Rank r = late_first; r < late_first + late; ++r) {               // the sweep has begun by the first of them
        store(r, {1, 2, 3, 4, 5, 6, 7, 8}, 100'000 * r);
        remove(2, {20'000 + (r - late_first)});                           // the newest name takes the place of the one removed
    }
    while (index->tend()) {}
    for (Rank r = late_first; r < late_first + late; ++r) {
        remove(r, {100'000 * r + 7});
        EXPECT_THAT(match(locals), testing::Contains(on_device(r, 7)));
    }
    EXPECT_EQ(index->stats().unknown_removed, 0u);
    EXPECT_EQ(index->stats().aliases, 2 * path + late * 7);
}

TEST_F(KvIndexTest, TiersGoOnWhereTheNearerOneEnds) {
    store(0, {1, 2, 3, 4, 5, 6, 7, 8}, 100);
    store(0, {1, 2, 3, 4, 5, 6}, 100, 0, Tier::host);
    store(0, {7, 8}, 106, 105, Tier::disk);
    remove(0, {107, 106, 105, 104, 103});
    EXPECT_THAT(match({1, 2, 3, 4, 5, 6, 7, 8}), ElementsAre(RankOverlap{0, 3, 3, 2, 0, 0}));
    remove(0, {100, 101, 102});
    EXPECT_THAT(match({1, 2, 3, 4, 5, 6, 7, 8}), ElementsAre(RankOverlap{0, 0, 6, 2, 0, 0}));
    index->cleared(0, Tier::host);
    EXPECT_THAT(match({1, 2, 3, 4, 5, 6, 7, 8}), IsEmpty());
}

TEST_F(KvIndexTest, EventsOutOfOrder) {
    store(0, {3, 4}, 102, 101);                             // before its parent
    EXPECT_THAT(match({1, 2, 3, 4}), IsEmpty());
    store(0, {5}, 104, 103);                                // and behind that
    remove(0, {103});                                       // gone before it came
    store(0, {1, 2}, 100);
    EXPECT_THAT(match({1, 2, 3, 4, 5}), ElementsAre(on_device(0, 3)));
    EXPECT_EQ(index->stats().parked, 2u);
    EXPECT_EQ(index->stats().unparked, 1u);                 // the other one's parent is not there
    EXPECT_EQ(index->stats().memberships, 3u);
    store(1, {3}, 102, 101);                                // what rank 0 knows does not help rank 1
    EXPECT_THAT(match({1, 2, 3}), ElementsAre(on_device(0, 3)));
}

TEST_F(KvIndexTest, ParkedEventsAreBounded) {
    for (uint64_t i = 0; i < parked_events_max + 10; ++i) store(0, {1}, 1'000'000 + i, 1 + i);
    EXPECT_EQ(index->stats().parked_dropped, 10u);
    store(0, {7}, 5);                                       // parent of a dropped one
    EXPECT_EQ(index->stats().unparked, 0u);
    store(0, {7}, 11);                                      // of the oldest that is left
    EXPECT_EQ(index->stats().unparked, 1u);
    index->cleared(0);
    EXPECT_EQ(index->stats().parked_dropped, 10u + parked_events_max - 1);
}

TEST_F(KvIndexTest, OwnNamesOfARank) {
    store(0, {1, 2, 3}, 100);
    store(1, {1, 2, 3}, 200);
    store(2, {1, 2, 3}, 100);
    EXPECT_EQ(index->stats().aliases, 3u);
    remove(1, {101});                                       // not its name
    EXPECT_EQ(index->stats().unknown_removed, 1u);
    store(1, {4}, 203, 202);
    remove(0, {100, 101, 102});
    EXPECT_THAT(match({1, 2, 3, 4}), UnorderedElementsAre(on_device(1, 4), on_device(2, 3)));
    remove(1, {203, 202, 201, 200});
    EXPECT_EQ(index->stats().aliases, 0u);
}

TEST_F(KvIndexTest, ClearedCountsAtOnceAndIsSweptLater) {
    for (uint64_t i = 0; i < 500; ++i) store(static_cast<Rank>(i % 3), {i, 1, 2}, 1000 + i * 10);
    index->cleared(1);
    EXPECT_THAT(match({1, 1, 2}), IsEmpty());
    EXPECT_THAT(match({0, 1, 2}), ElementsAre(on_device(0, 3)));
    store(1, {1, 1}, 1010);                                 // it starts anew, under names it had
    EXPECT_THAT(match({1, 1, 2}), ElementsAre(on_device(1, 2)));
    while (index->tend()) {}
    EXPECT_EQ(index->stats().memberships, (167u + 166u) * 3 + 2);
    index->remove_ranks(0, 3);
    while (index->tend()) {}
    EXPECT_EQ(index->stats().groups, 0u);
}

TEST_F(KvIndexTest, HolderNumbersAreUsedAgain) {
    for (int i = 0; i < 200'000; ++i) {                     // more than there are
        store(0, {1}, 1);
        index->cleared(0);
    }
    store(0, {1}, 1);
    EXPECT_THAT(match({1}), ElementsAre(on_device(0, 1)));
    EXPECT_EQ(index->stats().refused, 0u);
}

TEST_F(KvIndexTest, RebuildIsSeenWhole) {
    store(0, {1, 2, 3}, 100);
    index->rebuild_begin(0);
    store(0, {1, 2, 3, 4, 5}, 100);
    EXPECT_THAT(match({1, 2, 3, 4, 5}), ElementsAre(on_device(0, 3)));
    index->rebuild_commit(0);
    EXPECT_THAT(match({1, 2, 3, 4, 5}), ElementsAre(on_device(0, 5)));
    index->rebuild_begin(0);
    store(0, {9}, 900);
    index->rebuild_abort(0);
    EXPECT_THAT(match({1, 2, 3, 4, 5}), ElementsAre(on_device(0, 5)));
    EXPECT_THAT(match({9}), IsEmpty());
}

TEST_F(KvIndexTest, ThousandRanksHoldTheSame) {
    Locals prompt(100);
    for (uint64_t i = 0; i < prompt.size(); ++i) prompt[i] = i + 5;
    for (Rank r = 0; r < 1'000; ++r) store(r, Locals(prompt.begin(), prompt.begin() + 1 + r % 100), 1);
    const auto got = match(prompt);
    ASSERT_EQ(got.size(), 1'000u);
    for (const auto& o : got) EXPECT_EQ(o.device, 1 + o.rank % 100);
    EXPECT_EQ(index->stats().sets, 100u);
    for (Rank r = 0; r < 1'000; r += 2) index->remove_ranks(r, 1);
    while (index->tend()) {}
    EXPECT_EQ(match(prompt).size(), 500u);
}

TEST_F(KvIndexTest, DumpRebuildsARank) {
    for (uint64_t seed = 1; seed <= 6; ++seed) {
        auto from = *KvIndex::make({.bytes_max = 64 << 20}), to = *KvIndex::make({.bytes_max = 64 << 20});
        Random random(seed);
        RankScript<Random> script(*from, 0, 7, 3, false);
        for (int n = 0; n < 3'000; ++n) script.step(random);
        for (Rank r = 0; r < 7; ++r)
            from->dump(r, [&](const Change& c) {
                std::vector<uint64_t> names;
                for (const Block& b : c.blocks) names.push_back(b.name);
                if (c.kind == Change::removed) to->removed(r, c.tier, names);
                else to->stored(r, c.tier, c.has_parent ? &c.parent : nullptr, c.blocks);
            });
        EXPECT_EQ(to->stats().parked, 0u);
        for (auto& model : script.models()) model.rebuild_abort();      // a dump is what lookups see
        Matcher look(*to);
        for (int n = 0; n < 2'000; ++n) ASSERT_EQ(compare(look, script.models(), 0, script.query(random)), "") << "seed " << seed;
    }
}

uint64_t resident() {
    std::ifstream status("/proc/self/status");
    for (std::string line; std::getline(status, line);)
        if (line.starts_with("RssAnon:")) return std::strtoull(line.c_str() + 8, nullptr, 10) * 1024;
    return 0;
}

// New prefixes for ever, nothing ever removed: the budget holds, memory stays flat, what is in use stays.
TEST_F(KvIndexTest, ChurnWithinTheBudget) {
    constexpr uint64_t budget = 8 << 20;
    auto small = *KvIndex::make({.bytes_max = budget});
    Matcher look(*small);
    Locals hot(200);
    for (uint64_t i = 0; i < hot.size(); ++i) hot[i] = mix64(i);
    small->stored(3, Tier::device, nullptr, blocks(hot, 1));
    uint64_t after_a_tenth = 0;
    for (uint64_t n = 1; n <= 20'000; ++n) {
        Locals locals(1 + n % 90);
        for (auto& l : locals) l = mix64(n * 1'000'003 + static_cast<uint64_t>(&l - locals.data()));
        small->stored(static_cast<Rank>(n % 4), Tier::device, nullptr, blocks(locals, n << 20));
        ASSERT_EQ(look.match(hot).size(), 1u) << n;
        ASSERT_EQ(look.match(hot)[0].device, 200u) << n;
        if (n == 2'000) after_a_tenth = resident();
    }
    const IndexStats s = small->stats();
    EXPECT_LE(s.bytes, budget);
    EXPECT_GT(s.evicted_budget, 500'000u);
    EXPECT_EQ(s.refused, 0u);
    EXPECT_GT(s.memberships, 100'000u);                     // and the budget is used
    (void)after_a_tenth;
#ifndef WEIR_SANITIZED
    EXPECT_LT(resident(), after_a_tenth + (6 << 20));
#endif
}

// Every block its own set of holders: the dearest content there is.
TEST_F(KvIndexTest, ManySetsWithinTheBudget) {
    auto small = *KvIndex::make({.bytes_max = 2 << 20});
    Random random(3);
    for (int n = 0; n < 60'000; ++n) {
        const uint64_t local = random.below(3'000);
        const auto rank = static_cast<Rank>(random.below(700));
        if (random.below(4)) small->stored(rank, Tier::device, nullptr, blocks({local}, local + 1));
        else small->removed(rank, Tier::device, std::vector<uint64_t>{local + 1});
        ASSERT_LE(small->stats().bytes, 2u << 20);
    }
    EXPECT_GT(small->stats().sets, 500u);
}

TEST_F(KvIndexTest, TooSmallABudgetIsRefused) {
    const auto made = KvIndex::make({.bytes_max = 1000});
    ASSERT_FALSE(made);
    EXPECT_EQ(made.error()->code, Code::bad_field);
}

struct PredictionsTest : KvIndexTest {
    Locals prompt(uint64_t seed, size_t n) {
        Locals out(n);
        for (size_t i = 0; i < n; ++i) out[i] = mix64(seed * 1'000 + i);
        return out;
    }
    uint32_t predicted(const Locals& locals, Rank rank) {
        for (const auto& o : match(locals)) if (o.rank == rank) return o.predicted;
        return 0;
    }
    static Instant at(uint64_t ms) { return (1'000'000 + ms) * ns_per_ms; }
};

TEST_F(PredictionsTest, HoldForTheirTimeSinceTheLastTouch) {
    Predictions predictions(*index, {.ttl_ms = 120'000});
    const Locals p = prompt(1, 50);
    predictions.predict(4, p, at(0));
    EXPECT_EQ(predicted(p, 4), 50u);
    predictions.predict(4, std::span(p).first(20), at(60'000));
    predictions.expire(at(119'000));
    EXPECT_EQ(predicted(p, 4), 50u);
    predictions.expire(at(121'000));
    EXPECT_EQ(predicted(p, 4), 20u);
    EXPECT_EQ(predictions.blocks(), 20u);
    predictions.expire(at(179'000));
    EXPECT_EQ(predicted(p, 4), 20u);
    predictions.expire(at(10'000'000));
    EXPECT_THAT(match(p), IsEmpty());
    EXPECT_EQ(predictions.blocks(), 0u);
    EXPECT_EQ(predictions.expired(), 50u);
    EXPECT_EQ(index->stats().groups, 0u);
}

TEST_F(PredictionsTest, TheLeastRecentlySentGoWhenACacheWouldBeFull) {
    LruPredictions lru(*index, 1'000);
    const Locals a = prompt(1, 40), b = prompt(2, 40), c = prompt(3, 40);
    lru.predict(0, 100, a);
    lru.predict(0, 100, b);
    lru.predict(1, 40, a);
    EXPECT_EQ(predicted(a, 0) + predicted(b, 0), 80u);
    lru.predict(0, 100, std::span(a).first(16));         // its beginning was used again
    lru.predict(0, 100, c);
    EXPECT_EQ(predicted(c, 0), 40u);
    EXPECT_EQ(predicted(a, 0), 16u) << "the end goes before what others may share";
    EXPECT_LE(lru.blocks(), 100u + 40);
    EXPECT_EQ(predicted(a, 1), 40u) << "another rank's are its own";
    const uint64_t before = lru.blocks();
    EXPECT_GT(lru.evicted(), 0u);
    index->remove_ranks(0, 1);
    lru.forget(0, 1);
    EXPECT_EQ(lru.blocks(), 40u);
    EXPECT_LT(lru.blocks(), before);
    lru.predict(1, 30, b);                               // longer than the cache: its beginning stays
    EXPECT_GT(predicted(b, 1), 0u);
    EXPECT_LE(predicted(b, 1), 30u);
    EXPECT_EQ(predicted(a, 1), 0u);
}

TEST_F(PredictionsTest, LeastRecentOnesOfAllRanksHaveABound) {
    LruPredictions lru(*index, 100);
    for (Rank rank = 0; rank < 50; ++rank)
        for (uint64_t seed = 0; seed < 10; ++seed) {
            lru.predict(rank, 1'000, prompt(seed, 48));
            ASSERT_LE(lru.blocks(), 100u);
        }
    EXPECT_EQ(lru.blocks() + lru.evicted(), 50u * 10 * 48);
}

TEST_F(PredictionsTest, StandBesideEvents) {
    Predictions predictions(*index, {});
    const Locals p = prompt(1, 10);
    predictions.predict(0, p, at(0));
    index->stored(0, Tier::device, nullptr, blocks(Locals(p.begin(), p.begin() + 4), 1));
    EXPECT_THAT(match(p), ElementsAre(RankOverlap{0, 4, 0, 0, 0, 10}));
    predictions.expire(at(200'000));
    EXPECT_THAT(match(p), ElementsAre(on_device(0, 4)));
    predictions.predict(0, p, at(200'000));
    index->cleared(0);
    EXPECT_THAT(match(p), IsEmpty());
}

TEST_F(PredictionsTest, TheOldestGoWhenThereAreTooMany) {
    Predictions predictions(*index, {.blocks_max = 1'000, .prune_target_ratio = 0.8});
    for (uint64_t i = 0; i < 10; ++i) predictions.predict(0, prompt(i, 100), at(i * 1'000));
    EXPECT_EQ(predictions.blocks(), 1'000u);
    predictions.predict(0, prompt(0, 100), at(10'000));     // used again
    predictions.predict(0, prompt(10, 100), at(11'000));
    EXPECT_LE(predictions.blocks(), 800u);
    EXPECT_GE(predictions.blocks(), 780u);
    EXPECT_EQ(predicted(prompt(0, 100), 0), 100u);
    EXPECT_EQ(predicted(prompt(10, 100), 0), 100u);
    EXPECT_EQ(predicted(prompt(1, 100), 0), 0u);
    EXPECT_GT(predictions.pruned(), 290u);
}

}  // namespace
}  // namespace weir::kv
