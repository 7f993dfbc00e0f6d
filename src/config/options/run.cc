#include "config/options/rows.h"

namespace weir::config {
namespace {
constexpr Row shutdown_table[] = {
    row("shutdown.grace_ms", WEIR_FIELD(shutdown.grace_ms), integer(0, 86'400'000), "5000",
          "How long open requests may take to finish.")
        .both("--shutdown-grace-period-secs", 1000)
        .fe({.env = "DYN_HTTP_GRACEFUL_SHUTDOWN_TIMEOUT_SECS", .scale = 1000}).la("", "", "180000").at(Reload::live),
    row("shutdown.settle_ms", WEIR_FIELD(shutdown.settle_ms), integer(0, 86'400'000), "0",
          "How long readiness answers 503 before the listeners close.")
        .both("--drain-settle-secs", 1000).la("", "", "5000").at(Reload::live),
};
constexpr Row run_table[] = {
    row("run.config", {}, file(), "", "YAML file with settings, by native key or by flag name.").everywhere("--config"),
    row("run.cores", WEIR_FIELD(run.cores), integer(0, 1'024), "0", "Threads that serve; 0: one for each hardware thread.")
        .everywhere("--cores"),
    row("run.dump_to", WEIR_FIELD(run.dump_to), file(), "", "Write every setting and where it comes from to this file.")
        .everywhere("--dump-config-to").fe("", "DYN_DUMP_CONFIG_TO"),
    row("run.compat_defaults", WEIR_FIELD(run.compat_defaults), choice("1.6.1"), "",
          "Defaults of that Dynamo release, where they changed.")
        .fe("--compat-defaults", ""),
    later("run.worker_threads", integer(1), "", "the number of runtime threads (use --cores)", "Threads of the runtime.")
        .la("--runtime-worker-threads"),
};
}  // namespace
std::span<const Row> shutdown_rows() { return shutdown_table; }
std::span<const Row> run_rows() { return run_table; }

}  // namespace weir::config
