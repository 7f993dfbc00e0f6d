#include "replay/replay.h"

#include "replay/decisions.h"

#include <cstdio>
#include <fstream>
#include <sstream>

namespace weir::replay {
namespace {

int complain(const Failure& failure) {
    std::fprintf(stderr, "weir replay: %s\n", failure->message.c_str());
    return failure->code == Code::bad_field ? 2 : 1;
}

Result<void> write_file(const std::string& path, const std::string& text) {
    std::ofstream out(path, std::ios::binary);
    out << text;
    out.close();
    return out ? Result<void>() : Failure(Code::internal, path + " cannot be written");
}

Result<std::string> read_file(const std::string& path) {
    std::ifstream in(path, std::ios::binary);
    if (!in) return Failure(Code::bad_field, path + " cannot be read");
    std::ostringstream text;
    text << in.rdbuf();
    return text.str();
}

int decide(const Settings& s) {
    auto log = read_file(s.decisions);
    if (!log) return complain(log.error());
    for (const Contestant& policy : s.contest.policies) {
        auto second = decide_again(*log, policy, s.contest.setup.policy, s.contest.setup.seed);
        if (!second) return complain(Failure(Code::bad_field, s.decisions + ": " + second.error()->message));
        std::fputs(second_text(*second, policy).c_str(), stdout);
    }
    return 0;
}

std::string last_name(const std::string& path) { return path.substr(path.find_last_of('/') + 1); }

}  // namespace

Result<Workload> load_workload(const Settings& s, std::string& title) {
    Workload all;
    if (!s.trace.empty()) {
        TRY(const std::string text, read_file(s.trace));
        auto read = read_trace(text, s.contest.setup.seed);
        if (!read) return Failure(Code::bad_field, s.trace + ": " + read.error()->message);
        all = *std::move(read);
        title = last_name(s.trace);
    } else {
        TRY(const SyntheticLoad load, parse_synthetic(s.synthetic));
        all = synthetic(load, s.contest.setup.seed);
        title = "synthetic " + s.synthetic;
    }
    if (s.from == 0 && s.to == 1) return all;
    Workload part = part_of(all, s.from, s.to);
    if (part.requests.empty()) return Failure(Code::bad_field, "--part: holds no request");
    char text[64];
    std::snprintf(text, sizeof text, " (%g to %g)", s.from, s.to);
    title += text;
    return part;
}

int run(const config::ToolCall& call) {
    auto settings = settings_of(call);
    if (!settings) return complain(settings.error());
    if (!settings->decisions.empty()) return decide(*settings);
    ReportStyle style;
    style.measured = settings->measured;
    auto workload = load_workload(*settings, style.workload);
    if (!workload) return complain(workload.error());
    auto note = [&](const std::string& line) {
        if (!settings->quiet) std::fprintf(stderr, "%s\n", line.c_str());
    };
    auto outcomes = run_contest(*workload, settings->contest, note);
    if (!outcomes) return complain(outcomes.error());
    std::fputs(report_table(*outcomes, settings->contest, style).c_str(), stdout);
    for (const auto& [path, text] : {std::pair{settings->json, &report_json}, std::pair{settings->html, &report_html}}) {
        if (path.empty()) continue;
        if (auto written = write_file(path, text(*outcomes, settings->contest, style)); !written) return complain(written.error());
    }
    return 0;
}

}  // namespace weir::replay
