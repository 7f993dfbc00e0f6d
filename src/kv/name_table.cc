#include "kv/name_table.h"

#include <cstring>

namespace weir::kv {

NameTable::NameTable(Region pages, size_t pages_max, const Places* places, Bytes& bytes)
    : memory_(std::move(pages)), slots_(memory_.as<uint64_t>()), places_(places), bytes_(bytes), pages_max_(pages_max), directory_(1, 0), meta_(1) {
    bytes_.take(page_bytes);
}

uint64_t* NameTable::find_slot(uint64_t name) const {
    const uint32_t t = tag(name);
    uint64_t* p = page(page_of(t));
    for (uint32_t i = t & (page_slots - 1);; i = (i + 1) & (page_slots - 1)) {
        const uint64_t slot = p[i];
        if (slot == 0) return nullptr;
        if (static_cast<uint32_t>(slot >> 32) == t && named(static_cast<uint32_t>(slot), name)) return p + i;
    }
}

uint32_t NameTable::find(uint64_t name) const {
    const uint64_t* slot = find_slot(name);
    return slot ? block_of(slot) : 0;
}

uint32_t NameTable::guess(uint64_t name) const {
    const uint32_t t = tag(name);
    const uint64_t* p = page(page_of(t));
    for (uint32_t i = t & (page_slots - 1);; i = (i + 1) & (page_slots - 1)) {
        const uint64_t slot = p[i];
        if (slot == 0 || static_cast<uint32_t>(slot >> 32) == t) return static_cast<uint32_t>(slot);
    }
}

void NameTable::place(uint64_t* page, uint64_t slot) {
    uint32_t i = static_cast<uint32_t>(slot >> 32) & (page_slots - 1);
    while (page[i] != 0) i = (i + 1) & (page_slots - 1);
    page[i] = slot;
}

NameTable::Put NameTable::put(uint64_t name, uint32_t block) {
    const uint32_t t = tag(name);
    for (bool may_split = true;;) {
        const uint32_t number = page_of(t);
        if (may_split && meta_[number].used >= split_at) {
            may_split = split(t);
            continue;
        }
        uint64_t* p = page(number);
        uint32_t i = t & (page_slots - 1);
        for (; p[i] != 0; i = (i + 1) & (page_slots - 1))
            if (static_cast<uint32_t>(p[i] >> 32) == t && named(static_cast<uint32_t>(p[i]), name)) return Put::taken;
        if (meta_[number].used >= full_at) return Put::no_room;
        p[i] = uint64_t{t} << 32 | block;
        ++meta_[number].used;
        ++size_;
        return Put::done;
    }
}

bool NameTable::split(uint32_t t) {
    const uint32_t from = page_of(t);
    const uint8_t depth = meta_[from].depth;
    if (!can_grow() || depth >= 22) return false;
    if (depth == depth_) {
        const size_t n = directory_.size();
        if (!bytes_.take(n * sizeof(uint32_t))) return false;
        directory_.resize(n * 2);
        for (size_t i = n * 2; i-- > 0;) directory_[i] = directory_[i / 2];
        ++depth_;
    }
    if (!bytes_.take(page_bytes + sizeof(Page))) return false;
    const uint32_t to = pages_++;
    meta_.push_back({0, static_cast<uint8_t>(depth + 1)});
    meta_[from] = {0, static_cast<uint8_t>(depth + 1)};
    const uint32_t bit = 1u << (31 - depth), shift = 32 - depth_;
    const uint32_t first = (depth == 0 ? 0 : t >> (32 - depth) << (32 - depth)) | bit;        // directory entries of the new page
    for (uint32_t i = first >> shift, n = 1u << (depth_ - depth - 1); n-- > 0; ++i) directory_[i] = to;
    uint64_t old[page_slots];
    std::memcpy(old, page(from), page_bytes);
    std::memset(page(from), 0, page_bytes);
    for (uint64_t slot : old) {
        if (slot == 0) continue;
        const uint32_t p = static_cast<uint32_t>(slot >> 32) & bit ? to : from;
        place(page(p), slot);
        ++meta_[p].used;
    }
    return true;
}

void NameTable::erase(uint64_t name, uint32_t block) {
    const uint32_t t = tag(name);
    uint64_t* p = page(page_of(t));
    uint32_t i = t & (page_slots - 1);
    while (p[i] != (uint64_t{t} << 32 | block)) i = (i + 1) & (page_slots - 1);
    erase_slot(p + i);
}

void NameTable::erase_slot(uint64_t* slot) {
    constexpr uint32_t mask = page_slots - 1;
    const auto number = static_cast<uint32_t>(static_cast<size_t>(slot - slots_) / page_slots);
    uint64_t* p = page(number);
    uint32_t hole = static_cast<uint32_t>(slot - p);
    for (uint32_t i = (hole + 1) & mask; p[i] != 0; i = (i + 1) & mask) {                      // close the gap: no tombstones
        const uint32_t at_home = static_cast<uint32_t>(p[i] >> 32) & mask;
        if (((i - at_home) & mask) < ((i - hole) & mask)) continue;
        p[hole] = p[i];
        hole = i;
    }
    p[hole] = 0;
    --meta_[number].used;
    --size_;
}

}  // namespace weir::kv
