// Against a list of sequences per rank: ranks do not influence each other, so several threads with ranks of their own stay exact.
#include "kv/active_blocks.h"

#include <gtest/gtest.h>

#include <thread>

#include "base/clock.h"
#include "kv/rank_counts.h"

namespace weir::kv {
namespace {

using Blocks = std::vector<uint64_t>;

uint32_t shared(const Blocks& a, const Blocks& b) {
    uint32_t n = 0;
    while (n < a.size() && n < b.size() && a[n] == b[n]) ++n;
    return n;
}

struct Rank1 {                                   // one rank, said naively
    struct Live { Blocks blocks; ActiveBlocks::Hold hold; };
    std::vector<Live> live;
    uint32_t longest(const Blocks& b, size_t except = SIZE_MAX) const {
        uint32_t n = 0;
        for (size_t i = 0; i < live.size(); ++i)
            if (i != except) n = std::max(n, shared(b, live[i].blocks));
        return n;
    }
    uint32_t distinct() const {
        uint32_t n = 0;
        for (size_t i = 0; i < live.size(); ++i) {
            uint32_t most = 0;
            for (size_t j = 0; j < i; ++j) most = std::max(most, shared(live[i].blocks, live[j].blocks));
            n += static_cast<uint32_t>(live[i].blocks.size()) - most;
        }
        return n;
    }
};

// Few choices near the start, many later: shared prefixes, branches in the middle of runs, whole sequences that are prefixes of others.
Blocks sequence(Random& random, uint32_t longest) {
    Blocks b;
    uint64_t path = random.below(3) + 1;
    for (uint64_t n = random.below(longest + 1); b.size() < n;) {
        path = mix64(path * 8 + (random.below(6) == 0 ? random.below(3) : 0));
        b.push_back(path);
    }
    return b;
}

struct Player {
    ActiveBlocks& all;
    Rank first;
    std::vector<Rank1> ranks;
    Random random;
    std::unique_ptr<ActiveBlocks::Lookup> lookup = all.lookup();
    std::vector<uint32_t> held = std::vector<uint32_t>(ranks.size(), 0);   // fresh - left, as told

