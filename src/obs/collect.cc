#include "obs/collect.h"

#include "obs/log.h"
#include "obs/process.h"

namespace weir {

void collect_process(Metrics& metrics) {
    const ProcessReading r = read_process();
    metrics.set(Metric::process_cpu, {}, r.cpu_user_s + r.cpu_system_s);
    metrics.set(Metric::process_fds, {}, r.fds);
    metrics.set(Metric::process_fds_max, {}, static_cast<double>(r.fds_max));
    metrics.set(Metric::process_rss, {}, static_cast<double>(r.rss_bytes));
    metrics.set(Metric::process_vm, {}, static_cast<double>(r.virtual_bytes));
    metrics.set(Metric::process_start, {}, r.start_unix_s);
    metrics.set(Metric::process_threads, {}, r.threads);
}

void collect_budget(Metrics& metrics, const Budget& budget) {
    metrics.set(Metric::budget_used, {budget.name()}, static_cast<double>(budget.used()));
    metrics.set(Metric::budget_limit, {budget.name()}, static_cast<double>(budget.limit()));
    metrics.set(Metric::budget_refused, {budget.name()}, static_cast<double>(budget.refused()));
}

void collect_log(Metrics& metrics, const AccessLog* access) {
    metrics.set(Metric::log_dropped, {"log"}, static_cast<double>(log_dropped()));
    if (access) metrics.set(Metric::log_dropped, {"access"}, static_cast<double>(access->dropped()));
}

void set_build_info(Metrics& metrics, std::string_view version, std::string_view revision) {
    metrics.set(Metric::build_info, {version, revision, "g++ " __VERSION__}, 1);
}

}  // namespace weir
