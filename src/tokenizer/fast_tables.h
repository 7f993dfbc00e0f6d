// What the fast encoder looks things up in: whole pre-tokens that are one token, places no token crosses, pre-tokens seen before.
#pragma once
#include <cstdint>
#include <cstring>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "tokenizer/huge_array.h"
#include "tokenizer/token_index.h"

namespace weir::tok {

// The bytes of a piece of at most 12, and their hash. In a vector register from the text to the comparison with a slot.
struct ShortKey {
    using Words = uint64_t __attribute__((vector_size(16)));
    static constexpr size_t bytes_max = 12;
    Words words;                                 // the bytes, and the length in the upper 4 bits

    // 16 bytes from `p` on can be read.
    static ShortKey of(const char* p, size_t len) {
        static constexpr Words masks[13] = {{0, 0}, {0xFF, 0}, {0xFFFF, 0}, {0xFFFFFF, 0}, {0xFFFFFFFF, 0}, {0xFFFFFFFFFF, 0}, {0xFFFFFFFFFFFF, 0},
                                            {0xFFFFFFFFFFFFFF, 0}, {~0ull, 0}, {~0ull, 0xFF}, {~0ull, 0xFFFF}, {~0ull, 0xFFFFFF}, {~0ull, 0xFFFFFFFF}};
        static constexpr Words tags[13] = {{0, 0}, {0, 1ull << 60}, {0, 2ull << 60}, {0, 3ull << 60}, {0, 4ull << 60}, {0, 5ull << 60}, {0, 6ull << 60},
                                           {0, 7ull << 60}, {0, 8ull << 60}, {0, 9ull << 60}, {0, 10ull << 60}, {0, 11ull << 60}, {0, 12ull << 60}};
        ShortKey key;
        std::memcpy(&key.words, p, 16);
        key.words = (key.words & masks[len]) | tags[len];
        return key;
    }
    static ShortKey of(const char* p, size_t len, size_t readable) {
        if (readable >= 16) return of(p, len);
        char copy[16] = {};
        std::memcpy(copy, p, len);
        return of(copy, len);
    }
    uint64_t low() const { return words[0]; }
    uint32_t high() const { return static_cast<uint32_t>(words[1]); }
    uint32_t tag() const { return static_cast<uint32_t>(words[1] >> 32); }
    ShortKey with(uint32_t flags) const { return {words | Words{0, uint64_t(flags) << 32}}; }    // in the tag
    // Good in its upper bits.
    uint64_t hash() const { return words[0] * 0x9E3779B97F4A7C15u + words[1] * 0xD6E8FEB86659FD93u; }
};

// Raw bytes to token. `alone`: the piece of these bytes is that token; `inner`: so is a part of a piece that no token reaches out of.
class WordTable {
public:
    static constexpr uint32_t alone = 1u << 20, inner = 1u << 21, id_mask = (1u << 20) - 1;

    void reserve(size_t short_count, size_t long_count, size_t long_bytes);
    void put(std::string_view bytes, uint32_t id, uint32_t flags);
    void prefetch(uint64_t hash) const { __builtin_prefetch(&slots_[hash >> shift_]); }
    void prefetch(std::string_view bytes) const {    // of what is put soon
        if (bytes.size() > ShortKey::bytes_max) return;
        const uint64_t hash = ShortKey::of(bytes.data(), bytes.size(), bytes.size()).hash();
        __builtin_prefetch(&slots_[hash >> shift_], 1);
        __builtin_prefetch(&filter_[hash >> filter_shift_ >> 6], 1);
    }
    // Id and flags, or 0.
    uint32_t find(const ShortKey& key, uint64_t hash) const {
        for (size_t at = hash >> shift_;; at = (at + 1) & (slots_.size() - 1)) {
            const Slot& s = slots_[at];
            if (s.low == key.low() && s.high == key.high() && (s.value ^ key.tag()) >> 28 == 0) return s.value & 0x0FFFFFFF;
            if (s.value == 0) return 0;
        }
    }
    // As find, for keys that mostly are not there: asks a small filter first.
    uint32_t find_rare(const ShortKey& key) const {
        const uint64_t hash = key.hash();
        if (!(filter_[hash >> filter_shift_ >> 6] >> (hash >> filter_shift_ & 63) & 1)) return 0;
        return find(key, hash);
    }
    // Whether any longer token that may be a part may begin with the 12 bytes of this key.
    bool maybe_long(const ShortKey& key) const {
        const uint64_t hash = key.with(beginning).hash();
        return filter_[hash >> filter_shift_ >> 6] >> (hash >> filter_shift_ & 63) & 1;
    }
    uint32_t find_long(std::string_view bytes, uint64_t hash) const {    // its token_hash
        const uint32_t at = longs_.find_hashed(bytes, hash, [this](uint32_t v) { return long_text(v); });
        return at == TokenIndex::none ? 0 : long_values_[at];
    }
    size_t memory_bytes() const {
        return slots_.size() * 16 + filter_.size() * 8 + longs_.memory_bytes() + long_bytes_.capacity() + 8 * long_values_.capacity();
    }

private:
    struct Slot {
        uint64_t low = 0;
        uint32_t high = 0, value = 0;    // id, flags, and the length in the upper 4 bits
    };
    std::string_view long_text(uint32_t v) const { return std::string_view(long_bytes_).substr(long_ends_[v], long_ends_[v + 1] - long_ends_[v]); }
    static constexpr uint32_t beginning = 2u << 28;    // makes a tag of 14
    HugeArray<Slot> slots_;
    HugeArray<uint64_t> filter_;         // of the short tokens that may be parts, and the beginnings of longer ones
    int shift_ = 60, filter_shift_ = 57;
    TokenIndex longs_;
    std::string long_bytes_;
    std::vector<uint32_t> long_ends_{0}, long_values_;
};

// Between which characters no token of the vocabulary lies: there a piece may be cut, and its parts encoded apart.
class CutFilter {
public:
    CutFilter() : pairs_(size_t(1) << 14), sides_(size_t(1) << 13), bytes_(1 << 10) {}
    void add(std::string_view token);            // raw bytes, of at least two
    // Whether a text may be cut between these two characters, whose bytes at the cut are those. Not for two ASCII characters.
    bool safe(char32_t a, char32_t b, char last_byte, char first_byte) const {
        return !test(pairs_, pair_hash(a, b)) && !test(sides_, side_hash(a)) && !test(sides_, side_hash(~b)) && !test(bytes_, bytes_key(last_byte, first_byte));
    }
    size_t memory_bytes() const { return 8 * (pairs_.capacity() + sides_.capacity() + bytes_.capacity()); }

private:
    static uint32_t bytes_key(char last, char first) { return static_cast<uint32_t>(static_cast<uint8_t>(last)) << 8 | static_cast<uint8_t>(first); }
    static uint32_t pair_hash(uint32_t a, uint32_t b) {
        const uint64_t h = (uint64_t(a) << 32 | b) * 0x9E3779B97F4A7C15u;
        return static_cast<uint32_t>((h ^ h >> 29) * 0xD6E8FEB86659FD93u >> 44);
    }
    static uint32_t side_hash(uint32_t a) { return static_cast<uint32_t>((a * 0x9E3779B97F4A7C15u) >> 45); }
    static bool test(const std::vector<uint64_t>& bits, uint32_t at) { return bits[at >> 6] >> (at & 63) & 1; }
    static void set(std::vector<uint64_t>& bits, uint32_t at) { bits[at >> 6] |= uint64_t(1) << (at & 63); }
    std::vector<uint64_t> pairs_, sides_, bytes_;
};

}  // namespace weir::tok