    Player(ActiveBlocks& a, Rank f, size_t n, uint64_t seed) : all(a), first(f), ranks(n), random(seed) {}
    Rank number(size_t r) const { return first + static_cast<Rank>(r); }
    void step() {
        const size_t r = random.below(ranks.size());
        Rank1& rank = ranks[r];
        switch (rank.live.size() < random.below(12) ? 0 : random.below(5)) {
        case 0: case 1: {
            Rank1::Live live{sequence(random, 40), {}};
            uint32_t fresh = 0;
            const auto expected = static_cast<uint32_t>(live.blocks.size()) - rank.longest(live.blocks);
            live.hold = all.hold(number(r), live.blocks, fresh);
            ASSERT_EQ(static_cast<bool>(live.hold), !live.blocks.empty());
            ASSERT_EQ(fresh, expected);
            held[r] += fresh;
            rank.live.push_back(std::move(live));
            break;
        }
        case 2: {
            if (rank.live.empty()) return;
            const size_t i = random.below(rank.live.size());
            const size_t to = random.below(ranks.size());
            const Rank1::Live live = rank.live[i];
            const auto n = static_cast<uint32_t>(live.blocks.size());
            ASSERT_EQ(all.alone(number(r), live.hold), n - rank.longest(live.blocks, i));
            if (to == r) return;
            const auto moved = all.move(number(r), number(to), live.hold);
            ASSERT_EQ(moved.left, n - rank.longest(live.blocks, i));
            ASSERT_EQ(moved.fresh, n - ranks[to].longest(live.blocks));
            held[r] -= moved.left, held[to] += moved.fresh;
            rank.live.erase(rank.live.begin() + static_cast<long>(i));
            ranks[to].live.push_back(live);
            break;
        }
        case 3: {
            if (rank.live.empty()) return;
            const size_t i = random.below(rank.live.size());
            const uint32_t expected = static_cast<uint32_t>(rank.live[i].blocks.size()) - rank.longest(rank.live[i].blocks, i);
            const uint32_t left = all.release(number(r), rank.live[i].hold);
            ASSERT_EQ(left, expected);
            held[r] -= left;
            rank.live.erase(rank.live.begin() + static_cast<long>(i));
            ASSERT_EQ(held[r], rank.distinct());
            break;
        }
        default: {
            const Blocks query = sequence(random, 50);
            std::vector<uint32_t> got(ranks.size(), 0);
            for (auto& m : lookup->match(query)) {
                ASSERT_GT(m.blocks, 0u);
                if (m.rank >= first && m.rank - first < ranks.size()) got[m.rank - first] = m.blocks;
            }
            for (size_t i = 0; i < ranks.size(); ++i) ASSERT_EQ(got[i], ranks[i].longest(query)) << "rank " << i;
        }
        }
    }
    void end() {
        for (size_t r = 0; r < ranks.size(); ++r) {
            for (auto& live : ranks[r].live) held[r] -= all.release(number(r), live.hold);
            EXPECT_EQ(held[r], 0u);
        }
    }
};

TEST(ActiveBlocks, AgreesWithAListOfSequences) {
    auto all = *ActiveBlocks::make(64 << 20);
    const uint64_t bytes_empty = all->bytes();
    for (uint64_t seed = 1; seed <= 6; ++seed) {
        Player player(*all, 5, 1 + seed * seed, seed);
        for (int i = 0; i < 2'000; ++i) {
            player.step();
            if (HasFatalFailure()) FAIL() << "seed " << seed << " step " << i;
        }
        player.end();
        EXPECT_EQ(all->nodes(), 0u);
        EXPECT_LT(all->bytes(), bytes_empty + (1 << 20)) << "only tables of buckets may stay";
    }
}

TEST(ActiveBlocks, AgreesOnSeveralThreads) {
    auto all = *ActiveBlocks::make(64 << 20);
    std::vector<std::thread> threads;
    for (uint32_t t = 0; t < 4; ++t)
        threads.emplace_back([&, t] {
            Player player(*all, t * 7, 7, t + 1);
            for (int i = 0; i < 2'000 && !testing::Test::HasFailure(); ++i) player.step();
            player.end();
        });
    for (auto& t : threads) t.join();
    EXPECT_EQ(all->nodes(), 0u);
}

TEST(ActiveBlocks, RunsAreOneNodeHoweverTheyCame) {
    auto all = *ActiveBlocks::make(1 << 20);
    Blocks long_one(1'000), other;
    for (size_t i = 0; i < long_one.size(); ++i) long_one[i] = mix64(i);
    other.assign(long_one.begin(), long_one.begin() + 300);
    uint32_t fresh = 0;
    auto a = all->hold(1, long_one, fresh);
    EXPECT_EQ(fresh, 1'000u);
    EXPECT_EQ(all->nodes(), 1u);
    auto b = all->hold(1, other, fresh);
    EXPECT_EQ(fresh, 0u);
    EXPECT_EQ(all->nodes(), 2u);
    EXPECT_EQ(all->release(1, b), 0u);
    EXPECT_EQ(all->nodes(), 1u) << "nobody ends in the middle any more";
    b = all->hold(2, other, fresh);
    EXPECT_EQ(fresh, 300u) << "another rank";
    EXPECT_EQ(all->release(1, a), 1'000u);
    EXPECT_EQ(all->release(2, b), 300u);
    EXPECT_EQ(all->nodes(), 0u);
}

TEST(ActiveBlocks, HasAByteBound) {
    EXPECT_FALSE(ActiveBlocks::make(100));
    auto all = *ActiveBlocks::make(ActiveBlocks::bytes_min);
    std::vector<ActiveBlocks::Hold> holds;
    for (uint64_t i = 0; all->refused() == 0; ++i) {
        ASSERT_LT(i, 10'000u);
        Blocks b(1 + i % 50, mix64(i));
        uint32_t fresh = 0;
        holds.push_back(all->hold(3, b, fresh));
        EXPECT_EQ(fresh, b.size());
        EXPECT_LE(all->bytes(), ActiveBlocks::bytes_min);
    }
    EXPECT_FALSE(holds.back());
    EXPECT_GT(holds.size(), 50u);
    EXPECT_EQ(all->release(3, holds.back()), 0u) << "nothing is remembered of it";
    for (auto& h : holds) all->release(3, h);
    EXPECT_EQ(all->nodes(), 0u);
}

TEST(RankCounts, AgreesWithAMap) {
    Random random(3);
    for (uint32_t ranks : {2u, 3u, 9u, 700u}) {
        RankCounts counts;
        std::vector<uint32_t> naive(ranks, 0);
        for (uint32_t i = 0; i < 20'000; ++i) {
            const auto r = static_cast<uint32_t>(random.below(ranks));
            const bool shrink = i / 4'000 % 2;
            if (random.below(10) < (shrink ? 3u : 7u)) {
                const size_t bytes = counts.bytes_after_add(r);
                ASSERT_EQ(counts.add(r), ++naive[r]);
                ASSERT_EQ(counts.bytes(), bytes);
            } else if (naive[r]) {
                ASSERT_EQ(counts.take(r), --naive[r]);
            }
            ASSERT_EQ(counts.of(r), naive[r]);
        }
        RankCounts copy(counts);
        uint32_t n = 0;
        copy.each([&](uint32_t r, uint32_t c) { EXPECT_EQ(c, naive[r]); ++n; });
        EXPECT_EQ(n, copy.size());
        EXPECT_EQ(n, ranks - static_cast<uint32_t>(std::count(naive.begin(), naive.end(), 0u)));
    }
}

}  // namespace
}  // namespace weir::kv
