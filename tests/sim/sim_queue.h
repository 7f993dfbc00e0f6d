// Workers that take only so many requests at a time: the others wait in the router's queue.
#pragma once
#include <algorithm>

#include "policy/policy.h"
#include "route/queue_gate.h"

namespace weir::sim {

class FewAtATime final : public Policy {
public:
    FewAtATime(uint32_t requests_max, uint64_t& waits) : requests_max_(requests_max), waits_(waits) {}
    uint32_t needs() const override { return need::load; }
    bool follows() const override { return true; }       // so that bookings tell the queue of their end
    Pick pick(const Prepared&, const Slate& slate, Random&) const override {
        Pick pick{0, Pick::wait, "all have as many as they take", {}};
        uint32_t least = requests_max_;
        for (uint32_t i = 0; i < slate.ranks.size(); i++)
            if (slate.may(i) && slate.load[i].requests < least) least = slate.load[i].requests, pick = {i, Pick::chosen, "has room", {}};
        waits_ += pick.kind == Pick::wait;
        return pick;
    }

private:
    const uint32_t requests_max_;
    uint64_t& waits_;
};

class SimQueue final : public route::QueueHome {
public:
    SimQueue(Core& home, const FleetViewRef& fleet, uint32_t requests_max, uint64_t wait_max_ms)
        : fleet_(fleet), requests_max_(requests_max), gate(home, settings(wait_max_ms), *this) {}
    bool room(const route::Waiting& w) override {
        if (w.pinned == route::Waiting::anywhere) return open() != 0;
        return fleet_->ranks()[fleet_->index_of(w.pinned)].cell->requests < requests_max_;
    }
    uint32_t workers() override { return static_cast<uint32_t>(fleet_->ranks().size()); }
    uint32_t open() override {
        return static_cast<uint32_t>(std::ranges::count_if(fleet_->ranks(), [&](const RankRef& r) { return r.cell->requests < requests_max_; }));
    }

private:
    static route::QueueSettings settings(uint64_t wait_max_ms) {
        route::QueueSettings s;
        s.wait_max_ms = wait_max_ms;
        return s;
    }
    const FleetViewRef& fleet_;
    const uint32_t requests_max_;

public:
    route::QueueGate gate;
};

}  // namespace weir::sim
