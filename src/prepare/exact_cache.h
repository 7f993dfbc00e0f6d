// L0: whole texts and their ids. Bounded in bytes and entries; any thread.
#pragma once
#include <array>
#include <atomic>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <unordered_map>

#include "base/budget.h"
#include "prepare/text_hash.h"
#include "prepare/token_ids.h"

namespace weir::prepare {

class ExactCache {
public:
    ExactCache(uint64_t bytes_max, uint64_t entries_max) : budget_("tokenizer_cache_l0", bytes_max), entries_max_(entries_max) {}
    TokenIds find(const TextKey& key, std::string_view text);   // compares the text; null: not here
    void insert(const TextKey& key, std::string_view text, TokenIds ids);
    const Budget& budget() const { return budget_; }
    uint64_t entries() const { return entries_.load(std::memory_order_relaxed); }
    uint64_t evictions() const { return evictions_.load(std::memory_order_relaxed); }

private:
    struct Entry {
        std::string text;
        TokenIds ids;
        uint64_t used = 0;                       // tick of the last use
        Charge charge;
    };
    struct alignas(64) Shard {
        std::mutex mutex;
        std::unordered_map<TextKey, Entry, TextKeyHash> entries;   // guarded by mutex
        size_t hand = 0;                         // bucket where the next search for something old begins
    };
    static constexpr size_t shards = 64, sampled = 8;
    Shard& shard(const TextKey& key) { return shards_[key.lo % shards]; }
    bool evict_one(size_t from);                 // false: nothing left anywhere

    Budget budget_;
    uint64_t entries_max_;
    std::atomic<uint64_t> entries_{0}, evictions_{0}, tick_{0};   // relaxed: statistics, and an order of use that need not be exact
    std::array<Shard, shards> shards_;
};

}  // namespace weir::prepare
