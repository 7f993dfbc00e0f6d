// How many requests of a routing key are under way at a rank, and how many keys have any there. All cores.
#pragma once
#include <array>
#include <atomic>
#include <memory>
#include <unordered_map>

#include "base/spinlock.h"
#include "types/worker.h"

namespace weir {

// As large as the requests under way. Every begin() needs its end().
class KeyLoads {
public:
    static constexpr uint32_t ranks_max = 16'384;    // numbers of ranks (RankRef::number); keys at ranks beyond are not counted by rank
    KeyLoads() : keys_at_(std::make_unique<std::atomic<uint32_t>[]>(ranks_max)) {}
    void begin(uint64_t key, const RankRef& rank);
    void end(uint64_t key, const RankRef& rank);
    uint32_t requests(uint64_t key, const RankRef& rank) const;
    uint32_t keys(const RankRef& rank) const { return rank.number < ranks_max ? keys_at_[rank.number].load(std::memory_order_relaxed) : 0; }

private:
    static constexpr size_t shards = 64;
    struct alignas(64) Shard {
        Spinlock lock;
        std::unordered_map<uint64_t, uint32_t> requests;   // of key and rank
    };
    static uint64_t both(uint64_t key, const RankRef& rank) { return mix64(key ^ mix64(rank.number + 1)); }
    Shard& shard(uint64_t both) const { return shards_[both % shards]; }
    mutable std::array<Shard, shards> shards_;
    std::unique_ptr<std::atomic<uint32_t>[]> keys_at_;
};

}  // namespace weir
