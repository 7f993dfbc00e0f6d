// How many of something each rank has: a small map, in place for up to two ranks.
#pragma once
#include <bit>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <utility>

namespace weir::kv {

// One thread at a time. Ranks with a count of zero are not in it.
class RankCounts {
public:
    RankCounts() = default;
    RankCounts(const RankCounts& o);
    RankCounts& operator=(const RankCounts&) = delete;
    ~RankCounts() { if (slots_ > in_place) delete[] table_; }

    uint32_t add(uint32_t rank);                 // the count after
    uint32_t take(uint32_t rank);                // the count after; the rank is there
    uint32_t of(uint32_t rank) const;
    uint32_t size() const { return size_; }      // ranks
    size_t bytes() const { return slots_ > in_place ? slots_ * sizeof(Entry) : 0; }   // beside the object itself
    size_t bytes_after_add(uint32_t rank) const { return size_ < room() || of(rank) ? bytes() : grown() * sizeof(Entry); }
    template <class F>
    void each(F&& f) const {                     // f(rank, count), in no order
        for (uint32_t i = 0; i < slots_; ++i)
            if (const Entry& e = at()[i]; e.n) f(e.rank, e.n);
    }

private:
    struct Entry { uint32_t rank = 0, n = 0; };
    static constexpr uint32_t in_place = 2, table_min = 8;
    Entry* at() { return slots_ > in_place ? table_ : here_; }
    const Entry* at() const { return slots_ > in_place ? table_ : here_; }
    uint32_t room() const { return slots_ > in_place ? slots_ / 4 * 3 : in_place; }
    uint32_t grown() const { return slots_ > in_place ? slots_ * 2 : table_min; }
    uint32_t home(uint32_t rank) const { return rank * 0x9E3779B1u >> (32 - std::bit_width(slots_ - 1)); }
    Entry* find(uint32_t rank);                  // its place, or the free one where it belongs; null: there is none
    void resize(uint32_t slots);

    uint32_t size_ = 0, slots_ = in_place;
    union {
        Entry here_[in_place] = {};
        Entry* table_;
    };
};

}  // namespace weir::kv
