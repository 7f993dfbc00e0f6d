// Prefixes that come and go for ever, from several threads, under a small budget: memory stays where it was.
//   WEIR_KV_CHURN_SECONDS   how long (default: for block_turns behind the first evictions)
#include <gmock/gmock.h>

#include <atomic>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <thread>

#include "base/clock.h"
#include "kv/index.h"
#include "kv/matcher.h"

namespace weir::kv {
namespace {

#if defined(WEIR_SANITIZED)
constexpr uint64_t budget = index_bytes_min, warm_evictions = 5'000, block_turns = 25'000;
#else
constexpr uint64_t budget = 64 << 20, warm_evictions = 300'000, block_turns = 1'500'000;
#endif
constexpr uint32_t writers = 2, ranks_each = 16, path_blocks = 96;

uint64_t resident_bytes() {
    unsigned long pages = 0;
    if (FILE* f = std::fopen("/proc/self/statm", "r")) {
        if (std::fscanf(f, "%*u %lu", &pages) != 1) pages = 0;
        std::fclose(f);
    }
    return pages * 4'096;
}

// A conversation of its own: some begin like others do, all end differently. Every 8th is taken back by its engine, now and then all of a rank.
void conversation(KvIndex& index, Rank rank, uint64_t number, std::vector<Block>& blocks) {
    blocks.clear();
    uint64_t name = 1 + number % 50;
    for (uint32_t i = 0; i < path_blocks; ++i) {
        const uint64_t local = i < 16 ? number % 50 * 100 + i : mix64(number * path_blocks + i + uint64_t{rank} * 0x9e3779b97f4a7c15);
        name = mix64(name ^ local);
        blocks.push_back({name, local});
    }
    index.stored(rank, number % 5 ? Tier::device : Tier::host, nullptr, blocks);
    if (number % 8 == 0) {
        std::vector<uint64_t> names;
        for (const Block& b : blocks) names.push_back(b.name);
        index.removed(rank, number % 5 ? Tier::device : Tier::host, names);
    }
    if (number % 5'000 == 4'999) index.remove_ranks(rank, 1);
}

TEST(IndexChurn, MemoryStaysWhereItWas) {
    const char* text = std::getenv("WEIR_KV_CHURN_SECONDS");
    const uint64_t seconds = text ? std::strtoull(text, nullptr, 10) : 0;
    auto index = *KvIndex::make({.bytes_max = budget});
    std::atomic<uint64_t> stored{0};
    std::atomic<bool> stop{false};
    std::vector<std::thread> threads;
    for (uint32_t w = 0; w < writers; ++w)
        threads.emplace_back([&, w] {
            std::vector<Block> blocks;
            for (uint64_t n = 0; !stop; ++n) {
                conversation(*index, w * ranks_each + n % ranks_each, n, blocks);
                stored += path_blocks;
            }
        });
    threads.emplace_back([&] {
        Matcher matcher(*index);
        std::vector<uint64_t> query(path_blocks);
        for (uint64_t n = 0; !stop; ++n) {
            for (uint32_t i = 0; i < path_blocks; ++i) query[i] = n % 50 * 100 + i;
            matcher.match(query);
        }
    });
    const auto tick = [&] {
        ASSERT_LE(index->stats().bytes, budget);
        std::this_thread::sleep_for(std::chrono::milliseconds(1));
    };
    while (index->stats().evicted_budget < warm_evictions) tick();
    const uint64_t before = resident_bytes(), from = stored;
    uint64_t most = before;
    const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(seconds);
    while (stored < from + block_turns || std::chrono::steady_clock::now() < end) {
        tick();
        most = std::max(most, resident_bytes());
    }
    stop = true;
    for (auto& t : threads) t.join();
    const IndexStats s = index->stats();
    std::printf("%llu blocks stored, %llu evicted; resident %.1f MB, at most %.1f MB\n", static_cast<unsigned long long>(stored.load()),
                static_cast<unsigned long long>(s.evicted_budget), static_cast<double>(before) / 1e6, static_cast<double>(most) / 1e6);
    EXPECT_GT(s.evicted_budget, 0u);
    EXPECT_LE(s.bytes, budget);
#if !defined(WEIR_SANITIZED)                            // those keep what was freed
    EXPECT_LE(most, before + budget / 8);
#endif
}

}  // namespace
}  // namespace weir::kv
