// Who holds a block, and what they call it.
#include "kv/index.h"

namespace weir::kv {
namespace {
uint16_t bit(BlockId block) { return static_cast<uint16_t>(1u << (block % group_blocks)); }
}

// The first holder's name goes into the name table and serves all who use the same; others have an alias. The table's name counts for a
// holder of the block exactly when it has no alias for it.
bool KvIndex::called(BlockId block, uint32_t holder, uint64_t name) const {
    if (aliases_.any(holder))
        if (const auto* alias = aliases_.of_block(holder, block)) return alias->name == name;
    return (groups_.of(block).named & bit(block)) && groups_.name(block) == name;
}

BlockId KvIndex::named(uint32_t holder, uint64_t name) const {
    const bool own = aliases_.any(holder);
    if (own)
        if (const BlockId block = aliases_.block_of(holder, name)) return block;
    const BlockId block = names_.find(name);
    if (block == 0 || !sets_.contains(groups_.set_of(block), holder)) return 0;
    return own && aliases_.of_block(holder, block) ? 0 : block;
}

BlockId KvIndex::named_in_any_tier(const RankState& r, uint64_t name) const {
    for (uint32_t t = 0; t < static_cast<uint32_t>(Tier::predicted); ++t) {
        const uint32_t holder = r.holder[t];
        if (holder == 0) continue;
        if (r.last != 0 && r.last_name == name && sets_.contains(groups_.set_of(r.last), holder) && called(r.last, holder, name)) return r.last;
        if (const BlockId block = named(holder, name)) return block;
    }
    return 0;
}

void KvIndex::change_set(BlockId block, SetId from, SetId to) {
    Group& g = groups_.of(block);
    const uint32_t place = block % group_blocks;
    sets_.ref(to);
    if (g.uniform.load(std::memory_order_relaxed) != no_set) g.uniform.store(no_set, std::memory_order_relaxed);
    groups_.places_of(block).set[place].store(to, std::memory_order_release);
    if ((place == 0 || place == group_blocks - 1) && to != 0) groups_.settle(block / group_blocks);   // runs change from one end to the other
    if (from == 0) g.live |= bit(block), ++stats_.blocks;
    if (to == 0) g.live &= static_cast<uint16_t>(~bit(block)), --stats_.blocks;
    if (sets_.unref(from)) groups_.retire_set(from);
}

// A page of the name table that may not split any more makes room for itself.
NameTable::Put KvIndex::put_name(uint64_t name, BlockId block) {
    const auto put = names_.put(name, block);
    if (put != NameTable::Put::no_room) return put;
    uint32_t best = 0;
    names_.each_near(name, [&](BlockId near) { if (near / group_blocks != block / group_blocks) consider(near / group_blocks, 0, best); });
    if (best == 0) return put;
    evict_group(best);
    return names_.put(name, block);
}

bool KvIndex::hold(BlockId block, uint32_t holder, const uint64_t* name) {
    Group& g = groups_.of(block);
    const SetId set = groups_.set_of(block);
    if (set == 0 && name && !(g.named & bit(block)) && !aliases_.any(holder)) {   // the usual case: a new block under a new name
        groups_.name(block) = *name;
        const auto put = put_name(*name, block);
        if (put == NameTable::Put::no_room) return false;
        if (put == NameTable::Put::done) {
            g.named |= bit(block);
            change_set(block, 0, HolderSets::only(holder));
            ++stats_.memberships;
            ++stats_.stored;
            return true;
        }
    }
    if (sets_.contains(set, holder)) {
        ++stats_.duplicates;
        return !name || called(block, holder, *name) || rename(block, holder, *name);
    }
    BlockId other = 0;                                           // what the holder called so until now
    const bool common = name && (g.named & bit(block)) && groups_.name(block) == *name;
    if (name && (!common || aliases_.any(holder))) other = named(holder, *name);
    const SetId to = sets_.with(set, holder);
    if (to == no_set) {
        sets_refused_ = true;
        return false;
    }
    change_set(block, set, to);
    ++stats_.memberships;
    if (other != 0) release(other, holder);
    if (name && !common && !give_name(block, holder, *name)) {
        release(block, holder);
        return false;
    }
    ++stats_.stored;
    return true;
}

// The holder has no block of that name, and no name for the block.
bool KvIndex::give_name(BlockId block, uint32_t holder, uint64_t name) {
    Group& g = groups_.of(block);
    if (g.named & bit(block)) {
        if (groups_.name(block) == name) return true;
    } else {
        groups_.name(block) = name;
        const auto put = put_name(name, block);
        if (put == NameTable::Put::done) g.named |= bit(block);
        if (put != NameTable::Put::taken) return put == NameTable::Put::done;
    }
    return aliases_.insert(holder, name, block);
}

bool KvIndex::rename(BlockId block, uint32_t holder, uint64_t name) {
    if (const BlockId other = named(holder, name)) release(other, holder);
    if (aliases_.any(holder) && aliases_.of_block(holder, block)) aliases_.erase(holder, block);
    if (groups_.set_of(block) == HolderSets::only(holder)) unname(block);
    if (give_name(block, holder, name)) return true;
    release(block, holder);
    return false;
}

void KvIndex::unname(BlockId block) {
    Group& g = groups_.of(block);
    if (!(g.named & bit(block))) return;
    names_.erase(groups_.name(block), block);
    g.named &= static_cast<uint16_t>(~bit(block));
}

bool KvIndex::release_named(uint32_t holder, uint64_t name) {
    if (!aliases_.any(holder)) {                                 // the usual case: nobody else holds it
        uint64_t* slot = names_.find_slot(name);
        if (!slot) return false;
        const BlockId block = NameTable::block_of(slot);
        if (groups_.set_of(block) == HolderSets::only(holder)) {
            names_.erase_slot(slot);
            Group& g = groups_.of(block);
            g.named &= static_cast<uint16_t>(~bit(block));
            change_set(block, HolderSets::only(holder), 0);
            --stats_.memberships;
            if (g.live == 0) groups_.drop_if_unused(block / group_blocks);
            else if (g.live < 16 && g.kids == 0) groups_.prefetch_bucket(g);   // engines remove from the end
            return true;
        }
    }
    const BlockId block = named(holder, name);
    if (block != 0) release(block, holder);
    return block != 0;
}

void KvIndex::release(BlockId block, uint32_t holder) {
    if (aliases_.any(holder) && aliases_.of_block(holder, block)) aliases_.erase(holder, block);
    const SetId set = groups_.set_of(block), to = sets_.without(set, holder);
    if (to == no_set) {                                          // no room to say "all but this one": rather too few than too many
        stats_.evicted_budget += sets_.size(set) - 1;
        sets_refused_ = true;
        empty(block);
    } else {
        change_set(block, set, to);
        --stats_.memberships;
        if (to != 0) return;
        unname(block);
    }
    groups_.drop_if_unused(block / group_blocks);
}

void KvIndex::empty(BlockId block) {
    const SetId set = groups_.set_of(block);
    sets_.each(set, [&](uint32_t holder) {
        --stats_.memberships;
        if (aliases_.any(holder) && aliases_.of_block(holder, block)) aliases_.erase(holder, block);
    });
    change_set(block, set, 0);
    unname(block);
}

}  // namespace weir::kv
