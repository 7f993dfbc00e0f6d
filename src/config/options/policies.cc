#include "config/options/rows.h"

namespace weir::config {
namespace {
constexpr Str ca = "the cache_aware policy", live = "liveness checks of workers", warm = "warm-up of new workers", sel = "KV-event driven selection";
constexpr Row rows[] = {
    row("policies.cache_threshold", WEIR_FIELD(policies.cache_threshold), real(0, 1), "0.3",
        "Smallest share of a prompt that must be known at a worker to go there.")
        .la("--cache-threshold --cache-match-threshold"),
    row("policies.spill_abs", WEIR_FIELD(policies.spill_abs), integer(), "64",
        "Requests a worker may be above the others before load decides.")
        .la("--balance-abs-threshold --spill-abs-threshold"),
    row("policies.spill_rel", WEIR_FIELD(policies.spill_rel), real(1), "1.5",
        "The same as a ratio; both must be passed.")
        .la("--balance-rel-threshold --spill-rel-threshold"),
    row("policies.eviction_interval_s", WEIR_FIELD(policies.eviction_interval_s), integer(1), "120",
        "Seconds between two evictions of old prefixes.")
        .la("--eviction-interval --eviction-interval-secs"),
    row("policies.tree_size_max", WEIR_FIELD(policies.tree_size_max), integer(1), "67108864",
        "Characters (tokens for gRPC) remembered for a model.")
        .la("--max-tree-size"),
    row("policies.block_size", WEIR_FIELD(policies.block_size), integer(1, 65'536), "16",
        "Tokens of a KV block where events decide.").la("--block-size"),
    later("policies.cache_boundaries", {.kind = Check::integers, .hi = any_max}, "", ca,
          "Token positions at which engines keep prefixes.")
        .la("--cache-boundaries"),
    later("policies.cache_index", choice("| tree hash"), "tree", "cache index", "What remembers prefixes.").la("--cache-index"),
    later("policies.cache_ttl_s", integer(1), "180", ca, "Seconds a remembered prefix stays good.").la("--cache-ttl-secs"),
    row("policies.token_usage_spread", WEIR_FIELD(policies.token_usage_spread), real(0, 1), "1.0",
        "Give affinity up when KV usage differs by more; 1: never.")
        .la("--balance-token-usage-threshold"),
    row("policies.token_usage_ceiling", WEIR_FIELD(policies.token_usage_ceiling), real(0, 1), "1.0",
        "Give affinity up above this KV usage; 1: never.")
        .la("--overload-token-usage-threshold"),
    later("policies.kv_index", choice("| positional chain"), "positional", "KV index", "Shape of the event-driven index.")
        .la("--kv-index"),
    later("policies.kv_index_ttl_s", integer(), "", ca, "Seconds an index entry lives.").la("--kv-indexer-ttl-secs"),
    later("policies.kv_index_entries", integer(), "", ca, "Index entries at most.").la("--kv-indexer-max-entries"),
    later("policies.selection", text(), "cache-aware-default", sel, "Selection among candidates.").la("--selection-policy"),
    later("policies.selection_booking_ms", integer(), "0", sel, "How long a booking stands before the engine reports it, ms.")
        .la("--selection-accounting-ttl-ms"),
    row("policies.selection_temperature", WEIR_FIELD(policies.selection_temperature), real(), "0.0",
        "Spread of the choice; 0 takes the best.")
        .la("--selection-temperature"),
    row("policies.overlap_decay", WEIR_FIELD(policies.overlap_decay), real(), "0.0",
        "Less credit where prompts already wait.").la("--overlap-decay"),
    later("policies.warmup_s", integer(), "60", warm, "Seconds after which a worker is no longer new; 0: off.")
        .la("--worker-warmup-secs"),
    later("policies.warmup_share", real(0, 1), "0.25", warm, "Share of cache misses sent to new workers.")
        .la("--worker-warmup-share"),
    later("policies.warmup_blocks", integer(), "1024", warm, "Blocks after which a worker is warm.").la("--worker-warmup-blocks"),
    later("policies.warmup_thin_ratio", real(0, 1), "0.5", warm, "Below this share of the usual index a worker counts as new.")
        .la("--worker-warmup-thin-ratio"),
    later("policies.warmup_divert_every", integer(), "8", warm, "One hit in so many goes to a new worker; 0: none.")
        .la("--worker-warmup-divert-every"),
    row("policies.prefix_tokens", WEIR_FIELD(policies.prefix_tokens), integer(1), "256",
        "Leading tokens that are hashed.").la("--prefix-token-count"),
    row("policies.prefix_load_factor", WEIR_FIELD(policies.prefix_load_factor), real(1), "1.25",
        "Load, as a multiple of the mean, from which the next worker is taken.")
        .la("--prefix-hash-load-factor"),
    row("policies.prefix_balance_abs", WEIR_FIELD(policies.prefix_balance_abs), integer(), "10",
        "The same as requests above the mean; both must be passed.")
        .la("--prefix-hash-balance-abs-threshold"),
    row("policies.least_load_kv_weight", WEIR_FIELD(policies.least_load_kv_weight), real(), "0.15",
        "Seconds that a full KV cache counts.")
        .la("--least-load-kv-pressure-weight"),
    row("policies.least_load_throughput", WEIR_FIELD(policies.least_load_throughput), real(), "2000",
        "Tokens per second assumed of a worker that reports none.")
        .la("--least-load-default-throughput"),
    row("policies.least_load_prefill", WEIR_FIELD(policies.least_load_prefill), integer(), "1024",
        "Prompt tokens assumed where they are not known.")
        .la("--least-load-mean-prefill-tokens"),
    row("policies.least_load_waiting_max", WEIR_FIELD(policies.least_load_waiting_max), integer(), "0",
        "Skip workers with so many waiting; 0: never.")
        .la("--least-load-max-waiting-requests"),
    row("policies.power_of_two_metric", WEIR_FIELD(policies.power_of_two_metric), choice("requests least_requests expected_wait"), "expected_wait",
        "What power_of_two compares.")
        .la("--power-of-two-load-metric"),
    row("policies.bucket_adjust_s", WEIR_FIELD(policies.bucket_adjust_s), integer(1), "5",
        "Seconds between two adjustments of the bounds.")
        .la("--bucket-adjust-interval-secs"),
    row("policies.sticky_idle_s", WEIR_FIELD(policies.sticky_idle_s), integer(1), "14400",
        "Seconds an unused key stays with its worker.")
        .la("--max-idle-secs --sticky-key-idle-secs"),
    row("policies.assignment", WEIR_FIELD(policies.assignment), choice("random min_load min_group delegate"), "random",
        "Worker of a new key.")
        .la("--assignment-mode"),
    row("policies.routing_key", WEIR_FIELD(policies.routing_key), flag(), "false",
        "Keep a conversation on its worker, with any policy.")
        .la("--routing-key-override --sticky-sessions"),
    row("policies.routing_key_headers", WEIR_FIELD(policies.routing_key_headers), list(), "x-smg-routing-key",
        "Headers that name the conversation.")
        .la("--routing-key-headers"),
    row("policies.dp_aware", WEIR_FIELD(policies.dp_aware), flag(), "false",
        "Route to the data parallel ranks of each worker, as many as it says.")
        .la("--dp-aware"),
    row("policies.dp_min_tokens", WEIR_FIELD(policies.dp_min_tokens), flag(), "false",
        "Choose the rank with the fewest tokens.")
        .la("--dp-minimum-tokens-scheduler"),
    Row{.key = "policies.multi_model", .check = flag(), .def = "false", .help = "Each model with its own workers and policy.",
        .state = State::noop_warn, .deprecated = "each model has its own workers and policy anyway"}
        .la("--enable-igw"),
    row("policies.load_interval_s", WEIR_FIELD(policies.load_interval_s), integer(1, 86'400), "10",
        "Seconds between two readings of a worker's load.")
        .la("--load-monitor-interval"),
    row("policies.load_off", WEIR_FIELD(policies.load_off), flag(), "false",
        "Read it only where a policy, overload protection or --engine-metrics needs it.")
        .la("--disable-load-monitoring"),
    row("policies.engine_metrics", WEIR_FIELD(policies.engine_metrics), flag(), "false",
        "Read it for the metrics smg_engine_* too; without --disable-load-monitoring they are there anyway.")
        .la("--engine-metrics"),
    row("policies.overload", WEIR_FIELD(policies.overload), flag(), "true",
        "Leave overloaded workers out while others are not.")
        .la("--worker-overload-protection !--disable-worker-overload-protection"),
    row("policies.overload_waiting", WEIR_FIELD(policies.overload_waiting), integer(1, 4'294'967'295.0), "8",
        "Waiting requests from which a worker is overloaded.")
        .la("--worker-overload-waiting-requests"),
    row("policies.overload_token_usage", WEIR_FIELD(policies.overload_usage), real(0.000001, 1), "0.8", "KV usage from which it is.")
        .la("--worker-overload-token-usage"),
    row("policies.overload_shed", WEIR_FIELD(policies.overload_shed), flag(), "false",
        "Answer 503 when all are overloaded, else the one with the fewest requests takes it.")
        .la("--worker-overload-shed"),
    later("policies.stall_s", real(), "2", live, "Silence that with a failed connection excludes a worker, seconds.")
        .la("--worker-stall-secs"),
    later("policies.wedge_s", real(), "3", live, "Time without a token while work piles up, seconds.").la("--worker-wedge-secs"),
    later("policies.stale_s", real(), "15", live, "Time without any contact, seconds; 0: off.").la("--worker-stale-secs"),
};

constexpr Str pd = "prefill/decode disaggregation", epd = "encode/prefill/decode disaggregation";
constexpr Check leg_policy =
    choice("| random round_robin cache_aware power_of_two prefix_hash consistent_hashing bucket manual least_load passthrough");
constexpr Row disagg_table[] = {
    later("disagg.pd", flag(), "false", pd, "Prefill and decode on different workers.").la("--pd-disaggregation"),
    later("disagg.prefill", url_port(), "", pd, "A prefill worker, URL [BOOTSTRAP_PORT|none]; may be repeated.").la("--prefill"),
    later("disagg.decode", urls(), "", pd, "A decode worker's URL; may be repeated.").la("--decode"),
    later("disagg.prefill_policy", leg_policy, "",
          "prefill policy", "Policy among prefill workers; none: the main one.").la("--prefill-policy"),
    later("disagg.decode_policy", leg_policy, "",
          "decode policy", "Policy among decode workers; none: the main one.").la("--decode-policy"),
    later("disagg.epd", flag(), "false", epd, "Media encoding on workers of its own too.").la("--epd-disaggregation"),
    later("disagg.encode", url_port(), "", epd, "An encode worker, URL [BOOTSTRAP_PORT|none]; may be repeated.").la("--encode"),
    later("disagg.encode_policy", choice("| random round_robin consistent_hashing"), "consistent_hashing", "encode policy",
          "Policy among encode workers.")
        .la("--encode-policy"),
    later("disagg.admission_wait_s", integer(), "30", pd, "Wait for room in the decode worker, seconds.")
        .la("--pd-admission-wait-secs"),
    later("disagg.prefill_inflight_max", integer(-1), "-1", pd, "Requests under way at a prefill worker; -1: any number.")
        .la("--prefill-max-inflight-requests-per-worker").off_at("0"),
    later("disagg.prefill_queue_max", integer(), "100", pd, "Requests that may wait for a prefill worker.")
        .la("--prefill-queue-size"),
    later("disagg.prefill_queue_timeout_s", integer(), "60", pd, "How long, seconds.").la("--prefill-queue-timeout-secs"),
};
}  // namespace
std::span<const Row> policies_rows() { return rows; }
std::span<const Row> disagg_rows() { return disagg_table; }

}  // namespace weir::config
