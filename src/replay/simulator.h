// The discrete-event simulation: one policy, one fleet, one stream of arrivals, on a virtual clock and one thread.
#pragma once
#include <optional>
#include <string>

#include "policy/policy.h"
#include "replay/measure.h"
#include "replay/workload.h"
#include "route/queue.h"
#include "sim/engine_model.h"

namespace weir::replay {

struct Faults {
    uint32_t kill = 0;                    // workers that die ...
    double kill_at_s = 30, down_s = 60;   // ... one a second from then on; each comes back empty after that long, 0: never
    double event_lag_ms = 10;             // from engine to index
    double event_loss = 0;                // share of KV events that never arrive
    double stale_load_ms = 0;             // policies see loads as old as that; 0: as they are
};

struct FleetShape {
    uint32_t workers = 8;                 // whole ones; or, when `decode` is not 0, those that prefill
    uint32_t decode = 0;
    double transfer_ms = 5;               // from a prefill to a decode worker
    double report_ms = 1'000;             // engines report their load this often; 0: never
};

struct IndexShape {
    uint64_t bytes_max = uint64_t{1} << 30;
    bool events = true;                   // false: only predictions fill it
    double predicted_ttl_ms = 0;          // 0: nothing is predicted (without events: 120 s)
};

struct Setup {
    sim::EngineParams engine;
    FleetShape fleet;
    IndexShape index;
    Faults faults;
    PolicyConfig policy;                  // knobs for all; the name comes from `Contest`
    std::optional<route::QueueSettings> queue;   // requests wait while every worker is full, for policies that go by prompts
    uint64_t seed = 1;
    bool follow_output = false;           // count generated blocks in loads
    double give_up_ttft_ms = 0;           // end early once a tenth of all requests waited longer; 0: never
    double give_up_share = 0.1;
};

// A policy for whole requests, or "prefill+decode" ones.
struct Contestant {
    std::string name;                     // as given
    std::string whole, decode;            // rows of the policy table; decode empty: as `whole`
};
Result<Contestant> parse_contestant(std::string_view text);

struct Figures {
    std::string policy;
    Percentiles ttft_ms, itl_ms;
    double hit_rate = 0;                  // of prompt tokens, as engines count
    double throughput_tokens_per_s = 0;   // generated until the last arrival, over that time
    double load_cv = 0;                   // of requests at the workers, mean over all seconds
    double ttft_mean_ms = 0;
    uint64_t requests = 0, finished = 0, refused = 0, rerouted = 0, preemptions = 0;
    uint64_t queued = 0;                  // waited in the router's queue
    double virtual_s = 0;
    bool gave_up = false;                 // the rest means little then
    uint64_t index_bytes = 0, index_blocks = 0, active_bytes = 0;
    uint64_t leaked = 0;                  // bookings and loads left at the end; 0 or a bug
    std::vector<double> ttft_curve_ms;    // percentiles 1..100
    double router_us = 0, wall_s = 0;     // CPU time of a decision, of the whole run: the only figures that differ from run to run
};

// Code::bad_field: no such policy, an impossible engine.
Result<Figures> simulate(const Workload&, const std::vector<Arrival>&, const Contestant&, const Setup&);

}  // namespace weir::replay
