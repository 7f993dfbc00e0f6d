// One core on real sockets, driven by a test: coroutines are spawned, the loop turns until they are done.
#pragma once
#include <fcntl.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

#include <utility>

#include "net/core.h"
#include "net/transport.h"

namespace weir::test {

struct NetLoop {
    explicit NetLoop(Clock& clock = system_clock()) : core(0, clock, std::make_unique<EpollPoller>(), 7) {}
    Core core;
    Core::Enter enter{core};
    Nursery tasks;

    ~NetLoop() { tasks.cancel(); }
    // Turns until `done` says so. The bound only ends a test that would hang.
    template <class Done>
    bool until(Done done, uint64_t bound_ms = 60'000) {
        Instant end = system_clock().now() + bound_ms * ns_per_ms;
        while (!done()) {
            if (system_clock().now() > end) return false;
            core.turn(20);
        }
        return true;
    }
    bool settle() {
        return until([this] { return tasks.size() == 0; });
    }
};

struct ListenSocket {
    int fd;
    uint16_t port = 0;
    ListenSocket() : fd(::socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0)) {
        sockaddr_in a{};
        a.sin_family = AF_INET;
        a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        socklen_t n = sizeof a;
        EXPECT_EQ(::bind(fd, reinterpret_cast<sockaddr*>(&a), n), 0);
        EXPECT_EQ(::listen(fd, 128), 0);
        getsockname(fd, reinterpret_cast<sockaddr*>(&a), &n);
        port = ntohs(a.sin_port);
    }
    ~ListenSocket() { ::close(fd); }
};

// Two connected TCP sockets, non-blocking.
inline std::pair<int, int> tcp_pair() {
    ListenSocket listener;
    int client = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_in a{};
    a.sin_family = AF_INET;
    a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    a.sin_port = htons(listener.port);
    EXPECT_EQ(::connect(client, reinterpret_cast<sockaddr*>(&a), sizeof a), 0);
    int server = ::accept4(listener.fd, nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC);
    EXPECT_GE(server, 0);
    ::fcntl(client, F_SETFL, O_NONBLOCK);
    int one = 1;
    setsockopt(client, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    setsockopt(server, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    return {server, client};
}

// The same of unix sockets: what was written at once can be read at once.
inline std::pair<int, int> unix_pair() {
    int fds[2] = {-1, -1};
    EXPECT_EQ(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fds), 0);
    return {fds[0], fds[1]};
}

}  // namespace weir::test
