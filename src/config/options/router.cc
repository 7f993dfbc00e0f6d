#include "config/options/rows.h"

namespace weir::config {
namespace {
constexpr Str js = "router snapshots in JetStream";
constexpr Row rows[] = {
    Row{.key = "router.policy", .field = WEIR_FIELD(router.policy),
        .check = choice("round_robin random power_of_two cache_aware prefix_hash consistent_hashing bucket manual least_load passthrough "
                        "default soonest"),
        .def = "round_robin", .help = "How a worker is chosen.",
        .frontend_choices = "round-robin random power-of-two kv direct least-loaded device-aware-weighted default soonest"}
        .fe("--router-mode", "DYN_ROUTER_MODE", "round-robin").la("--policy", "", "cache_aware"),
    row("router.min_initial_workers", WEIR_FIELD(router.workers_min), integer(0, 1'000'000), "0",
        "Serve no model before so many workers have answered.")
        .fe("--router-min-initial-workers", "DYN_ROUTER_MIN_INITIAL_WORKERS"),
    row("router.affinity_ttl_s", WEIR_FIELD(router.affinity_ttl_s), integer(1, 31'536'000), "",
        "Keep a session on its worker until idle so long, seconds.")
        .fe("--router-session-affinity-ttl-secs", "DYN_ROUTER_SESSION_AFFINITY_TTL_SECS"),
    row("router.affinity_mode", WEIR_FIELD(router.affinity_mode), choice("hard soft"), "hard",
        "Whether a session's worker is a rule or a preference.")
        .fe("--router-session-affinity-mode", "DYN_ROUTER_SESSION_AFFINITY_MODE"),
    row("router.admission_control", WEIR_FIELD(router.admission), choice("none token-capacity"), "none",
        "Skip workers beyond the busy thresholds.")
        .fe("--admission-control", "DYN_ADMISSION_CONTROL").ep("", "DYN_ADMISSION_CONTROL"),
    row("router.busy_decode_blocks", WEIR_FIELD(router.busy_decode_blocks), or_none(real(0, 1)), "",
        "A worker is busy above this share of its KV blocks.")
        .fe("--active-decode-blocks-threshold", "DYN_ACTIVE_DECODE_BLOCKS_THRESHOLD").ep("", "DYN_ACTIVE_DECODE_BLOCKS_THRESHOLD"),
    row("router.busy_prefill_tokens", WEIR_FIELD(router.busy_prefill_tokens), or_none(integer()), "",
        "A worker is busy above so many prompt tokens under way.")
        .fe("--active-prefill-tokens-threshold", "DYN_ACTIVE_PREFILL_TOKENS_THRESHOLD").ep("", "DYN_ACTIVE_PREFILL_TOKENS_THRESHOLD"),
    row("router.busy_prefill_frac", WEIR_FIELD(router.busy_prefill_frac), or_none(real(0, 1e9)), "",
        "The same as a multiple of the engine's batch token limit.")
        .fe("--active-prefill-tokens-threshold-frac", "DYN_ACTIVE_PREFILL_TOKENS_THRESHOLD_FRAC").ep("", "DYN_ACTIVE_PREFILL_TOKENS_THRESHOLD_FRAC"),
    later("router.decode_fallback", flag(), "false", "falling back to aggregated serving",
          "Serve without prefill workers when there are none.")
        .fe("--decode-fallback", "DYN_DECODE_FALLBACK"),
    later("router.enforce_disagg", flag(), "false", "disaggregated routing", "Fail requests while no prefill worker is there.")
        .fe("--enforce-disagg", "DYN_ENFORCE_DISAGG").ep("", "DYN_ENFORCE_DISAGG"),
    later("router.conditional_disagg", flag(), "false", "conditional disaggregation",
          "Let short prompts skip the prefill worker.")
        .fe("--router-conditional-disagg", "DYN_ROUTER_CONDITIONAL_DISAGG"),
    later("router.conditional_disagg_config", text(), "", "conditional disaggregation", "Its settings, a JSON object.")
        .fe("--router-conditional-disagg-config", "DYN_ROUTER_CONDITIONAL_DISAGG_CONFIG"),
    row("router.policy_config", WEIR_FIELD(router.policy_file), file(), "",
        "Dynamo's policy file: YAML with classes of the router's queue and how workers are chosen.")
        .fe("--router-policy-config", "DYN_ROUTER_POLICY_CONFIG"),
    later("router.prefill_policy", text(), "", "policies of prefill workers", "Named selection for prefill workers.")
        .fe("--router-prefill-policy", "DYN_ROUTER_PREFILL_POLICY").old("use worker_selection.prefill of --router-policy-config"),
    later("router.decode_policy", text(), "", "policies of decode workers", "Named selection for decode workers.")
        .fe("--router-decode-policy", "DYN_ROUTER_DECODE_POLICY").old("use worker_selection.decode of --router-policy-config"),
    row("router.load_aware", WEIR_FIELD(router.load_aware), flag(), "false",
        "Choose by load alone.")
        .fe("--load-aware", "DYN_ROUTER_LOAD_AWARE").old("use --router-policy-config"),
    row("router.queue_threshold", WEIR_FIELD(router.queue_threshold), or_none(real()), "2.0",
        "Queue requests once all workers are beyond this multiple of their batch limit.")
        .fe("--router-queue-threshold", "DYN_ROUTER_QUEUE_THRESHOLD").compat_is("-").off_at("None"),
    row("router.queue_policy", WEIR_FIELD(router.queue_policy), choice("fcfs wspt lcfs"), "fcfs", "Order of the router queue.")
        .fe("--router-queue-policy", "DYN_ROUTER_QUEUE_POLICY"),
    later("router.replica_sync", flag(), "false", "router replicas", "Share load with other routers over the event plane.")
        .fe("--router-replica-sync", "DYN_ROUTER_REPLICA_SYNC").ep("", "DYN_ROUTER_REPLICA_SYNC"),
    later("router.snapshot_threshold", integer(), "1000000", js, "Messages between two snapshots.")
        .fe("--router-snapshot-threshold", "DYN_ROUTER_SNAPSHOT_THRESHOLD"),
    later("router.reset_states", flag(), "false", js, "Forget stored router state at start.")
        .fe("--router-reset-states", "DYN_ROUTER_RESET_STATES"),
    Row{.key = "router.durable_kv_events", .check = flag(), .def = "false", .help = "KV events through JetStream.", .state = State::noop_warn,
        .deprecated = "workers keep their own index on the event plane"}.fe("--router-durable-kv-events", "DYN_ROUTER_DURABLE_KV_EVENTS"),
    row("router.active_expiry_s", WEIR_FIELD(router.active_expiry_s), integer(), "300",
        "Forget a tracked request after this, seconds.")
        .fe("", "DYN_ROUTER_ACTIVE_REQUEST_EXPIRY_SECS"),
    later("router.custom_metrics_endpoint", text(), "", "custom backend metrics",
          "Component endpoint that workers publish statistics at.")
        .fe("--custom-backend-metrics-endpoint", ""),
    later("router.custom_metrics_interval_s", real(), "", "custom backend metrics", "Seconds between two readings of it.")
        .fe("--custom-backend-metrics-polling-interval", ""),
};

constexpr Str yaml = "use the default policy's parameters in --router-policy-config",
              track = "tracking of active sequences";
constexpr Row kv_table[] = {
    row("kv.index_bytes_max", WEIR_FIELD(kv.index_bytes_max), size(), "0",
        "Bytes for what is known of the workers' KV blocks; beyond, the least recently used go. 0: a quarter of the memory limit.")
        .both("--router-index-max-bytes"),
    row("kv.block_size", WEIR_FIELD(kv.block_size), integer(1, 65'536), "",
        "Tokens of a KV block; none: as the workers say.")
        .fe("--kv-cache-block-size", "DYN_KV_CACHE_BLOCK_SIZE").ep("", "DYN_KV_CACHE_BLOCK_SIZE"),
    row("kv.overlap_score_weight", WEIR_FIELD(kv.overlap_score_weight), real(), "1.0",
        "What a cached prompt block is worth against load.")
        .fe("--router-kv-overlap-score-weight ~--kv-overlap-score-weight", "DYN_ROUTER_KV_OVERLAP_SCORE_WEIGHT"),
    row("kv.overlap_credit", WEIR_FIELD(kv.overlap_credit), real(), "1.0",
        "Credit for prompt blocks on the device.")
        .fe("--router-kv-overlap-score-credit", "DYN_ROUTER_KV_OVERLAP_SCORE_CREDIT")
        .ep("", "DYN_ROUTER_KV_OVERLAP_SCORE_CREDIT").off_at("0").old(yaml),
    row("kv.overlap_credit_decay", WEIR_FIELD(kv.overlap_credit_decay), real(), "0.0",
        "Less credit where prompts already wait.")
        .fe("--router-kv-overlap-score-credit-decay", "DYN_ROUTER_KV_OVERLAP_SCORE_CREDIT_DECAY")
        .ep("", "DYN_ROUTER_KV_OVERLAP_SCORE_CREDIT_DECAY").old(yaml),
    row("kv.prefill_load_scale", WEIR_FIELD(kv.prefill_load_scale), real(), "1.0",
        "What prompt tokens under way count.")
        .fe("--router-prefill-load-scale", "DYN_ROUTER_PREFILL_LOAD_SCALE").ep("", "DYN_ROUTER_PREFILL_LOAD_SCALE").old(yaml),
    row("kv.decode_request_weight", WEIR_FIELD(kv.decode_request_weight), real(), "0.0",
        "What each request under way counts, in blocks.")
        .fe("--router-decode-active-request-weight", "DYN_ROUTER_DECODE_ACTIVE_REQUEST_WEIGHT").old(yaml),
    row("kv.host_hit_weight", WEIR_FIELD(kv.host_hit_weight), real(0, 1), "0.75",
        "Credit for blocks in host memory.")
        .fe("--router-host-cache-hit-weight", "DYN_ROUTER_HOST_CACHE_HIT_WEIGHT"),
    row("kv.disk_hit_weight", WEIR_FIELD(kv.disk_hit_weight), real(0, 1), "0.25",
        "Credit for blocks on disk.")
        .fe("--router-disk-cache-hit-weight", "DYN_ROUTER_DISK_CACHE_HIT_WEIGHT"),
    row("kv.shared_multiplier", WEIR_FIELD(kv.shared_multiplier), or_none(real(0, 1)), "",
        "Credit for blocks in a shared cache, as far as workers tell of them.")
        .fe("--shared-cache-multiplier", "DYN_SHARED_CACHE_MULTIPLIER").old(yaml),
    later("kv.shared_type", choice("| none hicache"), "none", "shared cache", "Which shared cache is asked.")
        .fe("--shared-cache-type", "DYN_SHARED_CACHE_TYPE"),
    row("kv.temperature", WEIR_FIELD(kv.temperature), real(), "0.0",
        "Spread of the choice; 0 takes the best.")
        .fe("--router-temperature", "DYN_ROUTER_TEMPERATURE").ep("", "DYN_ROUTER_TEMPERATURE").old(yaml),
    row("kv.events", WEIR_FIELD(kv.events), flag(), "true",
        "Follow the workers' KV events; else predict from what was routed.")
        .fe("--router-kv-events ~--kv-events", "DYN_ROUTER_USE_KV_EVENTS").ep("", "DYN_USE_KV_EVENTS"),
    row("kv.ttl_s", WEIR_FIELD(kv.ttl_s), real(), "120.0",
        "Predicted blocks are forgotten after this, seconds.")
        .fe("--router-ttl-secs", "DYN_ROUTER_TTL_SECS"),
    row("kv.tree_size_max", WEIR_FIELD(kv.tree_size_max), integer(1), "1048576",
        "Predicted blocks at most.")
        .fe("--router-max-tree-size", "DYN_ROUTER_MAX_TREE_SIZE"),
    row("kv.prune_ratio", WEIR_FIELD(kv.prune_ratio), real(0, 1), "0.8",
        "What is left of them after pruning.")
        .fe("--router-prune-target-ratio", "DYN_ROUTER_PRUNE_TARGET_RATIO"),
    row("kv.approximate_policy", WEIR_FIELD(kv.approximate_policy), choice("ttl lru"), "ttl",
        "Without events: predicted blocks go after a time, or when a worker's KV cache would be full of newer ones.")
        .fe("--router-approximate-cache-policy", "DYN_ROUTER_APPROXIMATE_CACHE_POLICY"),
    row("kv.predicted_ttl_s", WEIR_FIELD(kv.predicted_ttl_s), or_none(real()), "",
        "With events: also predict, for so long, seconds.")
        .fe("--router-predicted-ttl-secs", "DYN_ROUTER_PREDICTED_TTL_SECS").ep("", "DYN_ROUTER_PREDICTED_TTL_SECS"),
    row("kv.track_active_blocks", WEIR_FIELD(kv.track_active_blocks), flag(), "true",
        "Count blocks of requests under way.")
        .fe("--router-track-active-blocks ~--track-active-blocks", "DYN_ROUTER_TRACK_ACTIVE_BLOCKS").ep("", "DYN_ROUTER_TRACK_ACTIVE_BLOCKS"),
    row("kv.assume_reuse", WEIR_FIELD(kv.assume_reuse), flag(), "true",
        "Count blocks shared by several requests once.")
        .fe("--router-assume-kv-reuse ~--assume-kv-reuse", "DYN_ROUTER_ASSUME_KV_REUSE"),
    row("kv.track_output_blocks", WEIR_FIELD(kv.track_output_blocks), flag(), "false",
        "Count generated blocks too, fading towards the expected end.")
        .fe("--router-track-output-blocks ~--track-output-blocks", "DYN_ROUTER_TRACK_OUTPUT_BLOCKS").ep("", "DYN_ROUTER_TRACK_OUTPUT_BLOCKS"),
    row("kv.track_prefill_tokens", WEIR_FIELD(kv.track_prefill_tokens), flag(), "true",
        "Count prompt tokens under way.")
        .fe("--router-track-prefill-tokens", "DYN_ROUTER_TRACK_PREFILL_TOKENS").ep("", "DYN_ROUTER_TRACK_PREFILL_TOKENS"),
    later("kv.tracking_hash", choice("| public-xxh3-v1 keyed-xxh3-v1"), "public-xxh3-v1", "tracking hash",
          "Hash that names tracked sequences.")
        .fe("--router-tracking-hash", "DYN_ROUTER_TRACKING_HASH"),
    later("kv.tracking_key_file", file(), "", track, "32-byte key of the keyed hash.")
        .fe("--router-tracking-key-file", "DYN_ROUTER_TRACKING_KEY_FILE"),
    later("kv.tracking_key_id", text(), "", track, "Which key that is.")
        .fe("--router-tracking-key-id", "DYN_ROUTER_TRACKING_KEY_ID"),
    row("kv.event_threads", WEIR_FIELD(kv.event_threads), integer(1, 1'024), "4",
        "Threads that apply KV events.")
        .fe("--router-event-threads", "DYN_ROUTER_EVENT_THREADS"),
    later("kv.cache_control", flag(), "false", "cache pinning",
          "Pin cached prefixes for a time on request; needs KV-aware routing.")
        .fe("--enable-cache-control", "DYN_ENABLE_CACHE_CONTROL"),
    later("kv.serve_indexer", flag(), "false", "serving the KV index to others", "Answer other routers' index queries.")
        .fe("--serve-indexer", "DYN_SERVE_INDEXER"),
    later("kv.remote_indexer", flag(), "false", "a remote KV index", "Ask another process for matches.")
        .fe("--use-remote-indexer", "DYN_USE_REMOTE_INDEXER"),
    later("kv.session_index", flag(), "false", "an index of sessions", "Remember the blocks of each session.")
        .fe("--enable-session-prefix-index", "DYN_ENABLE_SESSION_PREFIX_INDEX"),
    later("kv.prefill_load_model", choice("| none ais"), "none", "prefill load model",
          "How prompt load fades while it is computed.")
        .fe("--router-prefill-load-model", "DYN_ROUTER_PREFILL_LOAD_MODEL"),
#define AIS(name, flag_name, env, what) \
    later("kv.ais_" name, text(), "", "the AIS load model", what).fe("--ais-" flag_name " ~--aic-" flag_name, "DYN_AIS_" env)
    later("kv.ais_perf_config", text(), "", "the AIS load model", "Its whole configuration, JSON or a file.")
        .fe("--ais-perf-config", "DYN_AIS_PERF_CONFIG"),
    AIS("backend", "backend", "BACKEND", "Engine it stands for."),
    AIS("system", "system", "SYSTEM", "Machine it stands for."),
    AIS("backend_version", "backend-version", "BACKEND_VERSION", "Engine version."),
    AIS("tp_size", "tp-size", "TP_SIZE", "Tensor parallel size."),
    AIS("model_path", "model-path", "MODEL_PATH", "Model it stands for."),
    AIS("moe_tp_size", "moe-tp-size", "MOE_TP_SIZE", "Tensor parallel size of experts."),
    AIS("moe_ep_size", "moe-ep-size", "MOE_EP_SIZE", "Expert parallel size."),
    AIS("attention_dp_size", "attention-dp-size", "ATTENTION_DP_SIZE", "Data parallel size of attention."),
    AIS("nextn", "nextn", "NEXTN", "Tokens drafted ahead."),
    AIS("nextn_accept_rates", "nextn-accept-rates", "NEXTN_ACCEPT_RATES", "How likely each draft is accepted."),
    AIS("mtp_seed", "mtp-seed", "MTP_SEED", "Seed of its draws."),
#undef AIS
};
}  // namespace
std::span<const Row> router_rows() { return rows; }
std::span<const Row> kv_rows() { return kv_table; }

}  // namespace weir::config
