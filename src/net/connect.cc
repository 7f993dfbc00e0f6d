// Address literals, and a connected socket out of a list of addresses.
#include <arpa/inet.h>
#include <net/if.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <cstddef>
#include <cstring>

#include "net/resolver.h"

namespace weir {
namespace {

constexpr uint64_t attempt_ms_min = 250;       // what one address gets of a short budget
constexpr uint64_t unix_backlog_retry_ms = 5;  // a full backlog of a unix socket says EAGAIN and tells nobody when it clears

}  // namespace

std::string Address::text() const {
    char text[INET6_ADDRSTRLEN] = {};
    if (storage.ss_family == AF_INET) {
        auto& v4 = reinterpret_cast<const sockaddr_in&>(storage);
        inet_ntop(AF_INET, &v4.sin_addr, text, sizeof text);
        return std::string(text) + ":" + std::to_string(ntohs(v4.sin_port));
    }
    if (storage.ss_family == AF_INET6) {
        auto& v6 = reinterpret_cast<const sockaddr_in6&>(storage);
        inet_ntop(AF_INET6, &v6.sin6_addr, text, sizeof text);
        return "[" + std::string(text) + "]:" + std::to_string(ntohs(v6.sin6_port));
    }
    if (storage.ss_family == AF_UNIX) return "unix:" + std::string(reinterpret_cast<const sockaddr_un&>(storage).sun_path);
    return "none";
}

Result<Address> parse_address(const std::string& literal, uint16_t port) {
    Address a;
    auto& v4 = reinterpret_cast<sockaddr_in&>(a.storage);
    if (inet_pton(AF_INET, literal.c_str(), &v4.sin_addr) == 1) {
        v4.sin_family = AF_INET;
        v4.sin_port = htons(port);
        a.length = sizeof v4;
        return a;
    }
    auto& v6 = reinterpret_cast<sockaddr_in6&>(a.storage);
    a.storage = {};
    size_t zone = literal.find('%');   // fe80::1%eth0
    if (inet_pton(AF_INET6, literal.substr(0, zone).c_str(), &v6.sin6_addr) != 1)
        return Failure(Code::bad_field, "not an IPv4 or IPv6 address: " + literal);
    if (zone != std::string::npos) {
        v6.sin6_scope_id = if_nametoindex(literal.c_str() + zone + 1);
        if (v6.sin6_scope_id == 0) return Failure(Code::bad_field, "no such network interface: " + literal.substr(zone + 1));
    }
    v6.sin6_family = AF_INET6;
    v6.sin6_port = htons(port);
    a.length = sizeof v6;
    return a;
}

Result<Address> unix_address(const std::string& path) {
    Address a;
    auto& un = reinterpret_cast<sockaddr_un&>(a.storage);
    if (path.empty() || path.size() >= sizeof un.sun_path || path.find('\0') != std::string::npos)
        return Failure(Code::bad_field, "a unix socket path has 1 to " + std::to_string(sizeof un.sun_path - 1) + " bytes: " + path);
    un.sun_family = AF_UNIX;
    std::memcpy(un.sun_path, path.data(), path.size());
    a.length = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + path.size() + 1);
    return a;
}

namespace {

// A socket being connected. Its own small owner rather than a transport, so that the reason of a failure is not lost.
struct Pending final : Watched, Timer {
    int fd = -1;
    bool watched = false, expired = false;
    Signal signal;
    Pending() {
        fire = [](Timer& t) {
            auto& self = static_cast<Pending&>(t);
            self.expired = true;
            self.signal.notify();
        };
    }
    ~Pending() override {
        if (watched) Core::here().epoll().forget(fd, *this);
        if (fd >= 0) ::close(fd);
    }
    void on_events(uint32_t) override { signal.notify(); }
    int take() {
        if (watched) Core::here().epoll().forget(fd, *this);
        watched = false;
        return std::exchange(fd, -1);
    }
};

// A connected fd, or -errno.
Task<int> connect_one(Address address, uint64_t timeout_ms) {
    bool local = address.storage.ss_family == AF_UNIX;
    Pending s;
    s.fd = ::socket(address.storage.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (s.fd < 0) co_return -errno;
    int one = 1;
    if (!local) setsockopt(s.fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    if (timeout_ms) Core::here().arm(s, timeout_ms);
    while (::connect(s.fd, reinterpret_cast<sockaddr*>(&address.storage), address.length) != 0) {
        if (errno == EINTR) continue;
        if (errno == EAGAIN && local) {
            if (s.expired) co_return -ETIMEDOUT;
            co_await sleep_ms(unix_backlog_retry_ms);
            continue;
        }
        if (errno != EINPROGRESS) co_return -errno;
        Core::here().epoll().watch(s.fd, s);
        s.watched = true;
        co_await s.signal.wait();
        int error = 0;
        socklen_t n = sizeof error;
        getsockopt(s.fd, SOL_SOCKET, SO_ERROR, &error, &n);
        if (error) co_return -error;
        if (s.expired) co_return -ETIMEDOUT;
        break;
    }
    co_return s.take();
}

}  // namespace

Task<Result<int>> connect_any(std::vector<Address> addresses, uint64_t timeout_ms) {
    uint64_t end_ms = Core::here().now_ms() + timeout_ms;
    std::string tried;
    for (size_t i = 0; i < addresses.size(); i++) {
        uint64_t now_ms = Core::here().now_ms(), share_ms = 0;
        if (timeout_ms) {
            if (now_ms >= end_ms) break;
            uint64_t left_ms = end_ms - now_ms;
            share_ms = std::min(left_ms, std::max(left_ms / (addresses.size() - i), attempt_ms_min));
        }
        int fd = co_await connect_one(addresses[i], share_ms);
        if (fd >= 0) co_return fd;
        tried += (tried.empty() ? "" : "; ") + addresses[i].text() + ": " + std::strerror(-fd);
    }
    co_return Failure(Code::connect_failed, "cannot connect to the worker").detail(tried.empty() ? "no address" : tried);
}

}  // namespace weir
