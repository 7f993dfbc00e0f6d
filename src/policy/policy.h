// Chooses one of the ranks that can serve a request. One object per (model, leg role), shared by all cores: `pick` is const,
// state that must be shared lives in named structures given at make time (a policy may own atomics of its own).
#pragma once
#include <array>
#include <memory>
#include <span>
#include <string_view>

#include "base/clock.h"
#include "types/outcome.h"
#include "types/prepared.h"
#include "types/worker.h"

namespace weir {

namespace need {   // what route/ gathers into the Slate before pick(); nothing else is in it
inline constexpr uint32_t device = 1, lower_tiers = 2, active = 4, load = 8, predicted = 128;   // columns, as they are called
inline constexpr uint32_t tokens = 32;            // Prepared::tokens, or else text
inline constexpr uint32_t text = 16;              // Prepared::text where there are no tokens, Slate::prompt_chars
inline constexpr uint32_t matched = 256;          // Slate::matched_chars of that text; what was picked is then inserted
inline constexpr uint32_t key = 64;               // Hints::routing_key and target_worker
inline constexpr uint32_t implicit_key = 512;     // a routing key made of x-forwarded-for, else cookie, where none is given
}

struct Pick {
    enum Kind : uint8_t { chosen, wait, none };
    uint32_t index = 0;            // into Slate::ranks, when chosen
    Kind kind = none;
    const char* why = "";          // a static word for the decision log
    std::array<float, 4> terms{};  // cost terms of the choice, policy's own order
};

// What stays of a request in its booking: the Prepared dies when the worker has the request.
struct Routed {
    uint64_t key = 0;              // what the policy gave `booked`; 0: nothing
    uint32_t prompt_tokens = 0, cached_tokens = 0;         // cached: predicted, at the chosen rank
    uint32_t prefill_ahead = 0, requests_ahead = 0;        // load of the chosen rank just before
    Instant booked = 0;
};

class Policy {
public:
    virtual ~Policy() = default;
    virtual uint32_t needs() const = 0;   // bits of namespace need
    // At least one rank is eligible. At most 1 us + 8 ns a rank; no locks, no waits, no I/O. Any core.
    virtual Pick pick(const Prepared&, const Slate&, Random&) const = 0;
    // The rest may be called from any core at once, for one request in this order. `key` is kept in Routed.
    virtual uint64_t booked(const Prepared&, RankRef, Instant) { return 0; }
    virtual void first_token(const Routed&, RankRef, Instant) {}          // at most once
    virtual void ended(const Routed&, RankRef, const Outcome&) {}         // once for each `booked`
    virtual bool follows() const { return false; }                        // wants first_token and ended
};

struct PolicyConfig {
    std::string_view name;         // as in the table, '-' and '_' alike
    struct KvCost {                // Dynamo's cost, in blocks; lower is better
        double overlap_credit = 1, credit_decay = 0, prefill_load_scale = 1, request_weight = 0, host_weight = 0.75, disk_weight = 0.25,
               shared_multiplier = 0, temperature = 0;
        bool track_prefill = true, track_active = true;
        bool load_only = false;    // a plain decode pool: neither credit for overlap nor prefill
        bool credit_on_active = false;   // a decode pool that may prefill: untracked prefill, credit comes off the active blocks
    } kv;
    struct CacheAware {            // SMG's
        double threshold = 0.3, spill_rel = 1.5, usage_spread = 1, usage_ceiling = 1, overlap_decay = 0, temperature = 0;
        uint32_t spill_abs = 64;
    } cache_aware;
    struct TwoTier { double threshold = 0.5, spill_rel = 1.1; uint32_t spill_abs = 32; } two_tier;   // Dynamo's
    struct PrefixHash { uint32_t tokens = 256, balance_abs = 10; double load_factor = 1.25; } prefix_hash;
    struct LeastLoad { double kv_weight_s = 0.15, throughput = 2'000; uint32_t prefill = 1'024, waiting_max = 0; } least_load;
    double accelerator_ratio = 8;        // device_aware_weighted: throughput of a worker with accelerators over one on CPUs
    struct Bucket { uint64_t adjust_ms = 5'000; uint32_t spill_abs = 64; double spill_rel = 1.5; } bucket;
    struct Manual {
        // Worker of a new key. usual: random for the policy `manual`, delegate for `sticky`, which asks the policy it wraps
        enum Assignment : uint8_t { usual, random, min_load, min_group, delegate } assignment = usual;
        uint64_t idle_ms = 14'400'000;   // 0: a key is never forgotten for being idle
        size_t entries_max = 1'000'000;
    } manual;
    bool sticky = false;                 // requests with a routing key keep their worker, whatever the policy (not consistent_hashing, manual)
    bool dp_min_tokens = false;          // the policy's choice gives the worker; its rank is the one with the fewest tokens
    bool power_of_two_requests = true;   // compare requests under way; else expected wait
};

struct PolicyRow {
    std::string_view name;
    std::unique_ptr<Policy> (*make)(const PolicyConfig&);
    std::string_view what;         // one line for help texts
};
std::span<const PolicyRow> policy_table();
const PolicyRow* find_policy(std::string_view name);   // null: unknown
// What config.name says, wrapped as config.sticky and config.dp_min_tokens say. Null: no such policy.
std::unique_ptr<Policy> make_policy(const PolicyConfig&);

// Implementations, one file each, no headers.
std::unique_ptr<Policy> make_random(const PolicyConfig&);
std::unique_ptr<Policy> make_round_robin(const PolicyConfig&);
std::unique_ptr<Policy> make_soonest(const PolicyConfig&);
std::unique_ptr<Policy> make_power_of_two(const PolicyConfig&);
std::unique_ptr<Policy> make_kv(const PolicyConfig&);
std::unique_ptr<Policy> make_two_tier(const PolicyConfig&);
std::unique_ptr<Policy> make_least_loaded(const PolicyConfig&);
std::unique_ptr<Policy> make_device_aware_weighted(const PolicyConfig&);
std::unique_ptr<Policy> make_direct(const PolicyConfig&);
std::unique_ptr<Policy> make_cache_aware(const PolicyConfig&);
std::unique_ptr<Policy> make_least_load(const PolicyConfig&);
std::unique_ptr<Policy> make_passthrough(const PolicyConfig&);
std::unique_ptr<Policy> make_consistent_hashing(const PolicyConfig&);
std::unique_ptr<Policy> make_prefix_hash(const PolicyConfig&);
std::unique_ptr<Policy> make_bucket(const PolicyConfig&);
std::unique_ptr<Policy> make_manual(const PolicyConfig&);

// --- for implementations ---
uint32_t eligible_count(const Slate&);
uint32_t nth_eligible(const Slate&, uint32_t n);       // index of the n-th eligible rank, n < eligible_count()

}  // namespace weir
