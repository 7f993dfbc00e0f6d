#include "prepare/exact_cache.h"

#include <algorithm>

namespace weir::prepare {
namespace {

constexpr uint64_t entry_overhead = 192;   // map node, string and vector heads

}  // namespace

TokenIds ExactCache::find(const TextKey& key, std::string_view text) {
    Shard& s = shard(key);
    std::lock_guard lock(s.mutex);
    auto at = s.entries.find(key);
    if (at == s.entries.end() || at->second.text != text) return nullptr;
    at->second.used = tick_.fetch_add(1, std::memory_order_relaxed);
    return at->second.ids;
}

// Looks at a few entries of one shard and drops the one unused for longest.
bool ExactCache::evict_one(size_t from) {
    for (size_t i = 0; i < shards; i++) {
        Shard& s = shards_[(from + i) % shards];
        std::lock_guard lock(s.mutex);
        if (s.entries.empty()) continue;
        const TextKey* oldest = nullptr;
        uint64_t used = ~0ull;
        size_t seen = 0, buckets = s.entries.bucket_count();
        for (size_t k = 0; k < buckets && seen < sampled; k++, s.hand++)
            for (auto at = s.entries.cbegin(s.hand % buckets); at != s.entries.cend(s.hand % buckets); ++at, seen++)
                if (at->second.used < used) oldest = &at->first, used = at->second.used;
        s.entries.erase(TextKey(*oldest));
        entries_.fetch_sub(1, std::memory_order_relaxed);
        evictions_.fetch_add(1, std::memory_order_relaxed);
        return true;
    }
    return false;
}

void ExactCache::insert(const TextKey& key, std::string_view text, TokenIds ids) {
    uint64_t cost = text.size() + ids->size() * sizeof(uint32_t) + entry_overhead;
    if (cost > budget_.limit()) return;
    Entry entry;
    size_t from = key.lo / shards;
    while (entries_.load(std::memory_order_relaxed) >= entries_max_ && evict_one(from++)) {}
    while (!entry.charge.grow(budget_, cost))
        if (!evict_one(from++)) return;
    entry.text = text;
    entry.ids = std::move(ids);
    entry.used = tick_.fetch_add(1, std::memory_order_relaxed);
    Shard& s = shard(key);
    std::lock_guard lock(s.mutex);
    auto [at, fresh] = s.entries.insert_or_assign(key, std::move(entry));
    if (fresh) entries_.fetch_add(1, std::memory_order_relaxed);
}

}  // namespace weir::prepare
