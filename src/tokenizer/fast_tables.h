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

// The bytes of a piece of at most 12, and their hash.
struct ShortKey {
    static constexpr size_t bytes_max = 12;
    uint64_t low;
    uint32_t high, len;

    // 16 bytes from `p` on can be read.
    static ShortKey of(const char* p, size_t len) {
        static constexpr uint64_t low_mask[13] = {0, 0xFF, 0xFFFF, 0xFFFFFF, 0xFFFFFFFF, 0xFFFFFFFFFF, 0xFFFFFFFFFFFF, 0xFFFFFFFFFFFFFF,
                                                  ~0ull, ~0ull, ~0ull, ~0ull, ~0ull};
        static constexpr uint32_t high_mask[13] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0xFF, 0xFFFF, 0xFFFFFF, 0xFFFFFFFF};
        ShortKey key;
        key.len = static_cast<uint32_t>(len);
        std::memcpy(&key.low, p, 8);
        std::memcpy(&key.high, p + 8, 4);
        key.low &= low_mask[len], key.high &= high_mask[len];
        return key;
    }
    static ShortKey of(const char* p, size_t len, size_t readable) {
        if (readable >= 16) return of(p, len);
        char copy[16] = {};
        std::memcpy(copy, p, len);
        return of(copy, len);
    }
    uint64_t hash() const {
        const uint64_t h = (low ^ (uint64_t(high) << 32 | high) ^ uint64_t(len) << 58) * 0x9E3779B97F4A7C15u;
        return (h ^ h >> 32) * 0xD6E8FEB86659FD93u;
    }
};

// Raw bytes to token. `alone`: the piece of these bytes is that token; `inner`: so is a part of a piece that no token reaches out of.
class WordTable {
public:
    static constexpr uint32_t alone = 1u << 20, inner = 1u << 21, id_mask = (1u << 20) - 1;

    void reserve(size_t short_count, size_t long_count, size_t long_bytes);
    void put(std::string_view bytes, uint32_t id, uint32_t flags);
    void prefetch(uint64_t hash) const { __builtin_prefetch(&slots_[hash >> shift_]); }
    // Id and flags, or 0.
    uint32_t find(const ShortKey& key, uint64_t hash) const {
        for (size_t at = hash >> shift_;; at = (at + 1) & (slots_.size() - 1)) {
            const Slot& s = slots_[at];
            if (s.low == key.low && s.high == key.high && s.value >> 28 == key.len) return s.value & 0x0FFFFFFF;
            if (s.value == 0) return 0;
        }
    }
    // As find, for keys that mostly are not there: asks a small filter first.
    uint32_t find_rare(const ShortKey& key) const {
        const uint64_t hash = key.hash();
        if (!(filter_[hash >> filter_shift_ >> 6] >> (hash >> filter_shift_ & 63) & 1)) return 0;
        return find(key, hash);
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
    HugeArray<Slot> slots_;
    HugeArray<uint64_t> filter_;         // of the short tokens that may be parts
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

// Ids of the pieces met lately, whatever way they were found. Most are short and one slot of a table says all: key and ids in 32 bytes. Longer
// ones and those of many tokens are in a second table. Both have two ways: the older makes room.
class PieceCache {
public:
    static constexpr size_t bytes_max = 86, ids_max = 10, short_ids_max = 4;
    struct alignas(32) Short {
        uint64_t low = 0;
        uint32_t high = 0;
        uint16_t len = 0, count = 0;
        uint32_t ids[short_ids_max] = {};
        bool is(const ShortKey& key) const { return ((low ^ key.low) | (high ^ key.high) | (len ^ key.len)) == 0; }
    };
    struct alignas(128) Long {
        char bytes[bytes_max];
        uint8_t len, count;
        uint32_t ids[ids_max];
    };
    PieceCache() : shorts_(short_slots), longs_(long_sets * 2) {}

    // Two slots side by side, in one line of memory.
    const Short* slot(uint64_t hash) const { return &shorts_[hash >> short_shift << 1]; }
    void put(const ShortKey& key, uint64_t hash, const uint32_t* ids, size_t count) {
        Short* two = &shorts_[hash >> short_shift << 1];
        // One that is a token is soon found again; those that were merged stay before it.
        const bool behind = count == 1 && two->count > 1;
        if (!behind) two[1] = two[0];
        Short& s = two[behind];
        s.low = key.low, s.high = key.high, s.len = static_cast<uint16_t>(key.len), s.count = static_cast<uint16_t>(count);
        std::memcpy(s.ids, ids, count * 4);
    }
    // `part`: a part of a piece, which may have other ids than the same bytes as a whole.
    const Long* find(const char* p, size_t size, uint64_t hash, bool part) {
        const size_t len = size | (part ? 128 : 0);
        Long* two = &longs_[(hash >> 20 & (long_sets - 1)) * 2];
        if (two[0].len == len && std::memcmp(two[0].bytes, p, size) == 0) return &two[0];
        if (two[1].len != len || std::memcmp(two[1].bytes, p, size) != 0) return nullptr;
        std::swap(two[0], two[1]);
        return &two[0];
    }
    void put(const char* p, size_t len, uint64_t hash, bool part, const uint32_t* ids, size_t count) {
        Long* two = &longs_[(hash >> 20 & (long_sets - 1)) * 2];
        two[1] = two[0];
        std::memcpy(two[0].bytes, p, len);
        std::memcpy(two[0].ids, ids, count * 4);
        two[0].len = static_cast<uint8_t>(len | (part ? 128 : 0)), two[0].count = static_cast<uint8_t>(count);
    }
    static constexpr size_t bytes = (size_t(1) << 17) * sizeof(Short) + (size_t(1) << 13) * sizeof(Long);

private:
    static constexpr size_t short_slots = size_t(1) << 17, long_sets = size_t(1) << 12;
    static constexpr int short_shift = 48;
    HugeArray<Short> shorts_;
    HugeArray<Long> longs_;
};

}  // namespace weir::tok
