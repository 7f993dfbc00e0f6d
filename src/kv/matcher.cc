#include "kv/matcher.h"

#include <algorithm>

#include "base/assert.h"

namespace weir::kv {
namespace {

constexpr auto acquire = std::memory_order_acquire;
constexpr auto relaxed = std::memory_order_relaxed;

constexpr uint32_t query_ahead = 128;        // blocks

// How many of the first n places agree with what is asked for.
uint32_t agree(const uint64_t* have, const uint64_t* want, uint32_t n) {
    uint32_t i = 0;
    while (i < n && have[i] == want[i]) ++i;
    return i;
}

}  // namespace

Matcher::Matcher(KvIndex& index) : index_(index), slot_(index.epochs_.join()) { ASSERT(slot_); }
Matcher::~Matcher() { Epochs::leave(slot_); }

std::span<const RankOverlap> Matcher::match(std::span<const uint64_t> local) {
    out_.clear();
    active_.clear();
    nearest_.clear();
    if (local.empty()) return out_;
    index_.epochs_.enter(*slot_);
    lower_ = index_.lower_tiers_.load(relaxed) != 0;
    walk(local);
    Epochs::exit(*slot_);
    return out_;
}

void Matcher::walk(std::span<const uint64_t> local) {
    GroupTable& groups = index_.groups_;
    const uint32_t tick = index_.tick_.load(relaxed), n = static_cast<uint32_t>(local.size());
    SetId set = 0;
    BlockId last = 0;
    bool hinted = false;                         // `number` is only the newest of those behind `last`
    uint32_t depth = 0, number = groups.find_child(0, local[0]);
    while (number != 0) {
        Group& g = groups.at(number);
        const uint32_t next = g.next.load(acquire), ahead = g.ahead.load(relaxed);
        if (next) groups.prefetch_head(next);
        if (ahead) groups.prefetch_head(ahead);
        for (uint32_t line = 0; line < 2; ++line) prefetch_line(local.data() + depth + query_ahead + 8 * line);   // past the end: harmless
        if (g.age.load(relaxed) != tick) g.age.store(tick, relaxed);
        const uint32_t count = g.count.load(acquire);
        const SetId uniform = g.uniform.load(acquire);
        uint32_t same = group_blocks;
        if (uniform != no_set && count == group_blocks && n - depth >= group_blocks && g.digest == groups.digest().of(local.data() + depth)) {
            if (uniform != set) {
                if (depth == 0) begin(uniform);
                else if (!narrow(uniform, depth)) return;
                set = uniform;
            }
        } else {
            const Places& places = groups.places(number);
            same = agree(places.local, local.data() + depth, std::min(count, n - depth));
            if (same == 0 && hinted) {
                hinted = false;
                number = groups.find_child(last, local[depth]);
                continue;
            }
            for (uint32_t i = 0; i < same; ++i) {
                if (places.set[i].load(relaxed) == set) continue;
                const SetId now = places.set[i].load(acquire);
                if (depth + i == 0) begin(now);
                else if (!narrow(now, depth + i)) return;
                set = now;
            }
        }
        if (active_.empty()) return;
        depth += same;
        if (depth == n || (same == count && count < group_blocks)) break;
        last = number * group_blocks + same - 1;
        hinted = same == group_blocks && next != 0 && groups.at(next).parent.load(relaxed) == last;
        number = hinted ? next : groups.find_child(last, local[depth]);
    }
    for (const Active& a : active_) count(a, depth);
}

void Matcher::begin(SetId set) {
    index_.sets_.each(set, [&](uint32_t holder) {
        const uint32_t info = index_.info_[holder].load(acquire);
        if (info == 0) return;                                          // cleared, not yet swept
        const Rank rank = (info - 1) / 8;
        const uint32_t tier = (info - 1) % 8;
        if (rank >= out_of_.size()) out_of_.resize(rank + 1, 0);
        const uint32_t at = out_of_[rank];
        const bool known = at < out_.size() && out_[at].rank == rank;
        if (!known) {
            out_of_[rank] = static_cast<uint32_t>(out_.size());
            out_.push_back({rank, 0, 0, 0, 0, 0});
            nearest_.push_back(UINT32_MAX);
        }
        if (tier != static_cast<uint32_t>(Tier::predicted)) {           // one walk for all tiers of a rank, starting in the nearest
            uint32_t& nearest = nearest_[out_of_[rank]];
            if (nearest != UINT32_MAX) {
                Active& a = active_[nearest];
                if (tier < a.tier) a.holder = holder, a.tier = tier;
                return;
            }
            nearest = static_cast<uint32_t>(active_.size());
        }
        active_.push_back({holder, out_of_[rank], tier, 0});
    });
}

void Matcher::count(const Active& a, uint32_t depth) {
    RankOverlap& o = out_[a.out];
    const uint32_t n = depth - a.since;
    switch (static_cast<Tier>(a.tier)) {
        case Tier::device: o.device = n; break;
        case Tier::host: o.host = n; break;
        case Tier::disk: o.disk = n; break;
        case Tier::external: o.external = n; break;
        case Tier::predicted: o.predicted = n; break;
    }
}

bool Matcher::next_tier(Active& a, SetId set, uint32_t depth) const {
    if (!lower_ || a.tier >= static_cast<uint32_t>(Tier::external)) return false;
    for (uint32_t tier = a.tier + 1; tier <= static_cast<uint32_t>(Tier::external); ++tier) {
        const uint32_t holder = index_.shown_[out_[a.out].rank * 8 + tier].load(acquire);
        if (holder == 0 || !index_.sets_.contains(set, holder)) continue;
        a.holder = holder, a.tier = tier, a.since = depth;
        return true;
    }
    return false;
}

bool Matcher::narrow(SetId set, uint32_t depth) {
    for (size_t i = 0; i < active_.size();) {
        Active& a = active_[i];
        if (index_.sets_.contains(set, a.holder)) {
            ++i;
            continue;
        }
        count(a, depth);
        if (next_tier(a, set, depth)) {
            ++i;
            continue;
        }
        a = active_.back();
        active_.pop_back();
    }
    return !active_.empty();
}

}  // namespace weir::kv
