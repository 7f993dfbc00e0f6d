// Who has enough to do: filters over a bitmap of ranks, from the load cells.
#pragma once
#include <cstdint>
#include <span>

#include "fleet/fleet.h"
#include "route/routing.h"

namespace weir::route {

// Dynamo's thresholds, for one rank. Decode: blocks under way (ours) or KV blocks in use (reported) beyond share * KV blocks; prefill: prompt
// tokens under way beyond the absolute limit, or beyond share * batch tokens cut to a whole number. A rank that says nothing of its
// sizes is measured by what is known: without KV blocks it is never busy decoding, without batch tokens the limit is of 10,000,000.
bool busy(const RankRef&, const BusyLimits&);
// Takes out the workers all of whose ranks are busy, eligible or not. Returns how many ranks that were; no cost while nothing is set.
uint32_t drop_busy(const FleetView&, const BusyLimits&, std::span<uint64_t> eligible);

// SMG's protection: ranks whose engine reports as much as this, while another eligible one does not.
struct Overload { uint32_t waiting = 8; float usage = 0.8f; };
struct Dropped { uint32_t ranks = 0; bool all = false; };   // all: every one is overloaded, and none was taken out
bool overloaded(const LoadCell&, const Overload&);
Dropped drop_overloaded(const FleetView&, const Overload&, std::span<uint64_t> eligible);

// The router queue's measure: more prompt tokens under way than a share of the batch token limit (or than an absolute number).
struct QueueThreshold {
    double batch_share = -1;                     // below 0: not set
    uint32_t tokens = BusyLimits::off_tokens;
    uint32_t waiting = 0;                        // instead: requests the engine reports waiting, and sent since; 0: not set
    bool set() const { return batch_share >= 0 || tokens != BusyLimits::off_tokens || waiting != 0; }
};
bool full(const RankRef&, const QueueThreshold&);
// Is there an eligible rank that is not full? True when nothing is set.
bool any_room(const FleetView&, const QueueThreshold&, std::span<const uint64_t> eligible);

}  // namespace weir::route
