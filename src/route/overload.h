// SMG's protection of overloaded workers, as a model's routing has it.
#pragma once
#include <atomic>

#include "base/result.h"
#include "route/busy.h"
#include "route/filter.h"

namespace weir::route {

// Any thread.
struct OverloadGuard {
    Overload limits;
    bool shed = false;                           // all are overloaded: refuse, else the rank with the fewest requests under way
    uint32_t retry_after_s = 10;                 // what is reported of them does not change sooner
    std::atomic<uint32_t> workers{0};            // overloaded now, kept by who reports loads; 0: no rank is looked at
    mutable std::atomic<uint64_t> shed_total{0}, fallback_total{0};   // requests
};

// Takes out overloaded ranks. True: all are overloaded, and none was taken out. shed: all are, and the guard refuses then.
Result<bool> protect(const OverloadGuard&, const FleetView&, Str model, std::span<uint64_t> eligible, Rejects&);
// Whatever the policy: the fewest requests under way, equals by chance. At least one is eligible.
Pick least_requests(const Slate&, Random&);

}  // namespace weir::route
