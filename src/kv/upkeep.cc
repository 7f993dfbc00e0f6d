// Holders that come and go, sweeping up after them, and eviction.
#include <algorithm>

#include "base/assert.h"
#include "kv/index.h"
#include "kv/index_memory.h"
#include "kv/parking.h"
#include "kv/turn.h"

namespace weir::kv {
namespace {
constexpr uint32_t spare_groups = 128, evictions_max = 160, sample_leaves = 8, sample_steps = 128, descend_max = 8;
constexpr uint32_t sweep_per_change = 8, blocks_per_tick = 1'024;
}

KvIndex::RankState& KvIndex::rank_state(Rank rank) {
    if (rank >= ranks_.size()) ranks_.resize(std::max<size_t>(rank + 1, std::min<size_t>(ranks_.size() * 2, ranks_max)));
    return ranks_[rank];
}

void KvIndex::show(Rank rank, uint32_t tier, uint32_t holder) {
    if (holder) info_[holder].store(rank * 8 + tier + 1, std::memory_order_release);
    shown_[rank * 8 + tier].store(holder, std::memory_order_release);
}

uint32_t KvIndex::holder_of(RankState& r, Rank rank, Tier tier) {
    const auto t = static_cast<uint32_t>(tier);
    if (r.holder[t] != 0) return r.holder[t];
    if (free_holders_.empty() && holders_ == holders_max) {      // restarts faster than slices could sweep: sweep now
        while (sweep_slice(4'096)) {}
        epochs_.close();
        free_gone_holders();
        if (free_holders_.empty()) return 0;
    }
    uint32_t holder = holders_;
    if (!free_holders_.empty()) {
        holder = free_holders_.back();
        free_holders_.pop_back();
    } else {
        ++holders_;
    }
    r.holder[t] = holder;
    if (!r.rebuilding || tier == Tier::predicted) show(rank, t, holder);
    return holder;
}

// What it holds stops to count at once; the sweep takes it out of the sets.
void KvIndex::kill(uint32_t holder) {
    if (holder == 0) return;
    info_[holder].store(0, std::memory_order_release);
    dead_.push_back(holder);
}

void KvIndex::clear_tier(RankState& r, Rank rank, uint32_t tier) {
    if (r.rebuilding && r.shown[tier] != r.holder[tier]) kill(std::exchange(r.shown[tier], 0));
    show(rank, tier, 0);
    kill(std::exchange(r.holder[tier], 0));
    r.last = 0;
}

void KvIndex::cleared(Rank rank) {
    ASSERT(rank < ranks_max);
    Turn turn(*this);
    RankState& r = rank_state(rank);
    drop_parked(r);
    for (uint32_t t = 0; t < tiers; ++t) clear_tier(r, rank, t);
}

void KvIndex::cleared(Rank rank, Tier tier) {
    ASSERT(rank < ranks_max);
    Turn turn(*this);
    RankState& r = rank_state(rank);
    clear_tier(r, rank, static_cast<uint32_t>(tier));
}

void KvIndex::remove_ranks(Rank first, uint32_t n) {
    for (uint32_t i = 0; i < n; ++i) {
        rebuild_abort(first + i);
        cleared(first + i);
    }
}

void KvIndex::rebuild_begin(Rank rank) {
    ASSERT(rank < ranks_max);
    rebuild_abort(rank);
    Turn turn(*this);
    RankState& r = rank_state(rank);
    drop_parked(r);
    r.rebuilding = true;
    r.last = 0;
    for (uint32_t t = 0; t < static_cast<uint32_t>(Tier::predicted); ++t) r.shown[t] = std::exchange(r.holder[t], 0);
}

void KvIndex::rebuild_commit(Rank rank) {
    ASSERT(rank < ranks_max);
    Turn turn(*this);
    RankState& r = rank_state(rank);
    if (!std::exchange(r.rebuilding, false)) return;
    for (uint32_t t = 0; t < static_cast<uint32_t>(Tier::predicted); ++t) {
        show(rank, t, r.holder[t]);
        kill(std::exchange(r.shown[t], 0));
    }
}

void KvIndex::rebuild_abort(Rank rank) {
    ASSERT(rank < ranks_max);
    Turn turn(*this);
    RankState& r = rank_state(rank);
    if (!std::exchange(r.rebuilding, false)) return;
    drop_parked(r);
    r.last = 0;
    for (uint32_t t = 0; t < static_cast<uint32_t>(Tier::predicted); ++t) {
        kill(r.holder[t]);
        r.holder[t] = std::exchange(r.shown[t], 0);
    }
}

bool KvIndex::sweep_slice(uint32_t n) {
    if (dying_.empty()) {
        if (!gone_.empty()) free_gone_holders();
        if (dead_.empty()) return false;
        dying_.swap(dead_);
        is_dying_.assign(holders_, false);
        for (uint32_t h : dying_) is_dying_[h] = true;
        sweep_at_ = 1;
        sweep_alias_ = aliases_.size();
    }
    for (; n > 0 && sweep_at_ < groups_.high(); --n) sweep_group(sweep_at_++);
    sweep_alias_ = std::min(sweep_alias_, aliases_.size());
    for (n *= group_blocks; n > 0 && sweep_alias_ > 0; --n) {
        const auto& entry = aliases_.entry(--sweep_alias_);
        if (dying(entry.holder)) aliases_.erase(entry.holder, entry.block);
    }
    if (sweep_at_ < groups_.high() || sweep_alias_ > 0) return true;
    for (uint32_t h : dying_) gone_.push_back({epochs_.now(), h});
    dying_.clear();
    return !dead_.empty();
}

void KvIndex::free_gone_holders() {
    epochs_.close();
    const uint64_t quiet = epochs_.quiet();
    std::erase_if(gone_, [&](const Gone& gone) {
        if (gone.epoch >= quiet) return false;
        free_holders_.push_back(gone.holder);
        return true;
    });
}

void KvIndex::sweep_group(uint32_t number) {
    const Group& g = groups_.at(number);
    if (!g.in_use || g.live == 0) return;
    for (uint32_t i = 0; i < group_blocks; ++i) {
        if (!(g.live >> i & 1)) continue;
        const BlockId block = number * group_blocks + i;
        const SetId set = groups_.set_of(block);
        SetId to = set;
        uint32_t gone = 0;
        sets_.each(set, [&](uint32_t h) {
            if (!dying(h) || to == no_set) return;
            const SetId before = to;
            to = sets_.without(before, h);
            if (before != set) sets_.discard_unused(before);
            ++gone;
        });
        if (gone == 0) continue;
        if (to == no_set) {
            empty(block);
            continue;
        }
        change_set(block, set, to);
        stats_.memberships -= gone;
        if (to == 0) unname(block);
    }
    if (g.live == 0) groups_.drop_if_unused(number);
}

bool KvIndex::tight() const {
    return !groups_.can_make(spare_groups);
}

void KvIndex::start_work(size_t blocks) {
    work_ += static_cast<uint32_t>(blocks);
    if (work_ >= blocks_per_tick) {
        work_ = 0;
        tick_.fetch_add(1, std::memory_order_relaxed);
    }
    groups_.tend();
    if (!dying_.empty() || !dead_.empty() || !gone_.empty()) sweep_slice(sweep_per_change);
    if (std::exchange(sets_refused_, false))
        for (uint32_t i = 0; i < 4; ++i) evict_one();
    for (uint32_t i = 0; i < evictions_max && tight() && evict_one(); ++i) {}
}

bool KvIndex::tend() {
    Turn turn(*this);
    groups_.tend();
    return sweep_slice(256) || !gone_.empty();
}

// Least recently used among the frontier groups of a sample: those with nothing behind them.
void KvIndex::consider(uint32_t number, uint32_t descend, uint32_t& best) const {
    for (uint32_t n = 0; n < descend && groups_.at(number).kids != 0; ++n) {
        const uint32_t next = groups_.at(number).next.load(std::memory_order_relaxed);
        if (next == 0) return;
        number = next;
    }
    const Group& g = groups_.at(number);
    if (!g.in_use || g.kids != 0) return;
    const uint32_t tick = tick_.load(std::memory_order_relaxed);
    const auto age = [&](uint32_t group) { return tick - groups_.at(group).age.load(std::memory_order_relaxed); };
    if (best == 0 || age(number) > age(best)) best = number;
}

bool KvIndex::evict_one() {
    uint32_t best = 0, leaves = 0;
    if (evict_next_ != 0 && groups_.at(evict_next_).in_use) consider(evict_next_, descend_max, best);
    for (uint32_t n = 0; n < sample_steps && leaves < sample_leaves; ++n) {
        if (++hand_ >= groups_.high()) hand_ = 1;
        if (groups_.at(hand_).in_use == 0) continue;
        leaves += groups_.at(hand_).kids == 0;
        consider(hand_, descend_max, best);
    }
    if (best != 0) evict_group(best);
    return best != 0;
}

void KvIndex::evict_group(uint32_t number) {
    const Group& g = groups_.at(number);
    const uint64_t before = stats_.memberships;
    for (uint32_t i = 0; i < group_blocks; ++i)
        if (g.live >> i & 1) empty(number * group_blocks + i);
    stats_.evicted_budget += before - stats_.memberships;
    evict_next_ = g.parent.load(std::memory_order_relaxed) / group_blocks;
    groups_.drop_if_unused(number);
}

IndexStats KvIndex::stats() {
    Turn turn(*this);
    IndexStats s = stats_;
    s.groups = groups_.live();
    s.sets = sets_.records();
    s.aliases = aliases_.size();
    s.bytes = bytes_.used();
    s.bytes_max = bytes_.limit();
    return s;
}

}  // namespace weir::kv
