// The loads of workers in service: polled, judged for overload protection, shown as metrics. Of `weir launch`.
#pragma once
#include <map>
#include <mutex>

#include "config/config.h"
#include "fleet/load_monitor.h"
#include "obs/metrics.h"
#include "route/overload.h"

namespace weir {

// Does anybody ask for loads? `needs`: of the policy.
bool loads_wanted(const Config&, uint32_t needs);
std::unique_ptr<route::OverloadGuard> overload_guard(const Config&);   // null: overloaded workers are not left out

class Loads {
public:
    // `guard` may be null. All outlive this; made, used and destroyed on `ctl` unless it says otherwise.
    Loads(const PoliciesConfig&, Core& ctl, LoadCells&, ClientPool&, Metrics&, route::OverloadGuard* guard);
    void follow(const FleetViewRef& view);
    void collect(Metrics&);                      // any thread

private:
    struct Shown { std::string worker; std::vector<std::string> models; RankLoads ranks; };
    void told(const FleetView::Entry&, const Result<RankLoads>&);
    void judge(const FleetView::Entry&);
    LoadCells& cells_;
    Metrics& metrics_;
    route::OverloadGuard* guard_;
    std::map<WorkerSlot, bool> overloaded_;      // as last polled
    std::mutex mutex_;
    std::map<WorkerSlot, Shown> shown_;          // guarded by mutex_
    LoadMonitor monitor_;
};

}  // namespace weir
