#include "config/options/rows.h"

namespace weir::config {
namespace {
constexpr Str buckets = "bucket ranges from the environment", trace = "OpenTelemetry traces",
              records = "request traces and audit records";
#define BUCKETS(key, env, what) \
    later("metrics." key "_min", real(), "", buckets, "Smallest bucket of " what ".").fe("", "DYN_METRICS_" env "_MIN"), \
    later("metrics." key "_max", real(), "", buckets, "Largest bucket of " what ".").fe("", "DYN_METRICS_" env "_MAX"), \
    later("metrics." key "_count", integer(1, 64), "", buckets, "How many, of " what ".").fe("", "DYN_METRICS_" env "_COUNT")
constexpr Row metrics_table[] = {
    row("metrics.host", WEIR_FIELD(metrics.host), text(), "0.0.0.0", "Address of the metrics port.").la("--prometheus-host"),
    row("metrics.port", WEIR_FIELD(metrics.port), port(), "29000", "Port for /metrics alone; 0 lets the kernel choose.")
        .la("--prometheus-port"),
    row("metrics.prefix", WEIR_FIELD(metrics.prefix), text(), "dynamo_frontend", "First part of Dynamo's metric names.")
        .both("--metrics-prefix").fe("", "DYN_METRICS_PREFIX"),
    row("metrics.duration_buckets", WEIR_FIELD(metrics.duration_buckets_s), {.kind = Check::reals, .lo = 0, .hi = 1e9}, "",
        "Upper bounds of duration histograms, seconds, ascending; none: built in.").la("--prometheus-duration-buckets"),
    BUCKETS("request_duration", "REQUEST_DURATION", "request duration"),
    BUCKETS("input_sequence", "INPUT_SEQUENCE", "prompt length"),
    BUCKETS("output_sequence", "OUTPUT_SEQUENCE", "answer length"),
    BUCKETS("ttft", "TTFT", "time to first token"),
    BUCKETS("itl", "ITL", "time between tokens"),
    BUCKETS("embedding_latency", "EMBEDDING_LATENCY", "embedding latency"),
};
#undef BUCKETS
constexpr Row log_table[] = {
    row("log.level", WEIR_FIELD(log.spec), text(), "info", "Log level, or several: info,net=debug.")
        .everywhere("--log-level").fe("", "DYN_LOG").la("", "RUST_LOG").at(Reload::live),
    row("log.json", WEIR_FIELD(log.json), flag(), "false", "One JSON object a line.")
        .everywhere("--log-json").fe("", "DYN_LOGGING_JSONL"),
    row("log.dir", WEIR_FIELD(log.dir), file(), "", "Folder for log files; none: standard error.").everywhere("--log-dir"),
    row("log.local_time", WEIR_FIELD(log.local_time), flag(), "false", "Local time instead of UTC.")
        .fe("", "DYN_LOG_USE_LOCAL_TZ"),
    row("log.access", WEIR_FIELD(log.access), flag(), "true", "One line for each request.").everywhere("--access-log"),
};
constexpr Row trace_table[] = {
    later("trace.enable", flag(), "false", trace, "Send traces.").la("--enable-trace").fe("", "OTEL_EXPORT_ENABLED"),
    later("trace.endpoint", text(), "localhost:4317", trace, "Collector, host:port.").la("--otlp-traces-endpoint"),
    dormant("trace.otel_endpoint", text(), "OTEL_EXPORTER_OTLP_ENDPOINT", "Collector of all signals."),
    dormant("trace.otel_traces_endpoint", text(), "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "Collector of traces."),
    dormant("trace.otel_service", text(), "OTEL_SERVICE_NAME", "Name of this service in traces."),
    later("trace.requests", flag(), "false", records, "Record requests.").fe("", "DYN_REQUEST_TRACE"),
    later("trace.audit_sinks", text(), "", records, "Where audit records go.").fe("", "DYN_AUDIT_SINKS"),
    later("trace.audit_force", flag(), "false", records, "Record every request.").fe("", "DYN_AUDIT_FORCE_LOGGING"),
    later("trace.lora", flag(), "false", "LoRA adapters", "Fetch and serve LoRA adapters.").fe("", "DYN_LORA_ENABLED"),
    dormant("trace.lora_path", file(), "DYN_LORA_PATH", "Folder of fetched adapters."),
};
}  // namespace
std::span<const Row> metrics_rows() { return metrics_table; }
std::span<const Row> log_rows() { return log_table; }
std::span<const Row> trace_rows() { return trace_table; }

}  // namespace weir::config
