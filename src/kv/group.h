// A group of up to 16 consecutive blocks, in two parts: what every lookup reads, and what it reads only at the ends of runs.
#pragma once
#include <atomic>
#include <cstddef>
#include <cstdint>

#include "kv/holder_sets.h"

namespace weir::kv {

inline constexpr uint32_t group_blocks = 16;
using BlockId = uint32_t;                  // group * 16 + place; 0 = none (group 0 is never used)

// A group is a run: its blocks follow each other. Places are filled in order and never change their local hash while the group lives,
// so a reader that saw `count` may read what is below it. A block without holders stays as a place on the way to others.
// For a full group whose places have one set, this cache line says all that a lookup needs.
struct alignas(64) Group {
    std::atomic<uint32_t> chain[2];        // next group in the bucket, for the present and the coming bucket array
    std::atomic<BlockId> parent;           // the block before place 0; 0 = none, the group starts a sequence
    std::atomic<uint32_t> next;            // hint: the newest group behind place 15
    std::atomic<uint32_t> ahead;           // hint: a group some steps further down, worth a prefetch
    std::atomic<uint32_t> age;             // tick of the last use
    std::atomic<uint32_t> count;           // places in use
    std::atomic<SetId> uniform;            // the set of all 16 places, if they are known to agree; else no_set
    uint64_t digest;                       // of the local hashes, once count is 16
    uint64_t first;                        // local hash of place 0
    uint32_t depth;                        // blocks before place 0.                                  From here on: the writer's
    uint32_t kids;                         // groups whose parent is in this one
    uint16_t live, named;                  // places with holders (bits); places whose name is in the name table (bits)
    uint32_t in_use;                       // 1: linked
};
static_assert(sizeof(Group) == 64);

struct alignas(64) Places {
    uint64_t local[group_blocks];
    std::atomic<SetId> set[group_blocks];
    uint64_t name[group_blocks];           // the writer's
};
static_assert(sizeof(Places) == 320);

}  // namespace weir::kv
