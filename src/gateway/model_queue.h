// The router's queue of one model, and what its home core needs to know of the fleet.
#pragma once
#include <mutex>
#include <string>

#include "config/config.h"
#include "fleet/fleet.h"
#include "route/queue_gate.h"

namespace weir {

route::QueueSettings queue_settings(const Config&);      // router.queue_threshold must be set

class ModelQueue final : public route::QueueHome {
public:
    ModelQueue(Core& home, route::QueueSettings settings, std::string model)
        : model_(std::move(model)), threshold_(settings.classes.front().threshold), gate_(home, std::move(settings), *this) {}
    route::QueueGate& gate() { return gate_; }
    const std::string& model() const { return model_; }
    void fleet_is(FleetViewRef view);                    // any thread; whoever waits is asked about again
    bool room(const route::Waiting&) override;           // true also where nobody can serve it any more: it must hear of that
    uint32_t workers() override;
    uint32_t open() override;

private:
    FleetViewRef view() const;
    const std::string model_;
    const route::QueueThreshold threshold_;              // of all classes
    mutable std::mutex mutex_;
    FleetViewRef view_ = std::make_shared<FleetView>();  // guarded by mutex_
    route::QueueGate gate_;
};

}  // namespace weir
