#include "config/options/rows.h"

namespace weir::config {
namespace {
constexpr double day_ms = 86'400'000;
constexpr Row seconds(Str key, Field field, Str def_ms, Str flags, Str help) {
    return row(key, field, integer(0, day_ms), def_ms, help).both(flags, 1000).at(Reload::new_requests);
}
constexpr Row rows[] = {
    row("limits.body_max", WEIR_FIELD(limits.body_max), size(1, 4'294'967'295.0), "201326592",
          "Largest request body, bytes; 413 beyond.")
        .both("--max-payload-size").fe({.env = "DYN_HTTP_BODY_LIMIT_MB", .def = "192", .scale = 1 << 20}).compat_is("45")
        .la("", "", "536870912").at(Reload::new_requests),
    row("limits.memory", WEIR_FIELD(limits.memory), size(), "0",
          "Memory that all budgets share, bytes; 0: what the machine or container has.")
        .both("--memory-limit"),
    seconds("limits.head_ms", WEIR_FIELD(limits.head_ms), "30000", "--header-read-timeout-secs",
          "Time for a whole request head; 0: none.")
        .at(Reload::new_connections),
    seconds("limits.idle_ms", WEIR_FIELD(limits.idle_ms), "90000", "--idle-connection-timeout-secs",
          "Close a connection without a request after this; 0: never.")
        .at(Reload::new_connections),
    seconds("limits.body_stall_ms", WEIR_FIELD(limits.body_stall_ms), "30000", "--stream-body-stall-timeout-secs",
            "Give up on a request body of which nothing arrives for so long; 0: never.").la("", "", "300000"),
    seconds("limits.body_total_ms", WEIR_FIELD(limits.body_total_ms), "300000", "--body-timeout-secs",
          "Time for a whole request body; 0: none."),
    seconds("limits.write_stall_ms", WEIR_FIELD(limits.write_stall_ms), "60000", "--write-stall-timeout-secs",
          "Give up on a client that takes no byte for so long; 0: never."),
    seconds("limits.request_ms", WEIR_FIELD(limits.request_ms), "0", "--request-timeout-secs",
          "Time for a whole request at the worker; 0: none.")
        .la("", "", "1800000"),
    seconds("limits.connect_ms", WEIR_FIELD(limits.connect_ms), "10000", "--connect-timeout-secs",
          "Time to connect to a worker; 0: as long as the kernel tries."),
    seconds("limits.first_byte_ms", WEIR_FIELD(limits.first_byte_ms), "0", "--first-byte-timeout-secs",
          "Time from a sent request to the worker's response head; 0: none."),
    seconds("limits.stream_idle_ms", WEIR_FIELD(limits.stream_idle_ms), "0", "--stream-idle-timeout-secs",
          "Give up on a worker's response that pauses for so long; 0: never.")
        .fe({.env = "DYN_HTTP_BACKEND_STREAM_TIMEOUT_SECS", .scale = 1000}),
    row("limits.connect_attempts", WEIR_FIELD(limits.connect_attempts), integer(1, 32), "3",
          "Workers tried for a request of which nothing was sent yet.")
        .both("--connect-attempts").at(Reload::new_requests),
};

constexpr Str gate = "the request limit and its queue", priority = "the priority scheduler", tenant = "tenant rate limits";
constexpr Row admission_table[] = {
    later("admission.requests_max", integer(-1), "-1", gate, "Requests under way at most; -1: no bound.")
        .la("--max-concurrent-requests").off_at("0"),
    later("admission.queue_max", integer(), "100", gate, "Requests that may wait beyond that.").la("--queue-size"),
    later("admission.queue_timeout_s", integer(), "60", gate, "How long, seconds.").la("--queue-timeout-secs"),
    later("admission.tokens_per_s", or_none(integer()), "", "the request rate limit",
          "Requests let in per second; none: as --max-concurrent-requests.")
        .la("--rate-limit-tokens-per-second").off_at("0"),
    later("admission.buffered_max", integer(), "1048576", "buffering for retries", "Bytes of a body kept for a retry.")
        .la("--max-buffered-request-bytes").off_at("0"),
    later("admission.stream_bodies_over", integer(), "", "streaming of request bodies",
          "Larger bodies are passed on as they arrive, bytes.")
        .la("--stream-request-bodies-over"),
    later("admission.background_max", integer(), "1024", "background responses", "Background responses under way.")
        .la("--max-background-responses"),
    later("admission.priority", flag(), "false", priority, "Let requests in by class.").la("--priority-scheduler-enabled"),
    later("admission.priority_max_class", choice("| system interactive default bulk"), "default", "highest class",
          "Highest class of a tenant that is not listed.")
        .la("--priority-scheduler-default-max-class"),
    later("admission.priority_config", file(), "", priority, "Its YAML file.").la("--priority-scheduler-config"),
    later("admission.priority_tenants_shown", integer(), "32", priority, "Tenants with metrics of their own.")
        .la("--priority-scheduler-tenant-metric-top-n"),
    later("admission.tenant_rate", flag(), "false", tenant, "Limit tokens and requests of each tenant.")
        .la("--tenant-rate-limit-enabled"),
    later("admission.tenant_rate_config", file(), "", tenant, "Its YAML file.").la("--tenant-rate-limit-config"),
};
}  // namespace
std::span<const Row> limits_rows() { return rows; }
std::span<const Row> admission_rows() { return admission_table; }

}  // namespace weir::config
