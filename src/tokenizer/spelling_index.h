// From a token's spelling to its place in a list, for the many look-ups of a merge list: one probe, mostly in one line of memory, answers for
// a token of at most 12 bytes. Spellings are readable 16 bytes past their beginning.
#pragma once
#include <cstdint>
#include <cstring>
#include <string_view>

#include "tokenizer/huge_array.h"
#include "tokenizer/token_index.h"

namespace weir::tok {

class SpellingIndex {
public:
    static constexpr uint32_t none = TokenIndex::none, places_max = 1u << 28;
    struct Key {
        uint64_t low, hash;
        uint32_t high, len;                      // len: 15 stands for more than 12
    };

    void reserve(size_t count, size_t long_count) {
        size_t slots = 16;
        shift_ = 60;
        while (slots * 7 < count * 10) slots *= 2, shift_--;
        slots_ = HugeArray<Slot>(slots);
        longs_.reserve(long_count);
    }
    static Key key_of(std::string_view text) {
        if (text.size() > short_max) return {0, token_hash(text), 0, 15};
        Key key{0, 0, 0, static_cast<uint32_t>(text.size())};
        std::memcpy(&key.low, text.data(), 8);
        std::memcpy(&key.high, text.data() + 8, 4);
        const uint32_t bits = key.len * 8;
        if (bits < 64) key.low &= (uint64_t(1) << bits) - 1, key.high = 0;
        else if (bits < 96) key.high &= (uint32_t(1) << (bits - 64)) - 1;
        key.hash = (key.low * 0x9E3779B97F4A7C15u + (uint64_t(key.len) << 32 | key.high)) * 0xD6E8FEB86659FD93u;
        key.hash ^= key.hash << 32;
        return key;
    }
    void prefetch(const Key& key) const {
        if (key.len == 15) longs_.prefetch(key.hash);
        else __builtin_prefetch(&slots_[key.hash >> shift_]);
    }
    // Replaces the place that this spelling had. True: it had none.
    template <class TextOf>
    bool put(std::string_view text, const Key& key, uint32_t place, TextOf&& text_of) {
        if (key.len == 15) return longs_.put_hashed(text, key.hash, place, text_of);
        Slot& slot = slots_[find_slot(key)];
        const bool fresh = slot.value == 0;
        slot = {key.low, key.high, key.len << 28 | (place + 1)};
        return fresh;
    }
    template <class TextOf>
    uint32_t find(std::string_view text, const Key& key, TextOf&& text_of) const {
        if (key.len == 15) return longs_.find_hashed(text, key.hash, text_of);
        return slots_.size() == 0 ? none : (slots_[find_slot(key)].value & (places_max - 1)) - 1;
    }

private:
    static constexpr size_t short_max = 12;
    struct Slot {
        uint64_t low;
        uint32_t high, value;                    // the place plus one; the length above
    };
    size_t find_slot(const Key& key) const {
        for (size_t at = key.hash >> shift_;; at = (at + 1) & (slots_.size() - 1)) {
            const Slot& s = slots_[at];
            if (s.value == 0 || (s.low == key.low && s.high == key.high && s.value >> 28 == key.len)) return at;
        }
    }
    HugeArray<Slot> slots_;
    int shift_ = 60;
    TokenIndex longs_;
};

}  // namespace weir::tok
