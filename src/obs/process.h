// Readings of our own process, from /proc and getrusage.
#pragma once
#include <cstdint>

namespace weir {

struct ProcessReading {
    uint64_t rss_bytes = 0, virtual_bytes = 0;
    uint32_t fds = 0, threads = 0;
    uint64_t fds_max = 0;            // soft RLIMIT_NOFILE
    double cpu_user_s = 0, cpu_system_s = 0;
    double start_unix_s = 0;         // when the process started
};
ProcessReading read_process();       // any thread, about 50 us; what cannot be read stays 0
uint64_t memory_total_bytes();       // min of RAM and the cgroup's limit (v2, v1)

}  // namespace weir
