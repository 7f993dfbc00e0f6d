#include "policy/key_loads.h"

#include <mutex>

#include "base/assert.h"

namespace weir {

void KeyLoads::begin(uint64_t key, const RankRef& rank) {
    uint64_t k = both(key, rank);
    std::lock_guard hold(shard(k).lock);
    if (shard(k).requests[k]++ == 0) keys_at_.at(rank.number).fetch_add(1, std::memory_order_relaxed);
}

void KeyLoads::end(uint64_t key, const RankRef& rank) {
    uint64_t k = both(key, rank);
    std::lock_guard hold(shard(k).lock);
    auto at = shard(k).requests.find(k);
    ASSERT(at != shard(k).requests.end());
    if (--at->second > 0) return;
    shard(k).requests.erase(at);
    keys_at_.at(rank.number).fetch_sub(1, std::memory_order_relaxed);
}

uint32_t KeyLoads::requests(uint64_t key, const RankRef& rank) const {
    uint64_t k = both(key, rank);
    std::lock_guard hold(shard(k).lock);
    auto at = shard(k).requests.find(k);
    return at == shard(k).requests.end() ? 0 : at->second;
}

}  // namespace weir
