#include "bench/process_usage.h"

#include <dirent.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <map>
#include <string>

namespace weir::bench {
namespace {

// The fields of /proc/PID/stat behind the command name, which may contain anything; empty when the process is gone.
std::string stat_of(int pid) {
    std::ifstream file("/proc/" + std::to_string(pid) + "/stat");
    std::string line;
    std::getline(file, line);
    size_t end = line.rfind(')');
    return end == line.npos ? "" : line.substr(end + 2);
}

}  // namespace

std::vector<int> family(int pid) {
    if (pid == 0) return {};
    std::map<int, std::vector<int>> children;
    DIR* proc = opendir("/proc");
    while (dirent* entry = readdir(proc)) {
        int child = std::atoi(entry->d_name), parent = 0;
        if (child && std::sscanf(stat_of(child).c_str(), "%*c %d", &parent) == 1) children[parent].push_back(child);
    }
    closedir(proc);
    std::vector<int> members{pid};
    for (size_t i = 0; i < members.size(); ++i)
        for (int child : children[members[i]]) members.push_back(child);
    return members;
}

Usage usage(const std::vector<int>& pids) {
    static const double tick_s = 1.0 / static_cast<double>(sysconf(_SC_CLK_TCK));
    Usage sum;
    for (int pid : pids) {
        unsigned long user = 0, kernel = 0;
        std::sscanf(stat_of(pid).c_str(), "%*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %lu %lu", &user, &kernel);
        sum.user_s += static_cast<double>(user) * tick_s;
        sum.kernel_s += static_cast<double>(kernel) * tick_s;
        std::ifstream status("/proc/" + std::to_string(pid) + "/status");
        for (std::string line; std::getline(status, line);) {
            if (line.starts_with("VmRSS:")) sum.rss_kb += std::atol(line.c_str() + 6);
            if (line.starts_with("Threads:")) sum.threads += std::atoi(line.c_str() + 8);
        }
    }
    return sum;
}

}  // namespace weir::bench
