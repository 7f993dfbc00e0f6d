// What a rank holds, said as the changes that would rebuild it.
#include <algorithm>

#include "base/assert.h"
#include "base/clock.h"
#include "kv/index.h"
#include "kv/parking.h"
#include "kv/turn.h"

namespace weir::kv {
namespace {

constexpr uint32_t groups_per_turn = 1'024;
struct Found { uint32_t depth, group; };
uint64_t stand_in(BlockId block) { return mix64(block ^ 0x6b76696478ull << 24); }   // a name for a block that the rank itself does not hold

}  // namespace

// One group's share: blocks in a row become one stored event. A block whose parent the rank does not hold needs the way to it: that is
// stored under stand-in names first, and removed again afterwards.
struct KvIndex::DumpPart {
    struct Run {
        Tier tier;
        uint32_t first;                         // place
        bool has_parent, scaffold_has_parent;
        uint64_t parent, scaffold_parent;
        std::vector<Block> blocks, scaffold;
    };
    std::vector<Run> runs;
};

uint64_t KvIndex::name_in_any_tier(const RankState& r, BlockId block, bool& held) const {
    held = false;
    for (uint32_t t = 0; t < static_cast<uint32_t>(Tier::predicted); ++t) {
        const uint32_t holder = r.shown_holder(t);
        if (holder == 0 || !sets_.contains(groups_.set_of(block), holder)) continue;
        held = true;
        return name_of(holder, block);
    }
    return stand_in(block);
}

uint64_t KvIndex::name_of(uint32_t holder, BlockId block) const {
    if (aliases_.any(holder))
        if (const auto* alias = aliases_.of_block(holder, block)) return alias->name;
    return groups_.name(block);
}

BlockId KvIndex::before(BlockId block) const {
    return block % group_blocks ? block - 1 : groups_.of(block).parent.load(std::memory_order_relaxed);
}

void KvIndex::dump_group(const RankState& r, uint32_t number, Tier tier, DumpPart& out) const {
    const uint32_t holder = r.shown_holder(static_cast<uint32_t>(tier));
    const Group& g = groups_.at(number);
    if (!g.in_use || holder == 0) return;
    bool open = false;
    for (uint32_t i = 0, n = g.count.load(std::memory_order_relaxed); i < n; ++i) {
        const BlockId block = number * group_blocks + i;
        if (!sets_.contains(groups_.set_of(block), holder)) {
            open = false;
            continue;
        }
        if (!open) {
            open = true;
            out.runs.push_back({});
            auto& run = out.runs.back();
            run.tier = tier;
            run.first = i;
            BlockId up = before(block);
            run.has_parent = up != 0;
            bool held = true;
            if (up) run.parent = name_in_any_tier(r, up, held);
            for (; up != 0 && !held; up = before(up)) {
                run.scaffold.push_back({stand_in(up), groups_.places_of(up).local[up % group_blocks]});
                const BlockId above = before(up);
                run.scaffold_has_parent = above != 0;
                if (above) run.scaffold_parent = name_in_any_tier(r, above, held);
            }
            std::reverse(run.scaffold.begin(), run.scaffold.end());
        }
        out.runs.back().blocks.push_back({name_of(holder, block), groups_.places(number).local[i]});
    }
}

void KvIndex::dump(Rank rank, const std::function<void(const Change&)>& sink) {
    ASSERT(rank < ranks_max);
    std::vector<Found> found;
    for (uint32_t from = 1, high = 2; from < high; from += groups_per_turn) {
        Turn turn(*this);
        const RankState& r = rank_state(rank);
        high = groups_.high();
        for (uint32_t number = from; number < std::min(high, from + groups_per_turn); ++number) {
            const Group& g = groups_.at(number);
            if (g.in_use && g.live != 0 && holds_any(r, number)) found.push_back({g.depth, number});
        }
    }
    std::sort(found.begin(), found.end(), [](const Found& a, const Found& b) { return a.depth < b.depth; });
    for (const Found& f : found) {
        DumpPart part;
        {
            Turn turn(*this);
            for (uint32_t t = 0; t < static_cast<uint32_t>(Tier::predicted); ++t) dump_group(rank_state(rank), f.group, static_cast<Tier>(t), part);
        }
        // A run's parent may be held in another tier, by a run that starts further up.
        std::stable_sort(part.runs.begin(), part.runs.end(), [](const auto& a, const auto& b) { return a.first < b.first; });
        for (const auto& run : part.runs) {
            if (!run.scaffold.empty()) sink({Change::stored, run.tier, run.scaffold_has_parent, run.scaffold_parent, run.scaffold});
            sink({Change::stored, run.tier, run.has_parent, run.parent, run.blocks});
            if (!run.scaffold.empty()) sink({Change::removed, run.tier, false, 0, run.scaffold});
        }
    }
}

bool KvIndex::holds_any(const RankState& r, uint32_t number) const {
    for (uint32_t t = 0; t < static_cast<uint32_t>(Tier::predicted); ++t)
        for (uint32_t i = 0, holder = r.shown_holder(t); holder != 0 && i < group_blocks; ++i)
            if ((groups_.at(number).live >> i & 1) && sets_.contains(groups_.set_of(number * group_blocks + i), holder)) return true;
    return false;
}

}  // namespace weir::kv
