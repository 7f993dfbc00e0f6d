// The router's queue of one model, and what its home core needs to know of the fleet.
#pragma once
#include <mutex>
#include <string>

#include "config/config.h"
#include "config/router_policy.h"
#include "fleet/fleet.h"
#include "obs/metrics.h"
#include "route/queue_gate.h"

namespace weir {

// As the policy file says for the model, else as the options do: then one class. Nobody waits if no class has a threshold.
route::QueueSettings queue_settings(const Config&, const config::RouterPolicy*, const std::string& model);

class ModelQueue final : public route::QueueHome {
public:
    ModelQueue(Core& home, route::QueueSettings settings, std::string model)
        : model_(std::move(model)), gate_(home, std::move(settings), *this) {}
    route::QueueGate& gate() { return gate_; }
    const std::string& model() const { return model_; }
    void collect(Metrics&);                              // any thread
    void fleet_is(FleetViewRef view);                    // any thread; whoever waits is asked about again
    bool room(const route::Waiting&) override;           // true also where nobody can serve it any more: it must hear of that
    uint32_t workers() override;
    uint32_t open() override;

private:
    FleetViewRef view() const;
    const std::string model_;
    mutable std::mutex mutex_;
    FleetViewRef view_ = std::make_shared<FleetView>();  // guarded by mutex_
    route::QueueGate gate_;
};

}  // namespace weir
