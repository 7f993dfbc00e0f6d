#include "kv/rank_counts.h"

#include <algorithm>

namespace weir::kv {

RankCounts::RankCounts(const RankCounts& o) : size_(o.size_), slots_(o.slots_) {
    if (slots_ > in_place) table_ = new Entry[slots_];
    std::copy(o.at(), o.at() + slots_, at());
}

RankCounts::Entry* RankCounts::find(uint32_t rank) {
    Entry* entries = at();
    if (slots_ == in_place) {
        for (Entry* e = entries; e < entries + in_place; ++e)
            if (e->n && e->rank == rank) return e;
        for (Entry* e = entries; e < entries + in_place; ++e)
            if (!e->n) return e;
        return nullptr;
    }
    uint32_t i = home(rank);
    while (entries[i].n && entries[i].rank != rank) i = (i + 1) & (slots_ - 1);   // never full
    return &entries[i];
}

uint32_t RankCounts::of(uint32_t rank) const {
    const Entry* e = const_cast<RankCounts*>(this)->find(rank);
    return e ? e->n : 0;
}

uint32_t RankCounts::add(uint32_t rank) {
    Entry* e = find(rank);
    if (e && e->n) return ++e->n;
    if (size_ >= room()) {
        resize(grown());
        e = find(rank);
    }
    *e = {rank, 1};
    ++size_;
    return 1;
}

uint32_t RankCounts::take(uint32_t rank) {
    Entry* e = find(rank);
    if (--e->n) return e->n;
    --size_;
    if (slots_ == in_place) return 0;
    uint32_t gap = static_cast<uint32_t>(e - table_);
    for (uint32_t i = (gap + 1) & (slots_ - 1); table_[i].n; i = (i + 1) & (slots_ - 1)) {   // who stands behind its home moves up
        const uint32_t h = home(table_[i].rank);
        if (((i - h) & (slots_ - 1)) < ((i - gap) & (slots_ - 1))) continue;
        table_[gap] = table_[i];
        table_[i].n = 0;
        gap = i;
    }
    if (size_ <= in_place && slots_ == table_min) resize(in_place);
    else if (slots_ > table_min && size_ <= slots_ / 8) resize(slots_ / 2);
    return 0;
}

void RankCounts::resize(uint32_t slots) {
    Entry kept[in_place];
    Entry* from = kept;
    const uint32_t n = slots_;
    if (slots_ > in_place) from = table_;
    else std::copy(here_, here_ + in_place, kept);
    slots_ = slots;
    if (slots > in_place) table_ = new Entry[slots];
    else std::fill(here_, here_ + in_place, Entry{});
    for (uint32_t i = 0; i < n; ++i)
        if (from[i].n) *find(from[i].rank) = from[i];
    if (from != kept) delete[] from;
}

}  // namespace weir::kv
