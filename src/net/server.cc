#include "net/server.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>

#include "net/resolver.h"

namespace weir {
namespace {

constexpr int backlog = 4096;
constexpr uint64_t accept_retry_ms = 50, tls_handshake_ms = 10'000;

Failure os_failure(const std::string& what) { return Failure(Code::internal, what + ": " + std::strerror(errno)); }

// SO_REUSEPORT would let a second process share the port in silence. A socket without it tells whether somebody has it.
bool taken(const Address& address) {
    int fd = ::socket(address.storage.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    int one = 1;
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
    bool in_use = ::bind(fd, reinterpret_cast<const sockaddr*>(&address.storage), address.length) != 0 && errno == EADDRINUSE;
    ::close(fd);
    errno = in_use ? EADDRINUSE : 0;
    return in_use;
}

// `first`: of this server; its later listeners share the port.
Result<int> bind_one(const ListenAt& at, uint16_t port, bool first) {
    TRY(Address address, at.unix_path.empty() ? parse_address(at.host, port) : unix_address(at.unix_path));
    if (first && at.unix_path.empty() && taken(address)) return os_failure("cannot listen on " + address.text());
    int fd = ::socket(address.storage.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0) return os_failure("socket");
    int one = 1, zero = 0;
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
    if (at.unix_path.empty()) setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &one, sizeof one);
    if (address.storage.ss_family == AF_INET6) setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &zero, sizeof zero);
    if (::bind(fd, reinterpret_cast<sockaddr*>(&address.storage), address.length) != 0 || ::listen(fd, backlog) != 0) {
        Failure failure = os_failure("cannot listen on " + address.text());
        ::close(fd);
        return failure;
    }
    return fd;
}

uint16_t port_of(int fd) {
    sockaddr_storage a{};
    socklen_t n = sizeof a;
    getsockname(fd, reinterpret_cast<sockaddr*>(&a), &n);
    if (a.ss_family == AF_INET6) return ntohs(reinterpret_cast<sockaddr_in6&>(a).sin6_port);
    return a.ss_family == AF_INET ? ntohs(reinterpret_cast<sockaddr_in&>(a).sin_port) : 0;
}

}  // namespace

// Counts a connection for as long as its socket lives, whatever ends it.
struct Server::Counted {
    std::atomic<uint64_t>* all;
    std::atomic<uint32_t>* here;
    Counted(Server& server, Core& core) : all(&server.connections_), here(&core.streams) {
        all->fetch_add(1, std::memory_order_relaxed);
        here->fetch_add(1, std::memory_order_relaxed);
    }
    Counted(const Counted&) = delete;
    ~Counted() {
        all->fetch_sub(1, std::memory_order_relaxed);
        here->fetch_sub(1, std::memory_order_relaxed);
    }
};
struct Server::PlainSocket final : SocketTransport {
    PlainSocket(int fd, Server& server, Core& core) : SocketTransport(fd), counted(server, core) {}
    Counted counted;
};

struct Server::Acceptor final : Watched {
    int fd = -1;
    Signal ready;
    void on_events(uint32_t) override { ready.notify(); }
    ~Acceptor() override {
        if (fd >= 0) ::close(fd);
    }
};

struct Server::PerCore {
    explicit PerCore(Core& core) : core(core) {}
    Core& core;
    std::unique_ptr<Acceptor> acceptor;
    Nursery connections, accepting;
};

Server::Server(std::vector<Core*> cores, HttpService& service, ServerLimits limits, const TlsServer* tls)
    : cores_(std::move(cores)), service_(service), limits_(limits), tls_(tls) {
    for (Core* core : cores_) per_core_.push_back(std::make_unique<PerCore>(*core));
    rlimit files{};
    if (getrlimit(RLIMIT_NOFILE, &files) == 0 && files.rlim_cur > 512)
        connections_max_ = std::min<size_t>(connections_max_, files.rlim_cur - 256);
}

