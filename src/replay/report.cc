#include "replay/report.h"

#include <cstdio>

#include "wire/json_write.h"

namespace weir::replay {
namespace {

std::string fixed(double value, int digits) {
    char text[64];
    std::snprintf(text, sizeof text, "%.*f", digits, value);
    return text;
}
double rounded(double value, int digits) { return std::stod(fixed(value, digits)); }

void put(JsonWriter& w, std::string_view name, const Percentiles& p) {
    w.key(name).object().member("p50", rounded(p.p50, 3)).member("p90", rounded(p.p90, 3)).member("p99", rounded(p.p99, 3)).end_object();
}

void put(JsonWriter& w, const Figures& f, bool measured) {
    w.key(f.policy).object();
    put(w, "ttft_ms", f.ttft_ms);
    put(w, "itl_ms", f.itl_ms);
    w.member("hit_rate", rounded(f.hit_rate, 5)).member("throughput_tokens_per_s", rounded(f.throughput_tokens_per_s, 2));
    w.member("load_cv", rounded(f.load_cv, 5)).member("ttft_mean_ms", rounded(f.ttft_mean_ms, 3));
    w.member("requests", f.requests).member("finished", f.finished).member("refused", f.refused).member("rerouted", f.rerouted);
    w.member("preemptions", f.preemptions).member("seconds", rounded(f.virtual_s, 3)).member("leaked", f.leaked);
    if (f.queued) w.member("queued", f.queued);
    w.member("index_bytes", f.index_bytes).member("index_blocks", f.index_blocks).member("active_bytes", f.active_bytes);
    if (measured) w.member("router_cpu_us", rounded(f.router_us, 3)).member("simulation_cpu_s", rounded(f.wall_s, 2));
    w.end_object();
}

void put(JsonWriter& w, const Round& round, bool measured) {
    if (round.load > 0) w.member("load", round.load);
    w.member("requests_per_s", rounded(round.rate, 4));
    w.key("policies").object();
    for (const Figures& f : round.figures) put(w, f, measured);
    w.end_object();
}

}  // namespace

std::string report_json(const Outcomes& o, const Contest& contest, const ReportStyle& style) {
    std::string out;
    JsonWriter w(out);
    w.object().member("workload", style.workload).member("requests", o.requests).member("copies", o.copies);
    w.member("prompt_tokens_mean", rounded(o.prompt_mean, 2)).member("output_tokens_mean", rounded(o.out_mean, 2));
    w.member("workers", contest.setup.fleet.workers).member("decode_workers", contest.setup.fleet.decode).member("seed", contest.setup.seed);
    if (o.capacity > 0) w.member("capacity_requests_per_s", rounded(o.capacity, 4));
    if (o.rounds.size() == 1) {
        put(w, o.rounds[0], style.measured);
    } else {
        w.key("runs").array();
        for (const Round& round : o.rounds) {
            w.object();
            put(w, round, style.measured);
            w.end_object();
        }
        w.end_array();
    }
    w.end_object();
    return out + "\n";
}

std::string report_table(const Outcomes& o, const Contest& contest, const ReportStyle& style) {
    std::string out = style.workload + ": " + std::to_string(o.requests) + " requests, prompts of " + fixed(o.prompt_mean, 0) + " tokens, answers of " +
                      fixed(o.out_mean, 0) + ", " + std::to_string(contest.setup.fleet.workers) +
                      (contest.setup.fleet.decode ? " prefill and " + std::to_string(contest.setup.fleet.decode) + " decode workers" : " workers");
    if (o.copies > 1) out += ", " + std::to_string(o.copies) + " copies at once";
    out += "\n";
    if (o.capacity > 0) out += "capacity " + fixed(o.capacity, 2) + " requests/s (round_robin keeps p90 TTFT below 10 s)\n";
    char line[400];
    for (const Round& round : o.rounds) {
        out += "\n" + (round.load > 0 ? "load " + fixed(round.load * 100, 0) + " %, " : std::string()) + fixed(round.rate, 2) + " requests/s\n";
        std::snprintf(line, sizeof line, "%-28s %10s %10s %10s %8s %8s %8s %7s %10s %7s", "policy", "TTFT p50", "p90", "p99 ms", "ITL p50", "p90",
                      "p99 ms", "hits %", "tokens/s", "load cv");
        out += line;
        if (style.measured) out += "  CPU us";
        out += "  index MB\n";
        for (const Figures& f : round.figures) {
            std::snprintf(line, sizeof line, "%-28s %10.0f %10.0f %10.0f %8.1f %8.1f %8.1f %7.1f %10.0f %7.3f", f.policy.c_str(), f.ttft_ms.p50,
                          f.ttft_ms.p90, f.ttft_ms.p99, f.itl_ms.p50, f.itl_ms.p90, f.itl_ms.p99, f.hit_rate * 100, f.throughput_tokens_per_s,
                          f.load_cv);
            out += line;
            if (style.measured) out += "  " + std::string(6 - std::min<size_t>(6, fixed(f.router_us, 1).size()), ' ') + fixed(f.router_us, 1);
            std::snprintf(line, sizeof line, "  %8.1f\n", static_cast<double>(f.index_bytes) / (1 << 20));
            out += line;
            if (f.refused) out += "    refused: " + std::to_string(f.refused) + "\n";
            if (f.rerouted) out += "    sent again to another worker: " + std::to_string(f.rerouted) + "\n";
        }
    }
    return out;
}

}  // namespace weir::replay
