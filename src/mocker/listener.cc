#include "mocker/listener.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cstring>

#include "net/resolver.h"

namespace weir::mocker {
namespace {

constexpr int backlog = 4'096;
constexpr uint64_t retry_ms = 50;

}  // namespace

Result<void> Listener::open(const std::string& host, uint16_t port) {
    TRY(Address at, parse_address(host, port));
    fd_ = ::socket(at.storage.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    int one = 1;
    setsockopt(fd_, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
    if (fd_ < 0 || ::bind(fd_, reinterpret_cast<sockaddr*>(&at.storage), at.length) != 0 || ::listen(fd_, backlog) != 0)
        return Failure(Code::internal, "cannot listen on " + at.text() + ": " + std::strerror(errno));
    socklen_t n = sizeof at.storage;
    getsockname(fd_, reinterpret_cast<sockaddr*>(&at.storage), &n);
    const bool six = at.storage.ss_family == AF_INET6;
    port_ = ntohs(six ? reinterpret_cast<sockaddr_in6&>(at.storage).sin6_port : reinterpret_cast<sockaddr_in&>(at.storage).sin_port);
    return Nothing{};
}

void Listener::watch() {
    core_.epoll().watch(fd_, *this);
    watched_ = true;
}

Task<int> Listener::accept() {
    for (;;) {
        const int fd = ::accept4(fd_, nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (fd >= 0) {
            int one = 1;
            setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
            co_return fd;
        }
        if (errno == EAGAIN) co_await ready_.wait();
        else if (errno != ECONNABORTED && errno != EINTR) co_await sleep_ms(retry_ms);   // out of descriptors
    }
}

void Listener::close() {
    if (watched_) core_.epoll().forget(fd_, *this);
    if (fd_ >= 0) ::close(fd_);
    watched_ = false;
    fd_ = -1;
}

}  // namespace weir::mocker
