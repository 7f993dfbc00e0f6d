#include "route/overload.h"

#include "policy/choose.h"

namespace weir::route {

constexpr auto relaxed = std::memory_order_relaxed;

Result<bool> protect(const OverloadGuard& guard, const FleetView& fleet, Str model, std::span<uint64_t> eligible, Rejects& rejects) {
    if (guard.workers.load(relaxed) == 0) return false;
    const Dropped dropped = drop_overloaded(fleet, guard.limits, eligible);
    rejects[Reject::overloaded] += dropped.ranks;
    if (!dropped.all) return false;
    if (guard.shed) {
        guard.shed_total.fetch_add(1, relaxed);
        Failure failure(Code::shed, "All workers for model '" + std::string(model) + "' are overloaded");
        failure->reason = "worker_overload_protection_shed";
        failure->retry_after_s = guard.retry_after_s;
        return failure;
    }
    guard.fallback_total.fetch_add(1, relaxed);
    return true;
}

Pick least_requests(const Slate& slate, Random& random) {
    Least least;
    each_eligible(slate, [&](uint32_t i) { least.offer(i, slate.ranks[i].cell->requests.load(relaxed), random); });
    return {least.index(), Pick::chosen, "all are overloaded: the fewest requests", {static_cast<float>(least.cost())}};
}

}  // namespace weir::route
