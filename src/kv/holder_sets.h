// Sets of holders, each distinct one stored once: who holds a block costs 4 bytes there.
#pragma once
#include <bit>
#include <cstdint>
#include <vector>

#include "kv/region.h"

namespace weir::kv {

using SetId = uint32_t;                       // 0: nobody; bit 31: one holder, its number below; else a record
inline constexpr SetId no_set = UINT32_MAX;   // refused: no room

// Records are immutable from their first publication until no reader can see them. Readers: contains, each. Writer: the rest.
class HolderSets {
public:
    HolderSets(Region records, uint32_t records_max, Bytes& bytes);
    ~HolderSets();
    HolderSets(const HolderSets&) = delete;
    static size_t region_bytes(uint32_t records_max) { return size_t{records_max} * sizeof(Record); }

    static SetId only(uint32_t holder) { return holder | one; }
    bool contains(SetId id, uint32_t holder) const {
        if (id & one) return id == only(holder);
        return id != 0 && records_[id].contains(holder);
    }
    template <class F>
    void each(SetId id, F&& f) const;          // ascending
    uint32_t size(SetId id) const { return id == 0 ? 0 : id & one ? 1 : records_[id].size; }

    // The set with one holder more or less; no reference is taken. The change is a real one.
    SetId with(SetId id, uint32_t holder) { return id == 0 ? only(holder) : change(id, holder, true); }
    SetId without(SetId id, uint32_t holder) { return id & one ? 0 : change(id, holder, false); }
    void ref(SetId id) { if (is_record(id)) ++records_[id].refs; }
    bool unref(SetId id) {                     // true: unlinked, to be given to reclaim() when no reader sees it any more
        if (!is_record(id) || --records_[id].refs != 0) return false;
        unlink(id);
        return true;
    }
    void reclaim(SetId id);
    void discard_unused(SetId id) {            // a step on the way to another set, never published
        if (!is_record(id) || records_[id].refs != 0) return;
        unlink(id);
        reclaim(id);
    }
    uint32_t records() const { return live_; }

private:
    static constexpr SetId one = 1u << 31;
    static constexpr uint32_t inline_max = 8;
    struct Record {                            // 64 bytes
        uint64_t hash;
        uint32_t refs, size, next, stamp;      // stamp: unique to this use of the record; 0 = free
        uint32_t words;                        // of the bitmap; 0: ids are in place
        union { uint32_t ids[inline_max]; uint64_t* bits; };
        bool contains(uint32_t holder) const {
            if (words) return holder / 64 < words && (bits[holder / 64] >> (holder % 64) & 1);
            for (uint32_t i = 0; i < size; ++i) if (ids[i] == holder) return true;
            return false;
        }
    };
    static_assert(sizeof(Record) == 64);
    struct Memo { SetId from, to; uint32_t holder, from_stamp, to_stamp; };
    static bool is_record(SetId id) { return id != 0 && !(id & one); }
    uint32_t stamp(SetId id) const { return is_record(id) ? records_[id].stamp : 0; }
    SetId change(SetId id, uint32_t holder, bool add);
    SetId find_or_make(SetId from, uint32_t holder, bool add);
    bool equal(const Record& r, SetId from, uint32_t holder, bool add) const;
    SetId make(SetId from, uint32_t holder, bool add, uint32_t size, uint64_t hash);
    bool fill(Record& r, SetId from, uint32_t holder, bool add);
    void unlink(SetId id);
    void grow();

    Region memory_;
    Record* records_;
    Bytes& bytes_;
    uint32_t records_max_, high_ = 1, live_ = 0, stamps_ = 0;
    std::vector<SetId> free_, buckets_;
    std::vector<Memo> memo_;
};

template <class F>
void HolderSets::each(SetId id, F&& f) const {
    if (id == 0) return;
    if (id & one) return f(id & ~one);
    const Record& r = records_[id];
    if (!r.words) {
        for (uint32_t i = 0; i < r.size; ++i) f(r.ids[i]);
        return;
    }
    for (uint32_t w = 0; w < r.words; ++w)
        for (uint64_t bits = r.bits[w]; bits; bits &= bits - 1) f(w * 64 + static_cast<uint32_t>(std::countr_zero(bits)));
}

}  // namespace weir::kv
