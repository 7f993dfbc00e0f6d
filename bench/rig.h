// What the three programs of the rig share: time, sockets, command lines. One thread each; mistakes in use end the program.
#pragma once
#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>
#include <string_view>

namespace weir::bench {

inline uint64_t now_ns() {
    timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return static_cast<uint64_t>(t.tv_sec) * 1'000'000'000u + static_cast<uint64_t>(t.tv_nsec);
}

[[noreturn]] inline void quit(const std::string& why) {
    std::fprintf(stderr, "%s\n", why.c_str());
    std::exit(2);
}

// Command line as `--flag value` pairs and bare switches.
class Arguments {
public:
    Arguments(int argc, char** argv) : argc_(argc), argv_(argv) {}
    bool next() { return ++at_ < argc_; }
    std::string_view flag() const { return argv_[at_]; }
    std::string text() {
        std::string name(flag());
        if (!next()) quit(name + " needs a value");
        return argv_[at_];
    }
    double real() {
        std::string name(flag()), given = text();
        char* end = nullptr;
        double value = std::strtod(given.c_str(), &end);
        if (given.empty() || *end || value < 0) quit(name + ": not a number: " + given);
        return value;
    }
    int number() { return static_cast<int>(real()); }
    uint16_t port() {
        std::string name(flag());
        int value = number();
        if (value < 1 || value > 65535) quit(name + ": not a port");
        return static_cast<uint16_t>(value);
    }
    [[noreturn]] void unknown() const { quit("unknown flag " + std::string(flag())); }

private:
    int argc_, at_ = 0;
    char** argv_;
};

inline sockaddr_in loopback(uint16_t port) {
    sockaddr_in at{};
    at.sin_family = AF_INET;
    at.sin_port = htons(port);
    at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    return at;
}

inline void no_delay(int fd) {
    int one = 1;
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
}

inline int listen_on(uint16_t port) {
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0), one = 1;
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
    sockaddr_in at = loopback(port);
    if (bind(fd, reinterpret_cast<sockaddr*>(&at), sizeof at) || listen(fd, 4096))
        quit("port " + std::to_string(port) + ": " + std::strerror(errno));
    return fd;
}

// A socket on its way to 127.0.0.1:port, or -1 with errno set.
inline int connect_to(uint16_t port) {
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0) return -1;
    no_delay(fd);
    sockaddr_in at = loopback(port);
    if (connect(fd, reinterpret_cast<sockaddr*>(&at), sizeof at) == 0 || errno == EINPROGRESS) return fd;
    int why = errno;
    close(fd);
    errno = why;
    return -1;
}

inline int accept_from(int listener) {
    int fd = accept4(listener, nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (fd >= 0) no_delay(fd);
    return fd;
}

inline void watch(int epoll, int operation, int fd, uint32_t events, void* who) {
    epoll_event event{};
    event.events = events;
    event.data.ptr = who;
    epoll_ctl(epoll, operation, fd, &event);
}

inline int wait_for(int epoll, epoll_event* events, int events_max, uint64_t ns) {
    timespec t{static_cast<time_t>(ns / 1'000'000'000u), static_cast<long>(ns % 1'000'000'000u)};
    return epoll_pwait2(epoll, events, events_max, &t, nullptr);
}

// Broken pipes are return values; as many descriptors as the system grants.
inline void settle_in() {
    std::signal(SIGPIPE, SIG_IGN);
    rlimit files{};
    getrlimit(RLIMIT_NOFILE, &files);
    files.rlim_cur = files.rlim_max;
    setrlimit(RLIMIT_NOFILE, &files);
}

}  // namespace weir::bench
