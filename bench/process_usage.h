// CPU time and memory of a process and everything it started, from /proc.
#pragma once
#include <vector>

namespace weir::bench {

struct Usage {
    double user_s = 0, kernel_s = 0;
    long rss_kb = 0;
    int threads = 0;
};

std::vector<int> family(int pid);               // pid and all its descendants; empty when pid is 0
Usage usage(const std::vector<int>& pids);      // sums; processes that ended count nothing

}  // namespace weir::bench
