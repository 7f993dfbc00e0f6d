#include "kv/lru_predictions.h"

#include <bit>

#include "base/assert.h"

namespace weir::kv {

void LruPredictions::predict(Rank rank, uint32_t capacity, std::span<const uint64_t> local) {
    ASSERT(capacity > 0);
    struct Touched { uint32_t group, from, to; };
    std::vector<Touched> touched;
    touched.reserve(local.size() / group_blocks + 2);
    index_.hold_path(rank, local, [&](uint32_t group, uint32_t from, uint32_t to) { touched.push_back({group, from, to}); });
    OfRank& own = ranks_[rank];
    for (size_t i = touched.size(); i-- > 0;) {          // the path's end first: its beginning is what others share
        const Touched& t = touched[i];
        const uint32_t number = entry_of(rank, t.group);
        Entry& e = entries_[number];
        unlink(own, number);
        e.older = own.newest, e.newer = 0;
        (own.newest ? entries_[own.newest].newer : own.oldest) = number;
        own.newest = number;
        const uint32_t places = (2u << t.to) - (1u << t.from), fresh = static_cast<uint32_t>(std::popcount(places & ~e.places));
        e.places |= places;
        own.blocks += fresh, blocks_ += fresh;
    }
    while (own.oldest && (own.blocks > capacity || blocks_ > blocks_max_)) drop_oldest(own, true);
    if (!own.oldest) ranks_.erase(rank);
}

uint32_t LruPredictions::entry_of(Rank rank, uint32_t group) {
    uint32_t& number = by_key_[uint64_t{rank} << 32 | group];
    if (number) return number;
    if (free_) {
        number = free_;
        free_ = entries_[number].newer;
    } else {
        number = static_cast<uint32_t>(entries_.size());
        entries_.emplace_back();
    }
    entries_[number] = {};
    entries_[number].key = uint64_t{rank} << 32 | group;
    return number;
}

// Nothing to do for one that is in no list.
void LruPredictions::unlink(OfRank& rank, uint32_t number) {
    Entry& e = entries_[number];
    if (e.newer) entries_[e.newer].older = e.older;
    else if (rank.newest == number) rank.newest = e.older;
    if (e.older) entries_[e.older].newer = e.newer;
    else if (rank.oldest == number) rank.oldest = e.newer;
    e.newer = e.older = 0;
}

void LruPredictions::drop_oldest(OfRank& rank, bool release) {
    const uint32_t number = rank.oldest;
    Entry& e = entries_[number];
    const auto n = static_cast<uint32_t>(std::popcount(e.places));
    unlink(rank, number);
    rank.blocks -= n, blocks_ -= n;
    if (release) {
        index_.release_places(static_cast<Rank>(e.key >> 32), static_cast<uint32_t>(e.key), e.places);
        evicted_ += n;
    }
    by_key_.erase(e.key);
    e.newer = free_;
    free_ = number;
}

void LruPredictions::forget(Rank first, uint32_t n) {
    for (Rank rank = first; rank < first + n; ++rank) {
        auto at = ranks_.find(rank);
        if (at == ranks_.end()) continue;
        while (at->second.oldest) drop_oldest(at->second, false);
        ranks_.erase(at);
    }
}

}  // namespace weir::kv
