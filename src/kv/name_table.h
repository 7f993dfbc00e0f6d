// Engine hash -> block. The hash itself is kept once, beside the block; here are 8 bytes a name.
#pragma once
#include <cstdint>
#include <vector>

#include "kv/group.h"
#include "kv/prefetch.h"
#include "kv/region.h"

namespace weir::kv {

// Extendible hashing: pages of 512 slots, a full one splits in two. Never a pause for growth, no more memory than content asks for.
// One thread (the writer). `places` must hold the name of every block that is in the table.
class NameTable {
public:
    NameTable(Region pages, size_t pages_max, const Places* places, Bytes& bytes);
    static size_t region_bytes(size_t pages_max) { return pages_max * page_bytes; }

    [[gnu::always_inline]] void prefetch(uint64_t name) const { prefetch_line(home(tag(name))); }
    uint32_t find(uint64_t name) const;                    // 0 = unknown
    uint32_t guess(uint64_t name) const;                   // the first block with the same tag: right but for one in thousands; 0 = none
    enum class Put : uint8_t { done, taken, no_room };
    Put put(uint64_t name, uint32_t block);                // taken: the name is there already
    uint64_t* find_slot(uint64_t name) const;              // null = unknown; valid until the next change
    static uint32_t block_of(const uint64_t* slot) { return static_cast<uint32_t>(*slot); }
    void erase_slot(uint64_t* slot);
    void erase(uint64_t name, uint32_t block);             // is there
    uint64_t size() const { return size_; }
    template <class F>
    void each_near(uint64_t name, F&& f) const {           // some blocks whose names stand on the same page
        const uint64_t* p = page(page_of(tag(name)));
        for (uint32_t i = tag(name), n = 0; n < near_max; ++i)
            if (++n; p[i & (page_slots - 1)] != 0) f(block_of(p + (i & (page_slots - 1))));
    }
    static constexpr size_t page_bytes = 4'096;

private:
    static constexpr uint32_t near_max = 128;
    bool can_grow() const { return pages_ < pages_max_ && bytes_.room(page_bytes + 64, keep()); }
    static constexpr uint32_t page_slots = page_bytes / 8, split_at = page_slots * 6 / 10, full_at = page_slots * 15 / 16;
    struct Page { uint16_t used = 0; uint8_t depth = 0; };
    bool named(uint32_t block, uint64_t name) const { return places_[block / group_blocks].name[block % group_blocks] == name; }
    static uint32_t tag(uint64_t name) {                   // top bits choose the page, low nine the slot
        name *= 0x9E3779B97F4A7C15ull;                     // engines may count 1, 2, 3: spread them
        name ^= name >> 32;
        name *= 0xD6E8FEB86659FD93ull;
        return static_cast<uint32_t>(name >> 32);
    }
    size_t keep() const { return bytes_.limit() / 16; }
    uint32_t page_of(uint32_t t) const { return directory_[depth_ == 0 ? 0 : t >> (32 - depth_)]; }
    uint64_t* page(uint32_t p) const { return slots_ + size_t{p} * page_slots; }
    const uint64_t* home(uint32_t t) const { return page(page_of(t)) + (t & (page_slots - 1)); }
    static void place(uint64_t* page, uint64_t slot);
    bool split(uint32_t t);

    Region memory_;
    uint64_t* slots_;
    const Places* places_;
    Bytes& bytes_;
    size_t pages_max_;
    std::vector<uint32_t> directory_;
    std::vector<Page> meta_;
    uint32_t pages_ = 1, depth_ = 0;
    uint64_t size_ = 0;
};

}  // namespace weir::kv
