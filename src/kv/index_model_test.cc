// The index against kv/naive_index_test.h: alone exactly, with several threads exactly at every halt and, for ranks nobody changes, always.
//   WEIR_KV_OPERATIONS   blocks stored, names removed and other changes, per seed and test (default 50,000; lookups come on top)
//   WEIR_KV_SEEDS        default 3
#include <gmock/gmock.h>

#include <atomic>
#include <barrier>
#include <cstdlib>
#include <thread>

#include "kv/naive_index_test.h"

namespace weir::kv {
namespace {

uint64_t setting(const char* name, uint64_t otherwise) {
    const char* text = std::getenv(name);
    return text ? std::strtoull(text, nullptr, 10) : otherwise;
}
uint64_t operations() { return setting("WEIR_KV_OPERATIONS", 50'000); }
uint64_t seeds() { return setting("WEIR_KV_SEEDS", 3); }

std::unique_ptr<KvIndex> make(uint64_t bytes = 256 << 20) { return *KvIndex::make({.bytes_max = bytes}); }

TEST(IndexModel, OneThread) {
    for (uint64_t seed = 1; seed <= seeds(); ++seed) {
        auto index = make();
        Matcher matcher(*index);
        Random random(seed);
        RankScript<Random> script(*index, 0, 7, 2 + static_cast<uint32_t>(seed % 3));
        while (script.operations() < operations()) {
            script.step(random);
            const auto query = script.query(random);
            ASSERT_EQ(compare(matcher, script.models(), 0, query), "") << "seed " << seed << " operation " << script.operations();
        }
        for (Rank r = 0; r < 7; ++r) index->remove_ranks(r, 1);
        while (index->tend()) {}
        const IndexStats s = index->stats();
        EXPECT_EQ(s.memberships, 0u);
        EXPECT_EQ(s.blocks, 0u);
        EXPECT_EQ(s.groups, 0u);
        EXPECT_EQ(s.sets, 0u);
        EXPECT_EQ(s.aliases, 0u);
        EXPECT_EQ(s.evicted_budget + s.refused, 0u);
    }
}

TEST(IndexModel, SeveralThreads) {
    constexpr uint32_t writers = 3, ranks = 5, readers = 2, rounds = 5, still = 40;
    for (uint64_t seed = 1; seed <= seeds(); ++seed) {
        auto index = make();
        Random random(seed);
        // Ranks that never change again: their answers must be right at every moment.
        RankScript<Random> calm(*index, still, ranks, 3);
        for (int n = 0; n < 2'000; ++n) calm.step(random);
        std::vector<std::unique_ptr<RankScript<Random>>> scripts;
        for (uint32_t w = 0; w < writers; ++w) scripts.push_back(std::make_unique<RankScript<Random>>(*index, w * ranks, ranks, 3));

        std::barrier halt(writers + readers + 1);
        std::atomic<uint32_t> busy{0};
        std::atomic<uint64_t> wrong{0};
        std::vector<std::thread> threads;
        for (uint32_t w = 0; w < writers; ++w)
            threads.emplace_back([&, w, own = random.split(w)]() mutable {
                for (uint32_t round = 0; round < rounds; ++round) {
                    halt.arrive_and_wait();
                    while (scripts[w]->operations() < operations() * (round + 1) / rounds / writers) scripts[w]->step(own);
                    busy.fetch_sub(1);
                    halt.arrive_and_wait();
                    halt.arrive_and_wait();
                }
            });
        for (uint32_t i = 0; i < readers; ++i)
            threads.emplace_back([&, own = random.split(100 + i)]() mutable {
                Matcher matcher(*index);
                for (uint32_t round = 0; round < rounds; ++round) {
                    halt.arrive_and_wait();
                    while (busy.load() != 0) {
                        wrong += !compare(matcher, calm.models(), still, calm.query(own)).empty();
                        std::this_thread::yield();             // on few cores most of the time is the writers'
                    }
                    halt.arrive_and_wait();
                    halt.arrive_and_wait();
                }
            });
        Matcher matcher(*index);
        std::string difference;
        for (uint32_t round = 0; round < rounds; ++round) {
            busy = writers;
            halt.arrive_and_wait();                // go
            halt.arrive_and_wait();                // all have stopped
            for (uint32_t w = 0; w < writers && difference.empty(); ++w)
                for (int n = 0; n < 300 && difference.empty(); ++n)
                    difference = compare(matcher, scripts[w]->models(), w * ranks, scripts[w]->query(random));
            halt.arrive_and_wait();                // looked
        }
        for (auto& t : threads) t.join();
        ASSERT_EQ(difference, "") << "seed " << seed;
        ASSERT_EQ(wrong.load(), 0u) << "seed " << seed;
    }
}

// Little room: never more than the model says, and the budget holds at every moment.
TEST(IndexModel, UnderABudgetNeverTooMuch) {
    for (uint64_t seed = 1; seed <= seeds(); ++seed) {
        auto index = make(index_bytes_min);
        Matcher matcher(*index);
        Random random(seed);
        RankScript<Random> script(*index, 0, 60, 1'000'000, false);
        std::map<Rank, RankOverlap> got;
        while (script.operations() < operations()) {
            script.step(random);
            const auto query = script.query(random);
            for (const RankOverlap& o : matcher.match(query)) {
                const RankOverlap most = script.models()[o.rank].match(o.rank, query);
                ASSERT_LE(o.total(), most.total()) << "seed " << seed << " operation " << script.operations();
            }
            ASSERT_LE(index->stats().bytes, index_bytes_min);
        }
        if (operations() >= 50'000) { EXPECT_GT(index->stats().evicted_budget, 0u); }
    }
}

}  // namespace
}  // namespace weir::kv
