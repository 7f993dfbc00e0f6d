#include "route/affinity.h"

#include <algorithm>

namespace weir::route {
namespace {

uint32_t find_rank(const FleetView& fleet, const StickyMap::Pin& pin) {
    const auto ranks = fleet.ranks();
    if (pin.index < ranks.size() && StickyMap::id_of(ranks[pin.index]) == pin.id) return pin.index;
    for (uint32_t i = 0; i < ranks.size(); ++i)
        if (StickyMap::id_of(ranks[i]) == pin.id) return i;
    return FleetView::nowhere;
}

}  // namespace

bool Affinity::key_of(const Hints& hints, Leg::Role role, StickyMap::Key& key) const {
    const Str session = hints.parent_session.empty() ? hints.session : hints.parent_session;
    if (session.empty()) return false;
    key = StickyMap::key_of(session);
    key.hi += model_, key.lo += role;
    return true;
}

Affinity::Found Affinity::narrow(const Hints& hints, Leg::Role role, const FleetView& fleet, std::span<uint64_t> eligible, Instant now) {
    StickyMap::Key key;
    if (!key_of(hints, role, key)) return Found::no_session;
    const StickyMap::Pin pin = map_->find(key, now)[0];
    if (!pin.id) return Found::unbound;
    const uint32_t i = find_rank(fleet, pin);
    if (i == FleetView::nowhere || !(eligible[i / 64] >> i % 64 & 1)) return Found::not_there;
    std::fill(eligible.begin(), eligible.end(), 0);
    eligible[i / 64] = 1ull << i % 64;
    return Found::bound;
}

void Affinity::served(const Hints& hints, Leg::Role role, const FleetView& fleet, RankRef at, Instant now) {
    StickyMap::Key key;
    if (!key_of(hints, role, key)) return;
    if (hints.session_final) {
        if (hints.parent_session.empty()) map_->forget(key);
        return;
    }
    const StickyMap::Pin pin{StickyMap::id_of(at), fleet.index_of(at.number)};
    const StickyMap::Pins seen = map_->find(key, now);
    if (!(seen[0] == pin) || seen[0].index != pin.index) map_->put(key, pin, StickyMap::first, seen, now);
}

}  // namespace weir::route
