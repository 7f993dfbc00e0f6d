// A counter for each rank, made in blocks where one is first counted: policies are many, and most know few ranks.
#pragma once
#include <array>
#include <atomic>

#include "base/assert.h"
#include "types/ranks.h"

namespace weir {

template <class T>
class PerRank {
public:
    PerRank() = default;
    PerRank(const PerRank&) = delete;
    ~PerRank() {
        for (auto& block : blocks_) delete block.load(std::memory_order_relaxed);
    }
    // Any thread. number < ranks_max.
    T read(uint32_t number) const {
        const Block* block = number < ranks_max ? blocks_[number / size].load(std::memory_order_acquire) : nullptr;
        return block ? (*block)[number % size].load(std::memory_order_relaxed) : T{};
    }
    std::atomic<T>& at(uint32_t number) {
        ASSERT(number < ranks_max);
        std::atomic<Block*>& slot = blocks_[number / size];
        Block* block = slot.load(std::memory_order_acquire);
        if (block) return (*block)[number % size];
        auto* made = new Block();
        if (slot.compare_exchange_strong(block, made, std::memory_order_acq_rel)) block = made;
        else delete made;                                  // another core was first
        return (*block)[number % size];
    }

private:
    static constexpr uint32_t size = 256;
    using Block = std::array<std::atomic<T>, size>;
    std::array<std::atomic<Block*>, ranks_max / size> blocks_{};
};

}  // namespace weir
