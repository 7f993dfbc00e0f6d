// Ids of the pieces met lately, whatever way they were found: what makes ordinary text cheap. One probe is one line of memory of four slots;
// a short piece of one token is answered by its slot alone, so that thousands of words fit a core's second-level cache.
#pragma once
#include <cstdint>
#include <cstring>
#include <string_view>

#if defined(__SSE2__)
#include <emmintrin.h>
#endif

#include "tokenizer/fast_tables.h"
#include "tokenizer/huge_array.h"

namespace weir::tok {

class PieceCache {
public:
    static constexpr size_t bytes_max = 192, ids_max = 64, short_ids_max = 4;
    static constexpr size_t ids_slack = ids_max + 4;               // ids that may be written beyond those of a piece
    // Of a slot's value: the length is in the upper 4 bits; a part of a piece may have other ids than the same bytes as a whole.
    static constexpr uint32_t part = 1u << 27, one = 1u << 26, id_mask = (1u << 20) - 1;

    // Of short pieces. `key` has `part` in its tag where it is one. Gives the slot's value, or 0; it stays good until renew().
    uint32_t find(const ShortKey& key, uint64_t hash) const {
        const size_t at = set_of(hash);
        const uint32_t ways = matches(&slots_[at], key);
        return ways == 0 ? 0 : slots_[at + static_cast<size_t>(__builtin_ctz(ways)) / 4].value;
    }
    // The same for many. Gives those that are not there, by bits.
    struct Batch {
        static constexpr size_t size = 32;
        ShortKey keys[size];
        uint64_t hashes[size];
        uint32_t values[size];
    };
    uint32_t find_all(Batch& b, size_t count) const {
        uint32_t missing = 0;
        for (size_t i = 0; i < count; i++) {
            const size_t at = set_of(b.hashes[i]);
            const uint32_t found = matches(&slots_[at], b.keys[i]);
            if (found == 0) {
                b.values[i] = 0, missing |= uint32_t{1} << i;
                continue;
            }
            const Slot& slot = slots_[at + static_cast<size_t>(__builtin_ctz(found)) / 4];
            const uint32_t value = b.values[i] = slot.value;
            missing |= uint32_t{value == 0} << i;                  // what is longer has an empty key
            __builtin_prefetch(value & one ? static_cast<const void*>(&slot) : list(value));
        }
        return missing;
    }
    // The ids that a value without `one` stands for.
    const char* list(uint32_t value) const { return arena_[value & (units - 1)].bytes; }
    static size_t count(uint32_t value) { return (value >> 24 & 3) + 1; }
    void put(const ShortKey& key, uint64_t hash, const uint32_t* ids, size_t count) {
        if (find(key, hash) != 0) return;
        if (count == 1) return insert(hash, {key.low(), key.high(), key.tag() | one | ids[0]}, true);
        const uint32_t at = take(1);
        if (at == none) return;
        std::memcpy(arena_[at].bytes, ids, count * 4);
        insert(hash, {key.low(), key.high(), key.tag() | static_cast<uint32_t>(count - 1) << 24 | at}, false);
    }

    // Of longer pieces, and those of many tokens: by a hash of 64 bits, confirmed by their bytes. Gives the number of ids, written to `out`.
    size_t copy_long(std::string_view bytes, uint64_t hash, uint32_t part_tag, uint32_t* out) const {
        const Slot* four = &slots_[set_of(hash)];
        for (size_t way = 0; way < ways; way++) {
            const Slot& s = four[way];
            if (s.low != hash || ((s.value ^ (long_tag | part_tag)) & tag_mask) != 0 || (s.value & 0xFFFF) != bytes.size()) continue;
            const char* entry = arena_[s.high].bytes;
            if (std::memcmp(entry, bytes.data(), bytes.size()) != 0) continue;
            const size_t count = s.value >> 16 & 0xFF;
            std::memcpy(out, entry + (bytes.size() + 3) / 4 * 4, count * 4);
            return count;
        }
        return 0;
    }
    void prefetch_long(uint64_t hash) const {
        const Slot* four = &slots_[set_of(hash)];
        for (size_t way = 0; way < ways; way++)
            if (four[way].low == hash) __builtin_prefetch(&arena_[four[way].high & (units - 1)]);
    }
    void put_long(std::string_view bytes, uint64_t hash, uint32_t part_tag, const uint32_t* ids, size_t count) {
        const size_t keyed = (bytes.size() + 3) / 4 * 4;
        const uint32_t at = take((keyed + count * 4 + sizeof(Unit) - 1) / sizeof(Unit));
        if (at == none) return;
        char* entry = arena_[at].bytes;
        std::memcpy(entry, bytes.data(), bytes.size());
        std::memcpy(entry + keyed, ids, count * 4);
        insert(hash, {hash, at, long_tag | part_tag | static_cast<uint32_t>(count << 16 | bytes.size())}, false);
    }
    // Between two texts, or parts of one: where there was no more room for ids, all begins anew.
    void renew() {
        if (!full_) return;
        std::memset(static_cast<void*>(slots_), 0, slot_count * sizeof(Slot));
        head_ = 0, full_ = false;
    }

