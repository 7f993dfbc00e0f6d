// Which pairs of tokens merge, at what rank: 8 bytes a slot, so that a cache line answers for eight.
#pragma once
#include <cstddef>
#include <cstdint>
#include <cstring>

#include "tokenizer/huge_array.h"

namespace weir::tok {

class BpePairs {
public:
    static constexpr uint32_t none = 0xFFFFFF;         // no merge; also the bound of ranks
    static constexpr uint32_t ids_max = (1 << 20) - 1; // ids are below

    void reserve(size_t count) {
        size_t slots = 64;
        shift_ = 58;
        while (slots * 6 < count * 10) slots *= 2, shift_--;
        slots_ = HugeArray<uint64_t>(slots);
        std::memset(slots_.data(), 0xFF, slots * 8);
        filter_shift_ = shift_ - 3;
        filter_ = HugeArray<uint64_t>(slots / 8);
    }
    // Overwrites. At most the number reserved.
    void put(uint32_t left, uint32_t right, uint32_t rank) {
        const uint64_t key = key_of(left, right);
        const uint64_t hash = hash_of(key);
        filter_[hash >> filter_shift_ >> 6] |= uint64_t(1) << (hash >> filter_shift_ & 63);
        size_t at = hash >> shift_;
        while (slots_[at] != empty && slots_[at] >> 24 != key) at = (at + 1) & (slots_.size() - 1);
        slots_[at] = key << 24 | rank;
    }
    void prefetch(uint32_t left, uint32_t right) const {
        const uint64_t hash = hash_of(key_of(left, right));
        __builtin_prefetch(&slots_[hash >> shift_]);
        __builtin_prefetch(&filter_[hash >> filter_shift_ >> 6]);
    }
    uint32_t rank(uint32_t left, uint32_t right) const {
        const uint64_t key = key_of(left, right), hash = hash_of(key);
        if (!(filter_[hash >> filter_shift_ >> 6] >> (hash >> filter_shift_ & 63) & 1)) return none;
        for (size_t at = hash >> shift_;; at = (at + 1) & (slots_.size() - 1)) {
            const uint64_t slot = slots_[at];
            if (slot >> 24 == key) return static_cast<uint32_t>(slot & none);
            if (slot == empty) return none;
        }
    }
    size_t memory_bytes() const { return (slots_.size() + filter_.size()) * 8; }

private:
    static constexpr uint64_t empty = ~uint64_t(0);
    static uint64_t key_of(uint32_t left, uint32_t right) { return uint64_t(left) << 20 | right; }
    static uint64_t hash_of(uint64_t key) {
        const uint64_t h = key * 0x9E3779B97F4A7C15u;
        return h ^ h << 23;
    }
    HugeArray<uint64_t> slots_, filter_;               // filter_: eight bits a slot; most pairs that are asked for do not merge, and stop here
    int shift_ = 58, filter_shift_ = 55;
};

}  // namespace weir::tok
