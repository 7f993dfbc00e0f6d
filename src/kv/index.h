// The KV index: which rank holds which blocks, in which tier. Lookups (kv/matcher.h) run on every core while events are applied.
#pragma once
#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <vector>

#include "base/result.h"
#include "kv/alias_table.h"
#include "kv/epochs.h"
#include "kv/group_table.h"
#include "kv/holder_sets.h"
#include "kv/name_table.h"
#include "kv/region.h"

namespace weir::kv {

using Rank = uint32_t;                          // dense number of a (worker, dp rank), chosen by the caller, below ranks_max
inline constexpr uint32_t ranks_max = 65'536;
enum class Tier : uint8_t { device, host, disk, external, predicted };
inline constexpr uint32_t tiers = 5;

struct Block { uint64_t name, local; };         // the engine's own hash, and the local hash of kv/block_hash.h
inline constexpr uint32_t parked_events_max = 1'024;   // of one rank

struct IndexSettings {
    uint64_t bytes_max = uint64_t{1} << 30;     // hard; at least index_bytes_min
};
inline constexpr uint64_t index_bytes_min = 1 << 20;

struct IndexStats {
    uint64_t memberships, blocks, groups, sets, aliases;                 // now. memberships: (block, rank, tier); lag behind `cleared`
    uint64_t bytes, bytes_max;
    uint64_t stored, removed, duplicates;                                // blocks since the start
    uint64_t unknown_removed;                                            // not held under that name: never stored, evicted, or cleared before
    uint64_t parked, unparked, parked_dropped;                           // events whose parent the rank did not hold
    uint64_t evicted_budget;                                             // memberships dropped for room
    uint64_t refused;                                                    // memberships not taken: no room at that moment
};

// What dump() says: the calls that rebuild the rank's content, parents first.
struct Change {
    enum Kind : uint8_t { stored, removed } kind;
    Tier tier;
    bool has_parent;
    uint64_t parent;
    std::span<const Block> blocks;              // removed: only names count
};

// A block is what it holds and all that stands before it: the path of local hashes from a sequence's first block. A rank holds a block
// in a tier under a name, its engine's hash; within (rank, tier) names and blocks correspond one to one.
//
// What events mean, also when they are lost, doubled or out of order:
//   stored     the blocks follow the parent, which must be held by the same rank in any tier; without a parent they start a sequence.
//              Unknown parent: the event is parked until that name is stored by the rank (parked_events_max, oldest dropped and
//              counted), and its names are given up meanwhile. Already held under this name: no change. A name that moves to another
//              block leaves the first; a block that gets a new name loses the old one.
//   removed    names this (rank, tier) holds; others are counted, and taken back from its parked events.
//   cleared    all tiers of the rank at once, in O(1); memory is swept up in slices by later calls.
// A rank never counts for blocks it was not told of, or after it was told of their removal (unless its engine renames a block in an event
// that is parked or refused: then the removal of the new name does not reach the old one). It may count for less than it holds: while an
// event is being applied, after parked_dropped, evicted_budget or refused.
//
// Any thread may call; changes take turns (short spinlock, 64 blocks at a time), lookups never wait. Events of one rank must come from one
// thread at a time, in order. Memory: everything that grows with content is charged to bytes_max and evicted from the frontier (blocks
// nobody continues) by least recent use.
class KvIndex {
public:
    static Result<std::unique_ptr<KvIndex>> make(IndexSettings settings);
    ~KvIndex();

    void stored(Rank rank, Tier tier, const uint64_t* parent, std::span<const Block> blocks);
    void removed(Rank rank, Tier tier, std::span<const uint64_t> names);
    void cleared(Rank rank);
    void cleared(Rank rank, Tier tier);
    void remove_ranks(Rank first, uint32_t n);                  // a worker has gone: cleared, and nothing is kept

    // Recovery: between begin and commit the rank's events build a second content that lookups do not see; commit swaps, abort drops it.
    void rebuild_begin(Rank rank);
    void rebuild_commit(Rank rank);
    void rebuild_abort(Rank rank);

    // Everything lookups see of the rank, as changes that would rebuild it, if each name means one block. Call it where the rank's events
    // come from. The lock is given up between slices; what eviction takes meanwhile may be missing.
    void dump(Rank rank, const std::function<void(const Change&)>& sink);

    // A slice of background work (sweeping, growth); true when more is left. Events do some too; call it from an idle tick.
    bool tend();
    IndexStats stats();

