// Entries without events for engines that say how large their KV cache is: what was sent to a rank is believed to be there until
// newer blocks would have pushed it out.
#pragma once
#include <cstdint>
#include <span>
#include <unordered_map>
#include <vector>

#include "kv/index.h"

namespace weir::kv {

// Writes Tier::predicted of an index, as kv/predictions.h does. One thread. Memory: about 100 bytes for each (rank, group of 16 blocks).
// The least recently sent groups of the rank go, of one request the last ones first. Places are exact, ages are those of a group.
class LruPredictions {
public:
    // blocks_max: of all ranks together; beyond, the rank that got more loses older ones.
    LruPredictions(KvIndex& index, uint64_t blocks_max) : index_(index), blocks_max_(blocks_max), entries_(1) {}
    void predict(Rank rank, uint32_t capacity, std::span<const uint64_t> local);   // capacity: blocks of the rank's cache, > 0
    void forget(Rank first, uint32_t n);                 // the ranks are gone, and with them what the index had of them
    uint64_t blocks() const { return blocks_; }          // believed now; what the index evicted for room is among them
    uint64_t evicted() const { return evicted_; }

private:
    struct Entry {
        uint64_t key = 0;                                // rank, group
        uint32_t places = 0;                             // bits of the group
        uint32_t newer = 0, older = 0;                   // of the same rank; 0: none. In the free list: `newer` is the next
    };
    struct OfRank { uint32_t newest = 0, oldest = 0; uint64_t blocks = 0; };
    uint32_t entry_of(Rank rank, uint32_t group);
    void unlink(OfRank& rank, uint32_t number);
    void drop_oldest(OfRank& rank, bool release);

    KvIndex& index_;
    uint64_t blocks_max_;
    std::vector<Entry> entries_;                         // 0 is never used
    uint32_t free_ = 0;
    std::unordered_map<uint64_t, uint32_t> by_key_;
    std::unordered_map<Rank, OfRank> ranks_;
    uint64_t blocks_ = 0, evicted_ = 0;
};

}  // namespace weir::kv
