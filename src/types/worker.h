// Workers, their ranks and the load on them, as routing sees them.
#pragma once
#include <atomic>
#include <memory>
#include <span>

#include "base/clock.h"
#include "types/call.h"

namespace weir {

using WorkerSlot = uint32_t;         // index into process-wide arrays; reused only after 5 s and with zero bookings
enum class EngineKind : uint8_t { openai_http, sglang_grpc, vllm_grpc, dynamo, external };
namespace role { inline constexpr uint8_t whole = 1, prefill = 2, decode = 4, encode = 8; }

// Immutable; owned by the FleetView it came from, strings included.
struct WorkerView {
    WorkerSlot slot = 0;
    EndpointKey key = 0;
    uint64_t instance_id = 0;
    Str url;                         // scheme://host:port, as configured
    EngineKind kind = EngineKind::openai_http;
    uint8_t roles = role::whole;     // bits of namespace role
    uint16_t rank_first = 0, ranks = 1;
    std::span<const Str> models;     // served names; empty: not known yet
    uint32_t block = 0, kv_blocks = 0, batch_tokens = 0, max_seqs = 0, context = 0;   // 0 = unknown
    Str bootstrap_host;
    int32_t bootstrap_port = -1;     // -1: none
    std::span<const Str> taints, loras;
    float priority = 0, cost = 1;
    bool cpu = false;                // runs on CPUs, where others have accelerators
};

// One per rank, in a process-wide array. All relaxed. Line 1 is what bookings count (exact), line 2 what engines report (rep_, as of
// rep_at_ms) and what is learned of them.
struct alignas(64) LoadCell {
    std::atomic<uint32_t> requests{0}, prefill_tokens{0};         // tokens: of prompts under way, without what the rank is believed to hold
    std::atomic<uint32_t> active_blocks{0};                       // distinct blocks of prompts under way
    std::atomic<uint32_t> out_blocks_q8{0}, out_expected_q8{0};   // generated blocks; expected output tokens still to come; 1/256
    std::atomic<uint32_t> streams{0}, leased_remote{0}, state{0};
    std::atomic<uint32_t> context_tokens{0};                      // prompt tokens of requests under way, whatever is cached
    alignas(64) std::atomic<uint32_t> prefill_tok_s{0};           // learned
    std::atomic<uint32_t> itl_us{0}, rep_waiting{0}, rep_running{0}, rep_kv_used{0}, rep_prefill_tokens{0}, rep_at_ms{0}, fails{0};
    std::atomic<uint32_t> rep_kv_total{0}, rep_usage_q16{0};      // blocks; share of the KV cache in use, 1/65536
    std::atomic<uint32_t> rep_waiting_tokens{0}, rep_tok_s{0};    // uncached prompt tokens queued; tokens generated per second
    std::atomic<uint32_t> since_requests{0}, since_tokens{0};     // booked since the report
    std::atomic<uint32_t> learned_a{0}, learned_b{0};             // a policy's own, bit patterns
};

struct LoadNow {                     // copied once per pick
    uint32_t requests = 0, prefill_tokens = 0, active_blocks = 0, waiting = 0, running = 0, kv_used = 0, prefill_tok_s = 0;
    float out_blocks = 0;
    uint32_t report_age_ms = UINT32_MAX;                          // UINT32_MAX: nothing was ever reported
    uint32_t context_tokens = 0, waiting_tokens = 0, tok_s = 0, since_requests = 0, since_tokens = 0, itl_us = 0;
    float usage = 0;                                              // 0..1, reported
    bool reported() const { return report_age_ms != UINT32_MAX; }
};

struct RankRef {                     // valid while the FleetView it came from is held
    const WorkerView* worker = nullptr;
    uint16_t rank = 0;               // data parallel rank at the worker
    LoadCell* cell = nullptr;
    uint32_t number = 0;             // of its cell: process-wide, stable while the worker lives; what kv/ calls Rank
    explicit operator bool() const { return worker != nullptr; }
};

struct Overlap { uint32_t device = 0, host = 0, disk = 0, shared = 0, active = 0; };   // leading blocks of a request held at a rank

struct Slate {                       // what a policy picks from: columns with the same index everywhere
    std::span<const RankRef> ranks;
    const uint64_t* eligible = nullptr;   // bitmap over ranks
    std::span<const uint32_t> device, host, disk, shared, predicted, active_overlap;   // blocks; empty: not asked for
    std::span<const uint32_t> matched_chars;   // longest leading part of the routing text that was sent there before; empty: not asked for
    std::span<const LoadNow> load;   // empty: not asked for
    uint32_t request_blocks = 0, prompt_tokens = 0, block = 0, prompt_chars = 0;   // 0: unknown
    uint64_t fleet_version = 0;      // changes when `ranks` do
    Instant now = 0;
    bool may(size_t i) const { return eligible[i / 64] >> (i % 64) & 1; }
};

}  // namespace weir