    // For predicted entries (kv/predictions.h): walks or makes the path of `local` and makes the rank hold it in Tier::predicted.
    // touched(group, first place, last place) once per group. Returns the number of blocks held.
    uint32_t hold_path(Rank rank, std::span<const uint64_t> local, const std::function<void(uint32_t, uint32_t, uint32_t)>& touched);
    // Gives up places (bits) of a group, as far as the rank holds them; returns how many it held.
    uint32_t release_places(Rank rank, uint32_t group, uint32_t places);
    uint32_t held_places(Rank rank, uint32_t group);            // bits, Tier::predicted

private:
    friend class Matcher;
    friend class Turn;
    struct Parking;
    struct DumpPart;
    struct RankState {
        uint32_t holder[tiers] = {};                            // that events go to; 0 = none
        uint32_t shown[tiers] = {};                             // rebuilding: what lookups see; else equal
        bool rebuilding = false;
        BlockId last = 0;                                       // newest stored block
        uint64_t last_name = 0;
        uint32_t shown_holder(uint32_t tier) const {
            return rebuilding && tier < static_cast<uint32_t>(Tier::predicted) ? shown[tier] : holder[tier];
        }
        std::unique_ptr<Parking> parking;                       // events that wait for their parent; null = none
    };
    struct Memory;
    KvIndex(IndexSettings settings, Memory memory);

    // index.cc
    size_t store_slice(RankState& r, uint32_t holder, BlockId at, std::span<const Block> blocks);   // how many were stored
    void refuse(uint32_t holder, std::span<const Block> blocks);
    void forget(uint32_t holder, std::span<const Block> blocks);
    BlockId step(BlockId at, uint64_t local);
    // names.cc
    bool hold(BlockId block, uint32_t holder, const uint64_t* name);          // name null: Tier::predicted
    bool rename(BlockId block, uint32_t holder, uint64_t name);
    NameTable::Put put_name(uint64_t name, BlockId block);
    bool give_name(BlockId block, uint32_t holder, uint64_t name);
    bool release_named(uint32_t holder, uint64_t name);                       // false: it holds nothing of that name
    void release(BlockId block, uint32_t holder);
    void change_set(BlockId block, SetId from, SetId to);
    void empty(BlockId block);                                                // nobody holds it any more, whoever did
    void unname(BlockId block);
    bool called(BlockId block, uint32_t holder, uint64_t name) const;         // does the holder, which holds it, call it that?
    BlockId named(uint32_t holder, uint64_t name) const;
    BlockId named_in_any_tier(const RankState& r, uint64_t name) const;
    // dump.cc
    uint64_t name_of(uint32_t holder, BlockId block) const;
    uint64_t name_in_any_tier(const RankState& r, BlockId block, bool& held) const;
    BlockId before(BlockId block) const;
    void dump_group(const RankState& r, uint32_t number, Tier tier, DumpPart& out) const;
    bool holds_any(const RankState& r, uint32_t number) const;
    // parking.cc
    void park(RankState& r, Tier tier, uint64_t parent, std::span<const Block> blocks);
    void take_back(RankState& r, Tier tier, uint64_t name);
    void unpark(RankState& r, Rank rank, Tier tier, std::span<const Block> stored);
    void unpark_one(RankState& r, Rank rank, BlockId at, size_t i, std::vector<uint64_t>& names);
    void drop_parked(RankState& r);
    // upkeep.cc
    uint32_t holder_of(RankState& r, Rank rank, Tier tier);
    void kill(uint32_t holder);
    void show(Rank rank, uint32_t tier, uint32_t holder);
    void clear_tier(RankState& r, Rank rank, uint32_t tier);
    void start_work(size_t blocks);                                           // before each slice of a change: room, and a bit of upkeep
    bool sweep_slice(uint32_t groups);                                        // true: more is left
    void sweep_group(uint32_t group);
    bool dying(uint32_t holder) const { return holder < is_dying_.size() && is_dying_[holder]; }   // those made since the sweep began are not
    void free_gone_holders();
    bool tight() const;
    bool evict_one();
    void evict_group(uint32_t group);
    void consider(uint32_t group, uint32_t descend_max, uint32_t& best) const;
    RankState& rank_state(Rank rank);

    Epochs epochs_;                                             // first: matchers outlive nothing else
    Bytes bytes_;
    Region holder_info_, rank_holder_;
    std::atomic<uint32_t>* info_;                               // holder -> rank * 8 + tier + 1; 0 = not shown
    std::atomic<uint32_t>* shown_;                              // rank * 8 + tier -> holder; 0 = none
    HolderSets sets_;
    GroupTable groups_;
    NameTable names_;
    AliasTable aliases_;
    std::atomic<uint32_t> tick_{1};                             // of ages; one per 1,024 blocks of work
    std::atomic<uint32_t> lower_tiers_{0};                      // 1 once anything below the device tier was stored

    std::atomic_flag busy_ = ATOMIC_FLAG_INIT;
    std::vector<RankState> ranks_;
    std::vector<uint32_t> free_holders_;
    struct Gone { uint64_t epoch; uint32_t holder; };
    std::vector<Gone> gone_;                                    // swept, waiting for readers
    uint32_t holders_ = 1;
    std::vector<uint32_t> dead_, dying_;                        // to be swept; under the present sweep
    std::vector<bool> is_dying_;
    uint32_t sweep_at_ = 0;
    size_t sweep_alias_ = 0;                                    // downwards
    uint32_t hand_ = 1, evict_next_ = 0, work_ = 0;
    bool sets_refused_ = false;
    IndexStats stats_{};
};

}  // namespace weir::kv
