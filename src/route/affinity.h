// Sessions keep their worker: which rank a session was served at last, for all cores.
#pragma once
#include <memory>
#include <span>

#include "fleet/fleet.h"
#include "policy/sticky_map.h"
#include "types/call.h"
#include "types/plan.h"

namespace weir::route {

struct AffinitySettings {
    uint64_t ttl_ms = 0;                         // since the last use; > 0
    bool hard = false;
    size_t bytes_max = 32 << 20;                 // of entries; the least recently used session makes room
};

// A session's key is hints.session; with hints.parent_session it is that one, so that a family shares a worker. hints.session_final forgets
// it (of a child nothing: its family goes on). A bound rank that is gone or filtered out is bound anew to whoever serves next. Any core.
// Hard: call narrow() before filters that go by load, so that a busy worker keeps its sessions waiting (or makes them fail).
// Soft: call it after them, so that they move on.
class Affinity {
public:
    explicit Affinity(AffinitySettings settings)
        : settings_(settings), map_(std::make_shared<StickyMap>(settings.bytes_max / StickyMap::bytes_per_entry, settings.ttl_ms)) {}
    // Of another model: sessions of its own, in the same memory.
    Affinity(const Affinity& other, Str model) : settings_(other.settings_), map_(other.map_), model_(StickyMap::key_of(model).hi) {}
    bool hard() const { return settings_.hard; }
    enum class Found : uint8_t { no_session, unbound, bound, not_there };   // not_there: bound to a rank that is not eligible
    // bound: only that rank is left in `eligible`; else it is as before.
    Found narrow(const Hints&, Leg::Role, const FleetView&, std::span<uint64_t> eligible, Instant now);
    void served(const Hints&, Leg::Role, const FleetView&, RankRef, Instant now);   // once it is booked
    size_t sessions() const { return map_->size(); }            // of all models that share the memory
    uint64_t evicted() const { return map_->evicted(); }

private:
    bool key_of(const Hints&, Leg::Role, StickyMap::Key& key) const;
    AffinitySettings settings_;
    std::shared_ptr<StickyMap> map_;
    uint64_t model_ = 0;
};

}  // namespace weir::route
