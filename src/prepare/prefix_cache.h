// L1 and turn reuse: ids of beginnings of texts. A text that begins like one seen before takes over its ids up to a safe cut;
// what is new becomes a node behind the old one, so a conversation is kept once, however many turns it has. Bounded in bytes; any thread.
#pragma once
#include <array>
#include <atomic>
#include <memory>
#include <mutex>
#include <span>
#include <unordered_map>
#include <vector>

#include "base/budget.h"
#include "prepare/text_hash.h"

namespace weir::prepare {

// The ids of the text up to byte `bytes` are the first `ids` ones: encoding may be cut there.
struct Cut {
    uint64_t bytes = 0;
    uint32_t ids = 0;
};

class PrefixCache {
public:
    static constexpr uint32_t depth_max = 64;    // nodes behind each other; then they are joined into one
    explicit PrefixCache(uint64_t bytes_max) : budget_("tokenizer_cache_l1", bytes_max) {}

    struct Node;
    using NodeRef = std::shared_ptr<const Node>;
    struct Node {                                // immutable once inserted, but for `used`
        NodeRef parent;                          // holds the ids before ours
        Cut from;                                // where ours begin in the whole text
        std::vector<uint32_t> ids;
        std::vector<Cut> cuts;                   // ascending, within ours; counted from the text's beginning
        std::vector<TextKey> keys;               // under which it is found
        uint32_t depth = 0;
        mutable std::atomic<uint64_t> used{0};
        Charge charge;
    };

    struct Hit {
        NodeRef node;
        uint64_t common = 0;                     // bytes that the text shares with it; a multiple of TextHash::block_bytes
    };
    // The longest known beginning. `keys`: TextHash::beginnings of the text.
    Hit find(std::span<const TextKey> keys);
    NodeRef find_cut(const TextKey& key);        // a cut between two blocks' ends, by TextHash::beginning; null: unknown
    // The cuts of a hit, from the longest one down. False: no more.
    static bool next_cut(NodeRef& at, uint64_t limit, Cut& cut);
    // Appends the ids before `cut`, one of the node's.
    static void ids_before(const Node& node, const Cut& cut, std::vector<uint32_t>& out);
    // Keeps a text: `ids` and `cuts` are those behind `from`, which is a cut of `parent` (null: the beginning). `cut_keys`: one for
    // each of `cuts`, or fewer.
    void insert(std::span<const TextKey> keys, std::span<const TextKey> cut_keys, const NodeRef& parent, const Cut& from,
                std::span<const uint32_t> ids, std::span<const Cut> cuts);

    const Budget& budget() const { return budget_; }
    uint64_t evictions() const { return evictions_.load(std::memory_order_relaxed); }

private:
    struct alignas(64) Shard {
        std::mutex mutex;
        std::unordered_map<TextKey, NodeRef, TextKeyHash> nodes;   // guarded by mutex
        size_t hand = 0;
    };
    static constexpr size_t shards = 64, sampled = 8;
    Shard& shard(const TextKey& key) { return shards_[key.lo % shards]; }
    NodeRef at(const TextKey& key);
    void touch(const Node& node);
    static void join(const NodeRef& parent, const Cut& from, Node& out);
    bool evict_one();
    void forget(const NodeRef& node);

    Budget budget_;
    std::atomic<uint64_t> evictions_{0}, tick_{0}, hand_{0};   // relaxed: statistics, and an order of use that need not be exact
    std::array<Shard, shards> shards_;
};

}  // namespace weir::prepare
