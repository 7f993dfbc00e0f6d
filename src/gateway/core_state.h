// What one data core holds for its requests. Made before the core runs; afterwards only the core's thread touches it, except the atomics.
#pragma once
#include <algorithm>
#include <atomic>
#include <memory>
#include <string>
#include <vector>

#include "fleet/fleet.h"
#include "gateway/dynamo_peer.h"
#include "gateway/routing_metrics.h"
#include "gateway/routings.h"
#include "net/resolver.h"
#include "net/upstream.h"
#include "obs/access_log.h"
#include "obs/request_metrics.h"
#include "route/booking.h"
#include "route/decisions.h"
#include "route/place.h"
#include "tokenizer/tokenizer.h"

namespace weir {

struct CoreState {
    CoreState(Core& core, const UpstreamLimits& limits, Metrics& all_metrics, AccessLog* access, uint64_t lease_ns = Leases::lease_ns_default)
        : core(core), resolver(core), pool(core, resolver, limits), metrics(all_metrics, core.index()),
          routing_metrics(all_metrics, core.index()),
          cells(all_metrics.core(core.index())), access(access), leases(lease_ns) {
        exceptions = all_metrics.series(Metric::exceptions, {});
        connect_ok = all_metrics.series(Metric::upstream_connects, {"ok"});
        connect_failed = all_metrics.series(Metric::upstream_connects, {"failed"});
        tick = all_metrics.series(Metric::core_tick_seconds, {std::to_string(core.index())});
        stalls = all_metrics.series(Metric::core_stalls, {});
        core.turn_watch = {&CoreState::after_turn, this};
    }
    ~CoreState() { core.turn_watch = {}; }
    CoreState(const CoreState&) = delete;
    Core& core;
    Resolver resolver;
    ClientPool pool;
    std::unique_ptr<DynamoCore> dynamo;           // null: no Dynamo workers are looked for
    RequestMetrics metrics;
    RoutingMetrics routing_metrics;
    CoreMetrics& cells;
    AccessLog* access;                            // null: no access line
    Series exceptions, connect_ok, connect_failed;
    FleetViewRef fleet = std::make_shared<FleetView>();   // swapped between turns
    std::shared_ptr<const RoutingMap> routings;            // swapped with it; null: one routing for everything (Flow's own)
    route::Scratch scratch;
    Leases leases;
    route::DecisionRing decisions;
    // Working memory for encoding with that tokenizer; of the few used last, it stays.
    std::shared_ptr<EncodeScratch> scratch_of(const TokenizerRef& tokenizer) {
        auto at = std::ranges::find(encoders_, tokenizer, &Encoder::tokenizer);
        if (at == encoders_.end()) {
            if (encoders_.size() == encoders_max) encoders_.pop_back();
            at = encoders_.insert(encoders_.end(), {tokenizer, tokenizer->scratch()});
        }
        std::rotate(encoders_.begin(), at, at + 1);
        return encoders_.front().scratch;
    }
    std::string lines;                            // header fields of the answer being begun; never across co_await
    std::atomic<uint32_t> active{0};              // requests under way; written here, read by anyone
    std::atomic<uint32_t> booked{0};              // ... that were given to a worker

private:
    static void after_turn(void* self, uint64_t ns) {
        auto& here = *static_cast<CoreState*>(self);
        here.cells.observe(here.tick, ns);
        if (ns > Core::long_turn_ns) here.cells.add(here.stalls);
    }
    struct Encoder { TokenizerRef tokenizer; std::shared_ptr<EncodeScratch> scratch; };
    static constexpr size_t encoders_max = 4;
    std::vector<Encoder> encoders_;
    Series tick, stalls;
};

}  // namespace weir
