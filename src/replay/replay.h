// The command `weir replay`: its settings from a command line, and its run.
#pragma once
#include "config/tools.h"
#include "replay/contest.h"
#include "replay/report.h"

namespace weir::replay {

struct Settings {
    std::string trace, synthetic, decisions;   // one of them
    double from = 0, to = 1;                   // part of the requests
    std::string json, html;                    // files to write; empty: none
    bool quiet = false, measured = true;
    Contest contest;
};
// Code::bad_field names the flag.
Result<Settings> settings_of(const config::ToolCall&);
Result<Workload> load_workload(const Settings&, std::string& title);

int run(const config::ToolCall&);              // prints; the process's exit code

}  // namespace weir::replay
