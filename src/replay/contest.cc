#include "replay/contest.h"

#include <algorithm>
#include <cstdio>

namespace weir::replay {
namespace {

std::string text_of(const char* format, auto... values) {
    char line[200];
    std::snprintf(line, sizeof line, format, values...);
    return line;
}

// False: too many waited too long.
Result<bool> bears(const Workload& workload, const Contest& contest, double rate) {
    Setup setup = contest.setup;
    setup.faults = {};
    setup.give_up_ttft_ms = capacity_ttft_ms;
    TRY(const Contestant plain, parse_contestant("round_robin"));
    TRY(const Figures f, simulate(workload, arrange(workload, rate, copies_of(contest), contest.repeat), plain, setup));
    return !f.gave_up && f.finished > 0 && f.ttft_ms.p90 < capacity_ttft_ms;
}

}  // namespace

uint32_t copies_of(const Contest& contest) {
    return contest.copies ? contest.copies : std::max(1u, (contest.setup.fleet.workers + 7) / 8);
}

Result<double> find_capacity(const Workload& workload, const Contest& contest, const std::function<void(const std::string&)>& note) {
    const sim::EngineParams& e = contest.setup.engine;
    double prompt = 0;
    for (const Request& r : workload.requests) prompt += r.prompt_tokens;
    prompt /= static_cast<double>(workload.requests.size());
    const double step_ms = e.timing.prefill_ms({e.max_num_batched_tokens, 0, 0, 0}) + e.timing.decode_ms({0, 1, 0, 0.5});
    double low = 0, high = 0, rate = contest.setup.fleet.workers * (e.max_num_batched_tokens / step_ms * 1e3) / prompt / 2;
    constexpr double lowest = 1e-6, close = 1.02;
    while (low == 0 || high == 0 || high > low * close) {
        TRY(const bool fine, bears(workload, contest, rate));
        if (note) note(text_of("capacity: %.3f requests/s is %s", rate, fine ? "borne" : "too much"));
        (fine ? low : high) = rate;
        if (low > 0 && high > 0) rate = (low + high) / 2;
        else rate = fine ? rate * 1.6 : rate / 1.6;
        if (rate < lowest) return Failure(Code::bad_field, "even the slowest pace is too much for these engines");
        if (rate > 1e9) return Failure(Code::bad_field, "no pace is too much for these engines: give --rate");
    }
    return low;
}

Result<Outcomes> run_contest(const Workload& workload, const Contest& contest, const std::function<void(const std::string&)>& note) {
    Outcomes out;
    out.copies = copies_of(contest);
    out.requests = workload.requests.size() * out.copies * contest.repeat;
    for (const Request& r : workload.requests) out.prompt_mean += r.prompt_tokens, out.out_mean += r.out_tokens;
    out.prompt_mean /= static_cast<double>(workload.requests.size()), out.out_mean /= static_cast<double>(workload.requests.size());
    if (contest.rate <= 0) {
        TRY(out.capacity, find_capacity(workload, contest, note));
    }
    for (const double load : contest.rate > 0 ? std::vector<double>{0} : contest.loads) {
        Round round{load, contest.rate > 0 ? contest.rate : load * out.capacity, {}};
        const std::vector<Arrival> arrivals = arrange(workload, round.rate, out.copies, contest.repeat);
        for (const Contestant& policy : contest.policies) {
            TRY(Figures f, simulate(workload, arrivals, policy, contest.setup));
            if (note) note(text_of("%s at %.3f requests/s: TTFT p90 %.0f ms, %.1f s", f.policy.c_str(), round.rate, f.ttft_ms.p90, f.wall_s));
            round.figures.push_back(std::move(f));
        }
        out.rounds.push_back(std::move(round));
    }
    return out;
}

}  // namespace weir::replay
