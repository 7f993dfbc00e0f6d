// Where blocks live: groups of up to 16 consecutive blocks, and the table that finds a group by what stands before it.
#pragma once
#include <atomic>
#include <cstdint>
#include <deque>
#include <memory>
#include <vector>

#include "kv/epochs.h"
#include "kv/holder_sets.h"
#include "kv/region.h"

namespace weir::kv {

inline constexpr uint32_t group_blocks = 16;
using BlockId = uint32_t;                  // group * 16 + place; 0 = none (group 0 is never used)

// A group is a run: its blocks follow each other. Places are filled in order and never change their local hash while the group lives,
// so a reader that saw `count` may read what is below it. A block without holders stays as a place on the way to others.
// For a full group whose places have one set, its first cache line says all that a lookup needs.
struct alignas(256) Group {
    std::atomic<uint32_t> chain[2];        // next group in the bucket, for the present and the coming bucket array
    std::atomic<BlockId> parent;           // the block before place 0; 0 = none, the group starts a sequence
    std::atomic<uint32_t> next;            // hint: the newest group behind place 15
    std::atomic<uint32_t> ahead;           // hint: a group some steps further down, worth a prefetch
    std::atomic<uint32_t> age;             // tick of the last use
    std::atomic<uint32_t> count;           // places in use
    std::atomic<SetId> uniform;            // the set of all 16 places, if they are known to agree; else no_set
    uint64_t digest;                       // of local[], once count is 16
    uint32_t depth;                        // blocks before place 0.                         From here to local: the writer's
    uint32_t kids;                         // groups whose parent is in this one
    uint16_t live, named;                  // places with holders (bits); places whose name is in the name table (bits)
    uint32_t in_use;                       // 1: linked
    uint32_t spare[2];
    uint64_t local[group_blocks];
    std::atomic<SetId> set[group_blocks];
};
static_assert(sizeof(Group) == 256 && offsetof(Group, local) == 64);

// 64 bits for 16 local hashes: sums of 128-bit products under keys of this process (NH), so nobody can aim at a collision; by chance it
// is as rare as one of the local hashes themselves.
class Digest {
public:
    Digest();
    uint64_t of(const uint64_t* local) const {
        unsigned __int128 sum = 0;
        for (uint32_t i = 0; i < group_blocks; i += 2) sum += static_cast<unsigned __int128>(local[i] + key_[i]) * (local[i + 1] + key_[i + 1]);
        return static_cast<uint64_t>(sum) ^ static_cast<uint64_t>(sum >> 64) * key_[group_blocks];
    }

private:
    uint64_t key_[group_blocks + 1];
};

// Writer: one at a time. Readers: at, find_child, inside an epoch.
class GroupTable {
public:
    GroupTable(Region groups, Region names, uint32_t groups_max, Bytes& bytes, Epochs& epochs, HolderSets& sets);
    static constexpr size_t group_bytes = sizeof(Group) + group_blocks * sizeof(uint64_t);

    Group& at(uint32_t group) const { return groups_[group]; }
    Group& of(BlockId block) const { return groups_[block / group_blocks]; }
    SetId set_of(BlockId block) const { return of(block).set[block % group_blocks].load(std::memory_order_relaxed); }
    uint64_t& name(BlockId block) const { return names_[block]; }
    const uint64_t* names() const { return names_; }
    const Digest& digest() const { return digest_; }
    uint32_t find_child(BlockId parent, uint64_t local) const;       // 0 = none
    void prefetch_head(uint32_t group) const { __builtin_prefetch(&groups_[group]); }
    void prefetch(uint32_t group) const {
        const char* p = reinterpret_cast<const char*>(&groups_[group]);
        for (int line = 0; line < 4; ++line) __builtin_prefetch(p + 64 * line);
    }
    void prefetch_bucket(const Group& g) const {                     // for an unlink soon
        const Buckets* b = present_.get();
        __builtin_prefetch(&b->heads[hash(g.parent.load(std::memory_order_relaxed), g.local[0]) & b->mask]);
    }

    uint32_t make(BlockId parent, uint64_t local, uint32_t age);     // place 0 set up, linked; 0 = no room
    void append(Group& g, uint64_t local) {                          // count < 16
        const uint32_t n = g.count.load(std::memory_order_relaxed);
        g.local[n] = local;
        g.set[n].store(0, std::memory_order_relaxed);
        if (n + 1 == group_blocks) g.digest = digest_.of(g.local);
        g.count.store(n + 1, std::memory_order_release);
    }
    void settle(Group& g) {                                          // do all places agree by now?
        const SetId set = g.set[0].load(std::memory_order_relaxed);
        SetId differ = g.count.load(std::memory_order_relaxed) ^ group_blocks;
        for (uint32_t i = 1; i < group_blocks; ++i) differ |= g.set[i].load(std::memory_order_relaxed) ^ set;
        if (differ == 0) g.uniform.store(set, std::memory_order_release);
    }
    void drop_if_unused(uint32_t group);                             // no holders, no kids: unlinked, and so upwards
    void retire_set(SetId id) { retire(id, true); }
    void tend();                                                     // a slice of growth and reclamation
    uint32_t high() const { return high_; }                          // groups ever handed out: [1, high)
    uint32_t live() const { return live_; }
    uint32_t spare() const { return static_cast<uint32_t>(free_.size() + retired_groups_); }
    bool can_make(uint32_t n) const {                                // as far as room goes; readers may delay some of the spare ones
        const uint32_t spare = this->spare();
        return spare >= n || (high_ + n - spare <= groups_max_ && bytes_.room((n - spare) * group_bytes, bytes_.limit() / 8));
    }
    bool can_grow() const { return high_ < groups_max_ && bytes_.room(group_bytes, bytes_.limit() / 8); }

private:
    struct Buckets {
        uint32_t mask, link;
        std::unique_ptr<std::atomic<uint32_t>[]> heads;
    };
    struct Retired { uint64_t epoch; uint32_t id; bool is_set; };
    static uint64_t hash(BlockId parent, uint64_t local);
    static std::unique_ptr<Buckets> make_buckets(uint32_t n, uint32_t link);
    void link(Buckets&, uint32_t group);
    void unlink(Buckets&, uint32_t group);
    void retire(uint32_t id, bool is_set);
    void reclaim();
    void grow_step();

    Digest digest_;
    Region memory_, name_memory_;
    Group* groups_;
    uint64_t* names_;
    Bytes& bytes_;
    Epochs& epochs_;
    HolderSets& sets_;
    std::atomic<Buckets*> buckets_;
    std::unique_ptr<Buckets> present_, coming_, former_;
    uint64_t former_epoch_ = 0;
    uint32_t cursor_ = 0;                                            // groups below it are in coming_
    uint32_t groups_max_, high_ = 1, live_ = 0, retired_groups_ = 0, retired_since_ = 0;
    std::vector<uint32_t> free_;
    std::deque<Retired> retired_;
};

}  // namespace weir::kv
