// docs/metrics.md from the list, and why the peers' other series are missing.
#include "obs/escape.h"
#include "obs/metric_buckets.h"
#include "obs/metrics.h"

namespace weir {
namespace {

// Series of the peers that weir does not have, by what would have to exist first. A row goes when its thing is built.
struct Missing { const char *series, *why; };
constexpr Missing missing[] = {
    {"`~failures_total`",
     "the error class is already a label of `~requests_total`; the peer's vocabulary of reasons is its own"},
    {"`~images_per_request`, `~audio_per_request`, `~videos_per_request`, `~image_tokens_per_request`",
     "media are passed through, not counted"},
    {"`~tokenizer_*`, `~tokenize_seconds`, `~template_seconds`, `~detokenize_*`, `smg_tokenizer_*`, `smg_detokenize_*`",
     "no tokenizer in the gateway yet"},
    {"`~stage_duration_seconds`, `~stage_requests`, `~event_loop_delay_seconds`, `smg_router_stage_duration_seconds`",
     "`weir_gateway_overhead_seconds` and `weir_core_tick_seconds` say the same without a clock call per stage"},
    {"`~model_context_length`, `~model_kv_cache_block_size`, `~model_total_kv_blocks`, `~model_max_num_*`",
     "workers behind static URLs do not state them"},
    {"`smg_worker_health_checks_total`", "workers are asked for their models, not probed, yet"},
    {"`~model_migration_*`, `~model_migration_limit`", "no migration yet"},
    {"`~router_*`, other `dynamo_component_router_*`, `dynamo_component_kv_*`, `smg_kv_event_*`, `smg_cache_placement_entries`",
     "no event plane and no router queue yet; `weir_kv_index_*` tell what became of blocks"},
    {"`dynamo_router_overhead_*`", "`weir_router_place_seconds` says it without a clock call per step"},
    {"`smg_cache_tree_tokens`, `smg_cache_tree_tenants`", "tokens are in the KV index, `smg_kv_index_*`; there are no trees per worker"},
    {"`~worker_last_*`", "decisions tell it for each request, docs/routing.md"},
    {"`dynamo_request_plane_*`, `dynamo_transport_tcp_*`, `dynamo_component_uptime_seconds`",
     "no Dynamo request plane yet; uptime is `process_start_time_seconds`"},
    {"`dynamo_tokio_*`, `smg_tokio_*`", "weir has no Tokio; `weir_core_*` are its loops"},
    {"`smg_allocator_*`",
     "the C library's allocator keeps no such figures; see `process_resident_memory_bytes` and `weir_budget_*`"},
    {"`smg_http_rate_limit_total`, `smg_admission_*`, `smg_scheduler_*`", "no admission limits yet"},
    {"`smg_http_inflight_request_age_count`", "requests in flight are counted, not aged"},
    {"`smg_router_request_body_path_total`, `smg_router_request_buffers_released_early_bytes_total`",
     "one body path: held until the answer begins, then released"},
    {"`smg_worker_cb_*`, `smg_worker_stall*`, `smg_worker_liveness_*`", "no circuit breaker yet"},
    {"`smg_worker_http2`, `smg_worker_routing_keys_active`, `smg_manual_policy_cache_entries`, `smg_policy_*`",
     "what they count is not told yet"},
    {"`smg_engine_pd_*`", "no prefill and decode workers behind `weir launch` yet"},
    {"`smg_pd_*`", "no prefill/decode pairs yet"},
    {"`smg_history_*`, `smg_db_*`, `smg_mcp_*`, `smg_discovery_*`, `smg_mm_*`, `router_mesh_*`",
     "those parts do not exist yet"},
};

std::string_view word(MetricKind kind) {
    if (kind == MetricKind::histogram) return "histogram";
    return kind == MetricKind::gauge || kind == MetricKind::level ? "gauge" : "counter";
}

std::string names_of(const MetricRow& row) {
    std::string text = "`";
    for (const char c : row.names) {
        if (c == ' ') text += "`, `";
        else text += c;
    }
    return text + "`";
}

std::string labels_of(const MetricRow& row) {
    std::string text;
    for (const char c : row.labels) {
        if (c == ',') text += ", ";
        else text += c;
    }
    return text;
}

}  // namespace

std::string metrics_markdown() {
    std::string out =
        "# Metrics\n\n"
        "Made from `src/obs/metric_list.h`; do not edit. `~` stands for `--metrics-prefix` and an underscore (`dynamo_frontend_` unless\n"
        "set). Both dialects export every name below. A series appears when what it counts first happens. A metric takes 1,000 label\n"
        "sets; those beyond share one row in which every label is `other`. Model names that no worker serves are counted as\n"
        "`unknown_model` under Dynamo's names, and as `other` (or `unknown`, when the request named none) under SMG's.\n\n"
        "| name | type | labels | buckets | what |\n|---|---|---|---|---|\n";
    for (const MetricRow& row : metric_rows()) {
        out.append("| ").append(names_of(row)).append(" | ").append(word(row.kind)).append(" | ").append(labels_of(row)).append(" | ");
        if (row.kind == MetricKind::histogram) out.append(row.buckets);
        out.append(" | ").append(row.help).append(" |\n");
    }
    out += "\n## Buckets\n\n`duration_s` is replaced by `--prometheus-duration-buckets`. Seconds for times, counts for tokens.\n\n"
           "| name | upper bounds |\n|---|---|\n";
    std::string seen = ",";
    for (const MetricRow& row : metric_rows()) {
        if (row.kind != MetricKind::histogram || seen.find("," + std::string(row.buckets) + ",") != std::string::npos) continue;
        seen.append(row.buckets).append(",");
        out.append("| ").append(row.buckets).append(" |");
        for (const uint64_t bound : metric_buckets(row.buckets)) {
            out += ' ';
            if (row.unit == MetricUnit::ns) append_number(out, static_cast<double>(bound) / 1e9);
            else append_number(out, bound);
        }
        out += " |\n";
    }
    out += "\n## Series of the peers that are not here\n\n| series | why |\n|---|---|\n";
    for (const Missing& row : missing) out.append("| ").append(row.series).append(" | ").append(row.why).append(" |\n");
    return out;
}

}  // namespace weir
