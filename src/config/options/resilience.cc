#include "config/options/rows.h"

namespace weir::config {
namespace {
constexpr Str retry = "retries", breaker = "circuit breakers", health = "health checks of workers",
              migration = "request migration", rl = "the RL control plane";
constexpr Row table[] = {
    later("resilience.retry_max", integer(0, 1'000), "5", retry, "Attempts for one request.")
        .la("--retry-max-retries").off_at("0 1"),
    later("resilience.retry_first_ms", integer(), "50", retry, "Pause before the first retry, ms.")
        .la("--retry-initial-backoff-ms"),
    later("resilience.retry_longest_ms", integer(), "30000", retry, "Longest pause, ms.").la("--retry-max-backoff-ms"),
    later("resilience.retry_multiplier", real(1), "1.5", retry, "Each pause is so many times the one before.")
        .la("--retry-backoff-multiplier"),
    later("resilience.retry_jitter", real(0, 1), "0.2", retry, "Random share added to a pause.").la("--retry-jitter-factor"),
    later("resilience.retry_off", flag(), "false", retry, "No retries.").la("--disable-retries").off_at("true"),
    later("resilience.breaker_failures", integer(1), "10", breaker, "Failures that open a worker's breaker.")
        .la("--cb-failure-threshold"),
    later("resilience.breaker_successes", integer(1), "3", breaker, "Successes that close it again.")
        .la("--cb-success-threshold"),
    later("resilience.breaker_open_s", integer(), "60", breaker, "Seconds until an open breaker is tried.")
        .la("--cb-timeout-duration-secs"),
    later("resilience.breaker_window_s", integer(1), "120", breaker, "Seconds in which failures are counted.")
        .la("--cb-window-duration-secs"),
    later("resilience.breaker_off", flag(), "false", breaker, "No circuit breakers.")
        .la("--disable-circuit-breaker").off_at("true"),
    later("resilience.health_failures", integer(1), "3", health, "Failed probes that make a worker unhealthy.")
        .la("--health-failure-threshold"),
    later("resilience.health_successes", integer(1), "2", health, "Good probes that make it healthy.")
        .la("--health-success-threshold"),
    later("resilience.health_timeout_s", integer(1), "5", health, "Time for a probe, seconds.").la("--health-check-timeout-secs"),
    later("resilience.health_interval_s", integer(1), "60", health, "Seconds between probes.").la("--health-check-interval-secs"),
    later("resilience.health_path", {.kind = Check::path}, "/health", health, "Path that is probed.")
        .la("--health-check-endpoint"),
    later("resilience.health_off", flag(), "false", health, "No probes.").la("--disable-health-check").off_at("true"),
    later("resilience.remove_unhealthy", flag(), "false", health, "Forget workers that stay unhealthy.")
        .la("--remove-unhealthy-workers --worker-auto-recovery"),
    later("resilience.migrations_max", integer(0, 4'294'967'295.0), "0", migration,
          "How often a request may move to another worker when its own goes away.")
        .fe("--migration-limit", "DYN_MIGRATION_LIMIT"),
    later("resilience.migration_tokens_max", integer(1, 4'294'967'295.0), "", migration, "Longer sequences do not move, tokens.")
        .fe("--migration-max-seq-len", "DYN_MIGRATION_MAX_SEQ_LEN"),
    later("resilience.rl", flag(), "false", rl, "Routes that steer engines during training.").la("--enable-rl"),
    later("resilience.rl_timeout_s", integer(), "600", rl, "Time for one steering call, seconds.")
        .la("--rl-control-timeout-secs"),
    later("resilience.rl_at_once", integer(1), "32", rl, "Steering calls at once.").la("--rl-fanout-concurrency"),
};
}  // namespace
std::span<const Row> resilience_rows() { return table; }

}  // namespace weir::config
