// Ready-made collectors: what others hold, set as levels before a scrape. For Metrics::on_scrape.
#pragma once
#include "base/budget.h"
#include "obs/access_log.h"
#include "obs/metrics.h"

namespace weir {

void collect_process(Metrics&);                              // process_*
void collect_budget(Metrics&, const Budget&);                // weir_budget_*
void collect_log(Metrics&, const AccessLog* access);         // smg_log_dropped_lines; `access` may be null
void set_build_info(Metrics&, std::string_view version, std::string_view revision);   // once, at start

}  // namespace weir
