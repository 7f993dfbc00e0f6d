// From a token's spelling to its id: an open-addressing table of ids; the spellings themselves stay where they are.
#pragma once
#include <cstdint>
#include <cstring>
#include <string_view>

#include "tokenizer/huge_array.h"

namespace weir::tok {

// Fast, not for hostile keys: a table is at most half full and a file's author could only slow down his own file.
inline uint64_t token_hash(std::string_view text) {
    constexpr uint64_t k0 = 0x9E3779B97F4A7C15u, k1 = 0xE7037ED1A0B428DBu;
    const char* p = text.data();
    size_t n = text.size();
    auto mix = [](uint64_t a, uint64_t b) {
        const auto wide = static_cast<unsigned __int128>(a) * b;
        return static_cast<uint64_t>(wide) ^ static_cast<uint64_t>(wide >> 64);
    };
    uint64_t h = n * k1, a = 0, b = 0;
    for (; n > 16; p += 16, n -= 16) {
        std::memcpy(&a, p, 8), std::memcpy(&b, p + 8, 8);
        h = mix(h ^ a ^ k0, b ^ k1);
    }
    a = b = 0;
    if (n >= 8) {
        std::memcpy(&a, p, 8), std::memcpy(&b, p + n - 8, 8);
    } else if (n >= 4) {
        uint32_t x = 0, y = 0;
        std::memcpy(&x, p, 4), std::memcpy(&y, p + n - 4, 4);
        a = x, b = y;
    } else if (n > 0) {
        a = uint64_t(uint8_t(p[0])) << 16 | uint64_t(uint8_t(p[n / 2])) << 8 | uint8_t(p[n - 1]);
    }
    return mix(h ^ a ^ k0, b ^ k1);
}

// Values are 32-bit numbers (ids, or places in a list); `text_of(value)` gives the spelling a value was put in with.
class TokenIndex {
public:
    static constexpr uint32_t none = ~0u;

    void reserve(size_t count) {
        size_t slots = 16;
        while (slots < count * 2) slots *= 2;
        slots_ = HugeArray<Slot>(slots);
    }
    // Puts `value` in for `text`; a value that was there for this spelling is replaced. At most the number reserved.
    // True: there was none.
    template <class TextOf>
    bool put(std::string_view text, uint32_t value, TextOf&& text_of) {
        return put_hashed(text, token_hash(text), value, text_of);
    }
    template <class TextOf>
    bool put_hashed(std::string_view text, uint64_t hash, uint32_t value, TextOf&& text_of) {
        Slot* slot = find_slot(text, hash, text_of);
        const bool fresh = slot->value_next == 0;
        *slot = {static_cast<uint32_t>(hash >> 32), value + 1};
        return fresh;
    }
    template <class TextOf>
    uint32_t find(std::string_view text, TextOf&& text_of) const {
        return find_hashed(text, token_hash(text), text_of);
    }
    template <class TextOf>
    uint32_t find_hashed(std::string_view text, uint64_t hash, TextOf&& text_of) const {
        return slots_.size() == 0 ? none : const_cast<TokenIndex*>(this)->find_slot(text, hash, text_of)->value_next - 1;
    }
    // For many at once: first prefetch() all hashes.
    void prefetch(uint64_t hash) const { __builtin_prefetch(&slots_[hash & (slots_.size() - 1)]); }
    size_t memory_bytes() const { return slots_.size() * sizeof(Slot); }

private:
    struct Slot {
        uint32_t tag = 0, value_next = 0;        // the value, plus one
    };
    template <class TextOf>
    Slot* find_slot(std::string_view text, uint64_t hash, TextOf&& text_of) {
        const auto tag = static_cast<uint32_t>(hash >> 32);
        const size_t mask = slots_.size() - 1;
        for (size_t at = hash & mask;; at = (at + 1) & mask) {
            Slot& slot = slots_[at];
            if (slot.value_next == 0 || (slot.tag == tag && text_of(slot.value_next - 1) == text)) return &slot;
        }
    }
    HugeArray<Slot> slots_;
};

}  // namespace weir::tok
