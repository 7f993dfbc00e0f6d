// Candidates -> filter -> policy -> choice. A plain function of the request, the fleet's view and the policy.
#pragma once
#include <span>
#include <vector>

#include "base/result.h"
#include "fleet/fleet.h"
#include "policy/policy.h"

namespace weir::route {

// Scratch of one core, reused from request to request.
struct Scratch {
    std::vector<uint64_t> eligible;
    std::vector<LoadNow> load;
};

struct Choice {
    RankRef at;
    Pick pick;
    uint32_t candidates = 0;
};

// `exclude`: slots already tried. model_unknown: nobody serves the name; no_worker: somebody does, but none is eligible now.
Result<Choice> place(const Prepared&, const FleetView&, const Policy&, std::span<const WorkerSlot> exclude, Scratch&, Random&);

}  // namespace weir::route
