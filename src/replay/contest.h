// Several policies on the same arrivals, at one or more shares of what the fleet can take.
#pragma once
#include <functional>
#include <string>
#include <vector>

#include "replay/simulator.h"

namespace weir::replay {

struct Contest {
    std::vector<Contestant> policies;
    std::vector<double> loads{0.8};       // fractions of capacity
    double rate = 0;                      // requests a second instead; 0: by load
    uint32_t copies = 0;                  // of the workload at once; 0: one for each eight workers
    uint32_t repeat = 1;
    Setup setup;
};

struct Round {
    double load = 0, rate = 0;            // load 0: the rate was given
    std::vector<Figures> figures;         // as Contest::policies
};

struct Outcomes {
    double capacity = 0;                  // requests a second; 0: not looked for
    uint32_t copies = 1;
    uint64_t requests = 0;
    double prompt_mean = 0, out_mean = 0;
    std::vector<Round> rounds;
};

inline constexpr double capacity_ttft_ms = 10'000;

// The highest rate at which round_robin keeps the 90th percentile of TTFT below capacity_ttft_ms, within 2 %. By bisection, without
// faults.
Result<double> find_capacity(const Workload&, const Contest&, const std::function<void(const std::string&)>& note);
uint32_t copies_of(const Contest&);

// `note` hears of progress, a line at a time.
Result<Outcomes> run_contest(const Workload&, const Contest&, const std::function<void(const std::string&)>& note);

}  // namespace weir::replay
