// How many requests of a routing key are under way at a rank, and how many keys have any there. All cores.
#pragma once
#include <array>
#include <unordered_map>

#include "base/spinlock.h"
#include "policy/per_rank.h"
#include "types/worker.h"

namespace weir {

// As large as the requests under way. Every begin() needs its end().
class KeyLoads {
public:
    void begin(uint64_t key, const RankRef& rank);
    void end(uint64_t key, const RankRef& rank);
    uint32_t requests(uint64_t key, const RankRef& rank) const;
    uint32_t keys(const RankRef& rank) const { return keys_at_.read(rank.number); }

private:
    static constexpr size_t shards = 64;
    struct alignas(64) Shard {
        Spinlock lock;
        std::unordered_map<uint64_t, uint32_t> requests;   // of key and rank
    };
    static uint64_t both(uint64_t key, const RankRef& rank) { return mix64(key ^ mix64(rank.number + 1)); }
    Shard& shard(uint64_t both) const { return shards_[both % shards]; }
    mutable std::array<Shard, shards> shards_;
    PerRank<uint32_t> keys_at_;
};

}  // namespace weir
