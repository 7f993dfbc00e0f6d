#include "sim/block_pool.h"

#include <utility>

#include "base/assert.h"

namespace weir::sim {

uint32_t BlockIndex::find(uint64_t hash) const {
    if (slots_.empty()) return none;
    for (size_t i = home(hash);; i = (i + 1) & (slots_.size() - 1)) {
        if (slots_[i].hash == hash) return slots_[i].block;
        if (slots_[i].hash == 0) return none;
    }
}

bool BlockIndex::insert(uint64_t hash, uint32_t block) {
    if (size_ * 2 >= slots_.size()) grow();
    size_t i = home(hash);
    for (; slots_[i].hash != 0; i = (i + 1) & (slots_.size() - 1))
        if (slots_[i].hash == hash) return false;
    slots_[i] = {hash, block};
    ++size_;
    return true;
}

void BlockIndex::erase(uint64_t hash) {
    if (slots_.empty()) return;
    const size_t mask = slots_.size() - 1;
    size_t hole = home(hash);
    for (; slots_[hole].hash != hash; hole = (hole + 1) & mask)
        if (slots_[hole].hash == 0) return;
    // Whoever could have stood in the hole moves into it, so that no search ends too early.
    for (size_t i = (hole + 1) & mask; slots_[i].hash != 0; i = (i + 1) & mask) {
        if (((i - home(slots_[i].hash)) & mask) < ((i - hole) & mask)) continue;
        slots_[hole] = slots_[i];
        hole = i;
    }
    slots_[hole] = {};
    --size_;
}

void BlockIndex::grow() {
    std::vector<Slot> old = std::move(slots_);
    slots_.assign(old.empty() ? 64 : old.size() * 2, {});
    size_ = 0;
    for (const Slot& s : old)
        if (s.hash) insert(s.hash, s.block);
}

void BlockPool::unlink(uint32_t block) {
    Block& b = blocks_[block];
    (b.prev == none ? first_ : blocks_[b.prev].next) = b.next;
    (b.next == none ? last_ : blocks_[b.next].prev) = b.prev;
    b.prev = b.next = none;
}

void BlockPool::link_front(uint32_t block) {
    blocks_[block].next = first_;
    (first_ == none ? last_ : blocks_[first_].prev) = block;
    first_ = block;
}

void BlockPool::link_back(uint32_t block) {
    blocks_[block].prev = last_;
    (last_ == none ? first_ : blocks_[last_].next) = block;
    last_ = block;
}

void BlockPool::hold(uint32_t block) {
    if (blocks_[block].refs++ > 0) return;
    unlink(block);
    ++in_use_;
}

void BlockPool::release(uint32_t block) {
    ASSERT(blocks_[block].refs > 0);
    if (--blocks_[block].refs > 0) return;
    --in_use_;
    if (blocks_[block].hash) link_back(block);
    else link_front(block);
}

uint32_t BlockPool::allocate(uint64_t& evicted) {
    evicted = 0;
    const bool nameless_first = first_ != none && blocks_[first_].hash == 0;
    if (!nameless_first && blocks_.size() < total_) {
        blocks_.push_back({0, 1, none, none});
        ++in_use_;
        return static_cast<uint32_t>(blocks_.size() - 1);
    }
    if (first_ == none) return none;
    const uint32_t block = first_;
    if ((evicted = blocks_[block].hash) != 0) index_.erase(evicted);
    blocks_[block].hash = 0;
    hold(block);
    return block;
}

bool BlockPool::name(uint32_t block, uint64_t hash) {
    if (hash == 0) hash = 1;
    if (!index_.insert(hash, block)) return false;
    blocks_[block].hash = hash;
    return true;
}

}  // namespace weir::sim
