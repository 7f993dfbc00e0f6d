// Entries without events: what a routing decision says a rank will soon hold, believed for a while.
#pragma once
#include <cstdint>
#include <span>
#include <unordered_map>
#include <vector>

#include "base/clock.h"
#include "kv/index.h"

namespace weir::kv {

struct PredictionSettings {
    uint64_t ttl_ms = 120'000;                  // since the last decision that named the block; at least 1
    uint64_t blocks_max = 1'048'576;            // (block, rank) pairs; above it the oldest go until blocks_max * prune_target_ratio are left
    double prune_target_ratio = 0.8;            // (0, 1]
};

// Writes Tier::predicted of an index; lookups give the count beside the others, callers take the larger. One thread, the one where the
// ranks' events are applied. Memory: about 100 bytes for each (rank, group of 16 blocks), bounded by blocks_max.
// Expiry is by block, in steps of ttl / 1024 (late by one step at most). What the index evicts or clears is forgotten here as it expires.
class Predictions {
public:
    Predictions(KvIndex& index, PredictionSettings settings);
    void predict(Rank rank, std::span<const uint64_t> local, Instant now);   // the request's full blocks, the rank it went to
    void expire(Instant now);                   // call every so often; predict does it too
    uint64_t blocks() const { return blocks_; } // believed now; counts evicted ones until they would have expired
    uint64_t pruned() const { return pruned_; }
    uint64_t expired() const { return expired_; }

private:
    struct Entry {                              // one rank's predictions in one group
        uint64_t key = 0;                       // rank, group
        uint32_t until[group_blocks] = {};      // step at which a place ends; 0 = not predicted
        uint32_t next = 0;                      // in its bucket's list, or in the free list
    };
    void touch(Rank rank, uint32_t group, uint32_t from, uint32_t to, uint32_t until);
    void drop_due(uint32_t entry, uint32_t step, bool prune);
    void file(uint32_t entry);
    uint32_t step_of(Instant now) const { return static_cast<uint32_t>((now - start_) / step_ns_) + 1; }
    void prune();

    KvIndex& index_;
    PredictionSettings settings_;
    uint64_t step_ns_;
    Instant start_ = 0;
    uint32_t done_ = 0;                         // steps up to here are behind us
    std::vector<uint32_t> buckets_;             // by step modulo their number: entries to look at then
    std::vector<Entry> entries_;                // 0 is never used
    uint32_t free_ = 0;
    std::unordered_map<uint64_t, uint32_t> by_key_;
    uint64_t blocks_ = 0, pruned_ = 0, expired_ = 0;
};

}  // namespace weir::kv