    void prefetch(uint64_t hash) const { __builtin_prefetch(&slots_[set_of(hash)]); }
    static constexpr size_t memory_bytes() { return slot_count * sizeof(Slot) + units * sizeof(Unit); }

private:
    struct alignas(16) Slot {
        uint64_t low = 0;
        uint32_t high = 0, value = 0;
    };
    struct alignas(16) Unit {
        char bytes[16];
    };
    static_assert(sizeof(Slot) == sizeof(Unit));
    static constexpr size_t ways = 4, slot_count = size_t(1) << 16, units = size_t(1) << 18;
    static constexpr uint32_t tag_mask = 0xF8000000, long_tag = 15u << 28, none = ~0u;
    static size_t set_of(uint64_t hash) { return hash >> 50 << 2; }

    // Four bits for each way; all set where it matches.
    [[gnu::always_inline]] static uint32_t matches(const Slot* four, const ShortKey& key) {
#if defined(__SSE2__)
        const __m128i wanted = reinterpret_cast<__m128i>(key.words);
        const __m128i mask = _mm_set_epi32(static_cast<int>(tag_mask), -1, -1, -1), zero = _mm_setzero_si128();
        const auto same = [&](size_t way) {
            return _mm_cmpeq_epi32(_mm_and_si128(_mm_xor_si128(_mm_load_si128(reinterpret_cast<const __m128i*>(four + way)), wanted), mask), zero);
        };
        const __m128i all = _mm_packs_epi16(_mm_packs_epi32(same(0), same(1)), _mm_packs_epi32(same(2), same(3)));
        uint32_t m = static_cast<uint32_t>(_mm_movemask_epi8(all));
        m &= m >> 1;
        return m & m >> 2 & 0x1111;
#else
        uint32_t m = 0;
        for (size_t way = 0; way < ways; way++) {
            const Slot& s = four[way];
            m |= uint32_t{((s.low ^ key.low()) | (s.high ^ key.high()) | ((s.value ^ key.tag()) & tag_mask)) == 0} << (way * 4);
        }
        return m;
#endif
    }
    // The first free way; else the oldest makes room. A token is soon found again without this: those that were merged stay before them.
    void insert(uint64_t hash, const Slot& slot, bool cheap) {
        Slot* const four = &slots_[set_of(hash)];
        for (size_t way = 0; way < ways; way++) {
            if (four[way].value != 0) continue;
            four[way] = slot;
            return;
        }
        const size_t at = cheap ? ways / 2 : 0;
        for (size_t way = ways - 1; way > at; way--) four[way] = four[way - 1];
        four[at] = slot;
    }
    uint32_t take(size_t count) {
        if (head_ + count > units) return full_ = true, none;
        const uint32_t at = head_;
        head_ += static_cast<uint32_t>(count);
        return at;
    }
    // All in one, so that huge pages hold it.
    HugeArray<Unit> memory_{slot_count + units};
    Slot* const slots_ = reinterpret_cast<Slot*>(memory_.data());
    Unit* const arena_ = memory_.data() + slot_count;
    uint32_t head_ = 0;                          // units of the arena that are taken
    bool full_ = false;
};

}  // namespace weir::tok
