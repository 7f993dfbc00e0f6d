// KV blocks of one engine: references, names (chained hashes) of full ones, and which to reuse when a new one is needed.
#pragma once
#include <cstddef>
#include <cstdint>
#include <vector>

namespace weir::sim {

// hash -> block, open addressing. Hash 0 is not a key.
class BlockIndex {
public:
    static constexpr uint32_t none = ~0u;
    uint32_t find(uint64_t hash) const;
    bool insert(uint64_t hash, uint32_t block);   // false, nothing changed: the hash is there already
    void erase(uint64_t hash);
    void clear() { slots_.clear(), size_ = 0; }
    size_t size() const { return size_; }

private:
    struct Slot { uint64_t hash = 0; uint32_t block = none; };
    size_t home(uint64_t hash) const { return (hash * 0x9e3779b97f4a7c15ull >> 20) & (slots_.size() - 1); }
    void grow();
    std::vector<Slot> slots_;   // a power of two, at most half full
    size_t size_ = 0;
};

// A block is in use while somebody holds a reference. A free one keeps its name until it is reused: least recently freed first,
// nameless ones before all others. Memory grows with the blocks ever used, up to `total`.
class BlockPool {
public:
    static constexpr uint32_t none = BlockIndex::none;
    explicit BlockPool(uint32_t total) : total_(total) {}
    uint32_t total() const { return total_; }
    uint32_t in_use() const { return in_use_; }
    uint32_t free() const { return total_ - in_use_; }
    size_t named() const { return index_.size(); }
    uint32_t find(uint64_t hash) const { return index_.find(hash); }
    uint32_t refs(uint32_t block) const { return blocks_[block].refs; }
    uint32_t ever_used() const { return static_cast<uint32_t>(blocks_.size()); }

    void hold(uint32_t block);                     // one more reference
    void release(uint32_t block);                  // one less
    uint32_t allocate(uint64_t& evicted);          // a block held once; `evicted`: the name it lost, or 0. none: all are in use
    bool name(uint32_t block, uint64_t hash);      // false: another block has that name, this one stays nameless
    // Free blocks lose their names: a reset of the prefix cache. Those in use keep them. Calls `gone(hash)` for each.
    template <class F>
    void forget_free(F gone) {
        for (uint32_t b = 0; b < blocks_.size(); ++b) {
            if (blocks_[b].refs || !blocks_[b].hash) continue;
            gone(blocks_[b].hash);
            index_.erase(blocks_[b].hash);
            blocks_[b].hash = 0;
        }
    }

private:
    struct Block { uint64_t hash = 0; uint32_t refs = 0, prev = none, next = none; };
    void unlink(uint32_t block);
    void link_front(uint32_t block);
    void link_back(uint32_t block);
    std::vector<Block> blocks_;
    BlockIndex index_;
    uint32_t total_, in_use_ = 0, first_ = none, last_ = none;   // first_: to be reused next
};

}  // namespace weir::sim
