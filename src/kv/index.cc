#include "kv/index.h"

#include <algorithm>

#include "base/assert.h"
#include "kv/index_memory.h"
#include "kv/parking.h"
#include "kv/turn.h"

namespace weir::kv {
namespace {
constexpr size_t slice = 64, prefetch_names = 32, prefetch_groups = 16;
}

Result<std::unique_ptr<KvIndex>> KvIndex::make(IndexSettings settings) {
    if (settings.bytes_max < index_bytes_min)
        return Failure(Code::bad_field, "the KV index needs at least " + std::to_string(index_bytes_min) + " bytes");
    Memory memory(settings.bytes_max);
    if (!memory.ok())
        return Failure(Code::internal, "no address space for a KV index of " + std::to_string(settings.bytes_max) + " bytes");
    return std::unique_ptr<KvIndex>(new KvIndex(settings, std::move(memory)));
}

KvIndex::KvIndex(IndexSettings settings, Memory memory)
    : bytes_(settings.bytes_max), holder_info_(std::move(memory.holder_info)), rank_holder_(std::move(memory.rank_holder)),
      info_(holder_info_.as<std::atomic<uint32_t>>()), shown_(rank_holder_.as<std::atomic<uint32_t>>()),
      sets_(std::move(memory.records), memory.records_max, bytes_),
      groups_(std::move(memory.groups), std::move(memory.places), memory.groups_max, bytes_, epochs_, sets_),
      names_(std::move(memory.pages), memory.pages_max, &groups_.places(0), bytes_), aliases_(bytes_) {}

KvIndex::~KvIndex() = default;

void KvIndex::stored(Rank rank, Tier tier, const uint64_t* parent, std::span<const Block> blocks) {
    ASSERT(rank < ranks_max && tier < Tier::predicted);
    uint64_t name = parent ? *parent : 0;
    for (bool first = true; !blocks.empty(); first = false) {
        const auto part = blocks.first(std::min(slice, blocks.size()));
        prefetch_bytes(part.data(), part.size_bytes());    // events come out of a queue: as cold as what they are about
        Turn turn(*this);
        start_work(part.size());
        RankState& r = rank_state(rank);
        BlockId at = 0;
        if (parent || !first) {
            at = named_in_any_tier(r, name);
            if (at == 0) return park(r, tier, name, blocks);
        }
        const uint32_t holder = holder_of(r, rank, tier);
        if (tier != Tier::device) lower_tiers_.store(1, std::memory_order_relaxed);
        const size_t done = holder ? store_slice(r, holder, at, part) : 0;
        if (done < part.size()) return refuse(holder, blocks.subspan(done));
        if (r.parking) unpark(r, rank, tier, part);
        name = part.back().name;
        blocks = blocks.subspan(part.size());
    }
}

// Follows the path block by block, making what is missing.
size_t KvIndex::store_slice(RankState& r, uint32_t holder, BlockId at, std::span<const Block> blocks) {
    const uint32_t tick = tick_.load(std::memory_order_relaxed);
    const size_t n = blocks.size();
    for (size_t i = 0; i < std::min(n, prefetch_names); ++i) names_.prefetch(blocks[i].name);
    for (size_t i = 0; i < n; ++i) {
        if (i + prefetch_names < n) names_.prefetch(blocks[i + prefetch_names].name);
        const BlockId block = step(at, blocks[i].local);
        if (block == 0) return i;
        if (!hold(block, holder, &blocks[i].name)) {
            groups_.drop_if_unused(block / group_blocks);
            return i;
        }
        Group& g = groups_.of(block);
        if (g.age.load(std::memory_order_relaxed) != tick) g.age.store(tick, std::memory_order_relaxed);
        at = block;
    }
    r.last = at;
    r.last_name = blocks.back().name;
    return n;
}

void KvIndex::refuse(uint32_t holder, std::span<const Block> blocks) {
    stats_.refused += blocks.size();
    if (holder) forget(holder, blocks);
}

// The engine says these names are elsewhere now, at a place that is not known (yet).
void KvIndex::forget(uint32_t holder, std::span<const Block> blocks) {
    for (const Block& b : blocks) release_named(holder, b.name);
}

BlockId KvIndex::step(BlockId at, uint64_t local) {
    if (at != 0) {
        Group& g = groups_.of(at);
        const uint32_t place = at % group_blocks + 1, count = g.count.load(std::memory_order_relaxed);
        if (place < count) {
            if (groups_.places_of(at).local[place] == local) return at + 1;
        } else if (count < group_blocks) {
            groups_.append(at / group_blocks, local);
            return at + 1;
        } else if (const uint32_t next = g.next.load(std::memory_order_relaxed); next != 0 && groups_.at(next).first == local) {
            return next * group_blocks;
        }
    }
    uint32_t child = at != 0 && groups_.of(at).kids == 0 ? 0 : groups_.find_child(at, local);
    if (child == 0) child = groups_.make(at, local, tick_.load(std::memory_order_relaxed));
    return child * group_blocks;
}

void KvIndex::removed(Rank rank, Tier tier, std::span<const uint64_t> names) {
    ASSERT(rank < ranks_max && tier < Tier::predicted);
    while (!names.empty()) {
        const auto part = names.first(std::min(slice, names.size()));
        prefetch_bytes(part.data(), part.size_bytes());
        const size_t n = part.size();
        Turn turn(*this);
        start_work(n);
        RankState& r = rank_state(rank);
        const uint32_t holder = r.holder[static_cast<size_t>(tier)];
        for (size_t i = 0; i < std::min(n, prefetch_names); ++i) names_.prefetch(part[i]);
        for (size_t i = 0; i < n; ++i) {
            if (i + prefetch_names < n) names_.prefetch(part[i + prefetch_names]);
            if (i + prefetch_groups < n) {
                const BlockId soon = names_.guess(part[i + prefetch_groups]);
                prefetch_line(&groups_.of(soon));
                prefetch_line(&groups_.places_of(soon).set[0]);
                prefetch_line(&groups_.name(soon));
            }
            if (holder && release_named(holder, part[i])) {
                ++stats_.removed;
            } else {
                ++stats_.unknown_removed;
                if (r.parking) take_back(r, tier, part[i]);
            }
        }
        names = names.subspan(n);
    }
}

uint32_t KvIndex::hold_path(Rank rank, std::span<const uint64_t> local, const std::function<void(uint32_t, uint32_t, uint32_t)>& touched) {
    ASSERT(rank < ranks_max);
    uint32_t held = 0, group = 0, from = 0;
    BlockId at = 0;
    for (bool room = true; room && held < local.size();) {
        Turn turn(*this);
        start_work(slice);
        const uint32_t holder = holder_of(rank_state(rank), rank, Tier::predicted);
        if (holder == 0 || (at != 0 && !sets_.contains(groups_.set_of(at), holder))) break;      // evicted between two slices
        for (const size_t end = std::min(local.size(), held + slice); held < end; ++held) {
            const BlockId block = step(at, local[held]);
            room = block != 0 && hold(block, holder, nullptr);
            if (!room) {
                if (block != 0) groups_.drop_if_unused(block / group_blocks);
                break;
            }
            if (block / group_blocks != group) {
                if (group != 0) touched(group, from, at % group_blocks);
                group = block / group_blocks, from = block % group_blocks;
                groups_.at(group).age.store(tick_.load(std::memory_order_relaxed), std::memory_order_relaxed);
            }
            at = block;
        }
    }
    if (group != 0) touched(group, from, at % group_blocks);
    if (held < local.size()) {
        Turn turn(*this);
        stats_.refused += local.size() - held;
    }
    return held;
}

uint32_t KvIndex::held_places(Rank rank, uint32_t group) {
    Turn turn(*this);
    const uint32_t holder = rank_state(rank).holder[static_cast<size_t>(Tier::predicted)];
    uint32_t places = 0;
    if (holder == 0 || group >= groups_.high() || !groups_.at(group).in_use) return 0;
    for (uint32_t i = 0; i < group_blocks; ++i)
        if (groups_.at(group).live >> i & 1 && sets_.contains(groups_.set_of(group * group_blocks + i), holder)) places |= 1u << i;
    return places;
}

uint32_t KvIndex::release_places(Rank rank, uint32_t group, uint32_t places) {
    Turn turn(*this);
    const uint32_t holder = rank_state(rank).holder[static_cast<size_t>(Tier::predicted)];
    uint32_t n = 0;
    if (holder == 0 || group >= groups_.high()) return 0;
    for (uint32_t i = group_blocks; i-- > 0;) {
        const Group& g = groups_.at(group);
        if (!g.in_use || !(places >> i & 1 & g.live >> i) || !sets_.contains(groups_.set_of(group * group_blocks + i), holder)) continue;
        release(group * group_blocks + i, holder);
        ++n;
    }
    return n;
}

}  // namespace weir::kv
