// Who may serve a request at all, before the policy has a say.
#pragma once
#include <array>
#include <cstdint>
#include <string>
#include <vector>

#include "fleet/fleet.h"
#include "types/plan.h"
#include "types/prepared.h"

namespace weir::route {

enum class Reject : uint8_t { role, tried, pinned, dp_rank, not_allowed, taint, lora, subset, target, busy, session, overloaded };
inline constexpr size_t rejects_n = 12;
const char* name(Reject);

struct Rejects {                                 // ranks by the first reason met
    std::array<uint32_t, rejects_n> counts{};
    uint32_t& operator[](Reject r) { return counts[static_cast<size_t>(r)]; }
    uint32_t operator[](Reject r) const { return counts[static_cast<size_t>(r)]; }
    std::string text() const;                    // "2 tried, 1 taint"; empty: nobody was left out
};

struct FilterAsk {
    const FleetView& fleet;
    const Hints& hints;
    Leg::Role role;
    std::span<const WorkerSlot> exclude;
    bool roles_differ = true;                    // false: every worker takes whole requests, and `role` is whole
    bool target = true;                          // false: the policy itself minds hints.target_worker
};

// Narrows `eligible`, a bitmap over the fleet's ranks that holds those serving the model. Costs nothing where the request asks for
// nothing.
//   role      the worker takes this leg
//   tried     not one of `exclude`
//   pinned    hints.pin (prefill leg: prefill_pin) names an instance; bad_field when no eligible worker has that id
//   dp_rank   hints.dp_rank (prefill leg: prefill_dp_rank)
//   allowed   hints.allowed, instance ids; empty: all
//   taint     the worker has every taint the request requires
//   lora      the worker holds the adapter; one that lists none may
//   subset    hints.subset, endpoint keys, when one is given
//   target    hints.target_worker: the n-th worker that serves the model, in the fleet's order; nobody when there is none such
Result<void> filter(const FilterAsk&, std::vector<uint64_t>& eligible, Rejects& rejects);

}  // namespace weir::route
