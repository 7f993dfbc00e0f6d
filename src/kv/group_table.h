// Where blocks live: groups of up to 16 consecutive blocks, and the table that finds a group by what stands before it.
#pragma once
#include <atomic>
#include <cstdint>
#include <deque>
#include <memory>
#include <vector>

#include "kv/epochs.h"
#include "kv/group.h"
#include "kv/holder_sets.h"
#include "kv/prefetch.h"
#include "kv/region.h"

namespace weir::kv {

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
    GroupTable(Region groups, Region places, uint32_t groups_max, Bytes& bytes, Epochs& epochs, HolderSets& sets);
    static constexpr size_t group_bytes = sizeof(Group) + sizeof(Places);

    Group& at(uint32_t group) const { return groups_[group]; }
    Group& of(BlockId block) const { return groups_[block / group_blocks]; }
    Places& places(uint32_t group) const { return places_[group]; }
    Places& places_of(BlockId block) const { return places_[block / group_blocks]; }
    SetId set_of(BlockId block) const { return places_of(block).set[block % group_blocks].load(std::memory_order_relaxed); }
    uint64_t& name(BlockId block) const { return places_of(block).name[block % group_blocks]; }
    const Digest& digest() const { return digest_; }
    uint32_t find_child(BlockId parent, uint64_t local) const;       // 0 = none
    [[gnu::always_inline]] void prefetch_head(uint32_t group) const { prefetch_line(&groups_[group]); }
    [[gnu::always_inline]] void prefetch_bucket(const Group& g) const {                     // for an unlink soon
        const Buckets* b = present_.get();
        prefetch_line(&b->heads[hash(g.parent.load(std::memory_order_relaxed), g.first) & b->mask]);
    }

    uint32_t make(BlockId parent, uint64_t local, uint32_t age);     // place 0 set up, linked; 0 = no room
    void append(uint32_t group, uint64_t local) {                    // count < 16
        Group& g = groups_[group];
        Places& p = places_[group];
        const uint32_t n = g.count.load(std::memory_order_relaxed);
        p.local[n] = local;
        p.set[n].store(0, std::memory_order_relaxed);
        if (n + 1 == group_blocks) g.digest = digest_.of(p.local);
        g.count.store(n + 1, std::memory_order_release);
    }
    void settle(uint32_t group) {                                    // do all places agree by now?
        const Places& p = places_[group];
        const SetId set = p.set[0].load(std::memory_order_relaxed);
        SetId differ = groups_[group].count.load(std::memory_order_relaxed) ^ group_blocks;
        for (uint32_t i = 1; i < group_blocks; ++i) differ |= p.set[i].load(std::memory_order_relaxed) ^ set;
        if (differ == 0) groups_[group].uniform.store(set, std::memory_order_release);
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
    static uint64_t hash(BlockId parent, uint64_t local) {
        uint64_t h = (local ^ parent) * 0x9E3779B97F4A7C15ull;
        h ^= h >> 32;
        h += uint64_t{parent} * 0xD6E8FEB86659FD93ull;
        return h ^ h >> 29;
    }
    static std::unique_ptr<Buckets> make_buckets(uint32_t n, uint32_t link);
    void link(Buckets&, uint32_t group);
    void unlink(Buckets&, uint32_t group);
    void retire(uint32_t id, bool is_set);
    void reclaim();
    void grow_step();

    Digest digest_;
    Region memory_, place_memory_;
    Group* groups_;
    Places* places_;
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