Server::~Server() {
    for (auto& here : per_core_) {   // the cores have stopped: their objects are destroyed in their name
        Core::Enter enter(here->core);
        here->accepting.cancel();
        here->connections.cancel();
    }
    if (!unix_path_.empty()) ::unlink(unix_path_.c_str());
}

Result<void> Server::listen(const ListenAt& at) {
    if (!at.unix_path.empty()) ::unlink(at.unix_path.c_str());
    unix_path_ = at.unix_path;
    port_ = at.port;
    for (size_t i = 0; i < per_core_.size(); i++) {
        if (i > 0 && !at.unix_path.empty()) break;   // one unix socket: its core hands connections over
        TRY(int fd, bind_one(at, port_, i == 0));
        if (port_ == 0) port_ = port_of(fd);
        per_core_[i]->acceptor = std::make_unique<Acceptor>();
        per_core_[i]->acceptor->fd = fd;
    }
    return Nothing{};
}

void Server::start() {
    for (auto& here : per_core_) {
        if (!here->acceptor) continue;
        PerCore* p = here.get();
        p->core.post([this, p] {
            if (!p->acceptor) return;
            p->core.epoll().watch(p->acceptor->fd, *p->acceptor);
            p->accepting.spawn(accept_loop(*p, *p->acceptor));
        });
    }
}

void Server::stop_accepting() {
    for (auto& here : per_core_) {
        PerCore* p = here.get();
        p->core.post([p] {
            p->accepting.cancel();
            if (p->acceptor) p->core.epoll().forget(p->acceptor->fd, *p->acceptor);
            p->acceptor.reset();
        });
    }
}

void Server::cancel_all() {
    for (auto& here : per_core_) {
        PerCore* p = here.get();
        p->core.post([p] { p->connections.cancel(); });
    }
}

Task<void> Server::accept_loop(PerCore& here, Acceptor& acceptor) {
    for (;;) {
        int fd = ::accept4(acceptor.fd, nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (fd >= 0) {
            place(here, fd);
            continue;
        }
        if (errno == EAGAIN) co_await acceptor.ready.wait();
        else if (errno != ECONNABORTED && errno != EINTR) co_await sleep_ms(accept_retry_ms);   // out of descriptors
    }
}

void Server::place(PerCore& here, int fd) {
    if (connections() >= connections_max_) {
        static constexpr std::string_view full =
            "HTTP/1.1 503 Service Unavailable\r\nretry-after: 1\r\ncontent-length: 0\r\nconnection: close\r\n\r\n";
        refused_.fetch_add(1, std::memory_order_relaxed);
        if (!tls_) (void)!::send(fd, full.data(), full.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
        ::close(fd);
        return;
    }
    int one = 1;
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    // A few long streams must spread too: a core well above the emptiest gives the connection away.
    PerCore* to = &here;
    if (per_core_.size() > 1) {
        uint32_t mine = here.core.streams.load(std::memory_order_relaxed), least = mine;
        for (auto& other : per_core_)
            if (uint32_t n = other->core.streams.load(std::memory_order_relaxed); n < least) least = n, to = other.get();
        bool far = unix_path_.empty() ? mine > least + least / 4 + 8 : mine > least;
        if (!far) to = &here;
    }
    if (to == &here || !to->core.post([this, to, fd] { serve_fd(*to, fd); })) serve_fd(here, fd);
}

void Server::serve_fd(PerCore& here, int fd) {
    if (tls_) return here.connections.spawn(serve_tls(here, fd));
    std::unique_ptr<Transport> plain = std::make_unique<PlainSocket>(fd, *this, here.core);
    here.connections.spawn(serve_http1(std::move(plain), service_, limits_, draining_));
}

Task<void> Server::serve_tls(PerCore& here, int fd) {
    Counted counted(*this, here.core);
    auto accepted = co_await tls_accept(fd, *tls_, tls_handshake_ms);
    if (!accepted) co_return;
    std::unique_ptr<Transport> secure = *std::move(accepted);
    if (secure->alpn() == "h2") co_await serve_http2(std::move(secure), service_, limits_, draining_, {});
    else co_await serve_http1(std::move(secure), service_, limits_, draining_);
}

}  // namespace weir
