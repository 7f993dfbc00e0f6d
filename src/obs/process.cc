#include "obs/process.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <string>
#include <string_view>

namespace weir {
namespace {

// Start of a /proc or cgroup file; empty when it cannot be read.
std::string_view read_file(const char* path, char* buffer, size_t bytes) {
    const int fd = ::open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) return {};
    const ssize_t n = ::read(fd, buffer, bytes);
    ::close(fd);
    return n > 0 ? std::string_view(buffer, static_cast<size_t>(n)) : std::string_view();
}

uint64_t number_at(std::string_view text) {
    uint64_t value = 0;
    std::from_chars(text.data(), text.data() + text.size(), value);
    return value;
}

std::string_view field(std::string_view text, unsigned index) {   // space separated, from 0
    while (index-- > 0 && !text.empty()) text.remove_prefix(std::min(text.find(' ') + 1, text.size()));
    return text.substr(0, text.find(' '));
}

uint32_t count_fds() {
    DIR* dir = ::opendir("/proc/self/fd");
    if (!dir) return 0;
    uint32_t n = 0;
    while (const dirent* entry = ::readdir(dir))
        if (entry->d_name[0] != '.') ++n;
    ::closedir(dir);
    return n > 0 ? n - 1 : 0;                        // our own directory handle
}

double boot_unix_s() {
    char buffer[16'384];                             // btime stands after one line per processor
    const int fd = ::open("/proc/stat", O_RDONLY | O_CLOEXEC);
    if (fd < 0) return 0;
    std::string carry;
    for (ssize_t n; (n = ::read(fd, buffer, sizeof buffer)) > 0;) {
        carry.append(buffer, static_cast<size_t>(n));
        if (carry.size() > 1u << 20) break;
    }
    ::close(fd);
    const size_t at = carry.find("\nbtime ");
    return at == std::string::npos ? 0 : static_cast<double>(number_at(std::string_view(carry).substr(at + 7)));
}

double seconds(const timeval& t) { return static_cast<double>(t.tv_sec) + static_cast<double>(t.tv_usec) * 1e-6; }

}  // namespace

ProcessReading read_process() {
    ProcessReading r;
    char buffer[2'048];
    const auto page = static_cast<uint64_t>(::sysconf(_SC_PAGESIZE));
    if (std::string_view statm = read_file("/proc/self/statm", buffer, sizeof buffer); !statm.empty()) {
        r.virtual_bytes = number_at(field(statm, 0)) * page;
        r.rss_bytes = number_at(field(statm, 1)) * page;
    }
    if (std::string_view stat = read_file("/proc/self/stat", buffer, sizeof buffer); stat.rfind(')') != std::string_view::npos) {
        stat.remove_prefix(std::min(stat.rfind(')') + 2, stat.size()));   // the program's name may hold spaces
        r.threads = static_cast<uint32_t>(number_at(field(stat, 17)));    // field 20 of proc(5)
        static const double boot_s = boot_unix_s();
        const double ticks = static_cast<double>(::sysconf(_SC_CLK_TCK));
        if (boot_s > 0) r.start_unix_s = boot_s + static_cast<double>(number_at(field(stat, 19))) / ticks;
    }
    r.fds = count_fds();
    rlimit limit{};
    if (::getrlimit(RLIMIT_NOFILE, &limit) == 0) r.fds_max = limit.rlim_cur;
    rusage usage{};
    if (::getrusage(RUSAGE_SELF, &usage) == 0) {
        r.cpu_user_s = seconds(usage.ru_utime);
        r.cpu_system_s = seconds(usage.ru_stime);
    }
    return r;
}

uint64_t memory_total_bytes() {
    uint64_t total = static_cast<uint64_t>(::sysconf(_SC_PHYS_PAGES)) * static_cast<uint64_t>(::sysconf(_SC_PAGESIZE));
    char buffer[64];
    for (const char* path : {"/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes"}) {
        const uint64_t limit = number_at(read_file(path, buffer, sizeof buffer));   // "max" reads as 0
        if (limit > 0) total = std::min(total, limit);
    }
    return total;
}

}  // namespace weir
