// The address space of a KvIndex, sized so that any mix of content can use the whole byte budget.
#pragma once
#include <algorithm>

#include "kv/index.h"

namespace weir::kv {

inline constexpr uint32_t holders_max = 131'072;

struct KvIndex::Memory {
    explicit Memory(uint64_t bytes)
        : groups_max(static_cast<uint32_t>(std::min<uint64_t>(bytes / GroupTable::group_bytes + 1, UINT32_MAX / group_blocks))),
          pages_max(std::min<uint64_t>(bytes / NameTable::page_bytes / 2 + 1, 1u << 22)),
          records_max(static_cast<uint32_t>(std::min<uint64_t>(bytes / 4 / 64 + 64, 1u << 30))),
          groups(groups_max * sizeof(Group)), places(groups_max * sizeof(Places)),
          pages(NameTable::region_bytes(pages_max)), records(HolderSets::region_bytes(records_max)),
          holder_info(holders_max * sizeof(uint32_t)), rank_holder(ranks_max * 8 * sizeof(uint32_t)) {}
    bool ok() const {
        return groups.data() && places.data() && pages.data() && records.data() && holder_info.data() && rank_holder.data();
    }

    uint32_t groups_max;
    size_t pages_max;
    uint32_t records_max;
    Region groups, places, pages, records, holder_info, rank_holder;
};

}  // namespace weir::kv
