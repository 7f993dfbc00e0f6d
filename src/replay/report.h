// What a contest says to a reader: a table, JSON, a page with charts.
#pragma once
#include <string>

#include "replay/contest.h"

namespace weir::replay {

struct ReportStyle {
    std::string workload;                 // what was replayed, for titles
    bool measured = true;                 // with CPU times, which differ from run to run
};

std::string report_table(const Outcomes&, const Contest&, const ReportStyle&);
std::string report_json(const Outcomes&, const Contest&, const ReportStyle&);
std::string report_html(const Outcomes&, const Contest&, const ReportStyle&);   // self-contained, charts as inline SVG

}  // namespace weir::replay
