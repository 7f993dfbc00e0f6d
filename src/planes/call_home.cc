#include "planes/call_home.h"

#include <ifaddrs.h>
#include <net/if.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

#include <charconv>
#include <cstring>

#include "net/resolver.h"
#include "net/tls.h"
#include "wire/dynamo_frames.h"
#include "wire/two_part.h"

namespace weir {
namespace {

constexpr int backlog = 4'096;
constexpr uint64_t accept_retry_ms = 50;
constexpr size_t handshake_header_max = 4'096, core_digits = 4;

// A version 4 UUID whose first digits are the core's index, so that a shared port finds its way.
std::string new_subject(Core& core) {
    static constexpr char digits[] = "0123456789abcdef";
    const uint64_t high = core.random().next(), low = core.random().next();
    std::string text;
    for (size_t i = 0; i < 32; i++) {
        if (i == 8 || i == 12 || i == 16 || i == 20) text += '-';
        uint64_t digit = (i < 16 ? high >> 4 * i : low >> 4 * (i - 16)) & 15;
        if (i < core_digits) digit = core.index() >> 4 * (core_digits - 1 - i) & 15;
        if (i == 12) digit = 4;
        if (i == 16) digit = 8 | (digit & 3);
        text += digits[digit];
    }
    return text;
}

size_t core_of(const std::string& subject) {
    size_t core = SIZE_MAX;
    if (subject.size() >= core_digits) std::from_chars(subject.data(), subject.data() + core_digits, core, 16);
    return core;
}

void send_kill(Transport& to) {
    std::string kill;
    append_stream_word(kill, StreamWord::kill);
    to.send(kill);
}

Failure os_failure(const std::string& what) { return Failure(Code::internal, what + ": " + std::strerror(errno)); }

}  // namespace

ExpectedCall::ExpectedCall(CallHome& home, uint64_t instance_id) : instance_id_(instance_id) {
    late_.call = this;
    late_.fire = [](Timer& t) {
        ExpectedCall& call = *static_cast<Late&>(t).call;
        call.expired_ = true;
        call.signal_.notify();
    };
    if (home.expected_.size() >= home.options_.expected_max) return;
    home_ = &home;
    subject_ = new_subject(home.core_);
    home.expected_[subject_] = this;
}

ExpectedCall::~ExpectedCall() {
    if (home_) home_->expected_.erase(subject_);
    if (called_.socket) send_kill(*called_.socket);
}

Task<Result<ExpectedCall::Called>> ExpectedCall::wait(uint64_t timeout_ms) {
    if (timeout_ms) Core::here().arm(late_, timeout_ms);
    while (!called_.socket && !expired_ && !gone_) co_await signal_.wait();
    Core::here().disarm(late_);
    if (called_.socket) co_return std::move(called_);
    if (gone_) co_return Failure(Code::reset_before_byte, "the worker left before it began to answer");
    co_return Failure(Code::first_byte_timeout, "the worker did not begin to answer in time");
}

struct CallHome::Acceptor final : Watched {
    int fd = -1;
    bool watched = false;
    Signal ready;
    void on_events(uint32_t) override { ready.notify(); }
    ~Acceptor() override {
        if (fd >= 0) ::close(fd);
    }
};

CallHome::CallHome(Core& core, CallHomeOptions options) : core_(core), options_(std::move(options)) {}

CallHome::~CallHome() {
    Core::Enter enter(core_);
    stop();
    greeting_.cancel();
    for (auto& [subject, call] : expected_) call->home_ = nullptr;   // whoever still waits is told nothing more
}

Result<void> CallHome::listen() {
    if (options_.tls && homes_.size() > 1)
        return Failure(Code::bad_field, "workers cannot dial one port of several cores under TLS: leave the port open, or run one core");
    TRY(Address at, parse_address(options_.bind_host, options_.port));
    const int fd = ::socket(at.storage.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0) return os_failure("socket");
    acceptor_ = std::make_unique<Acceptor>();
    acceptor_->fd = fd;
    int one = 1;
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
    if (options_.port) setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &one, sizeof one);
    if (::bind(fd, reinterpret_cast<sockaddr*>(&at.storage), at.length) != 0 || ::listen(fd, backlog) != 0)
        return os_failure("cannot listen for workers on " + at.text());
    socklen_t n = sizeof at.storage;
    getsockname(fd, reinterpret_cast<sockaddr*>(&at.storage), &n);
    const bool six = at.storage.ss_family == AF_INET6;
    port_ = ntohs(six ? reinterpret_cast<sockaddr_in6&>(at.storage).sin6_port : reinterpret_cast<sockaddr_in&>(at.storage).sin_port);
    std::string host = options_.advertise.empty() ? local_address() : options_.advertise;
    if (host.find(':') != std::string::npos && host.front() != '[') host = "[" + host + "]";
    address_ = host + ":" + std::to_string(port_);
    return Nothing{};
}

void CallHome::start() {
    core_.epoll().watch(acceptor_->fd, *acceptor_);
    acceptor_->watched = true;
    accepting_.spawn(accept_loop());
}

void CallHome::stop() {
    accepting_.cancel();
    if (acceptor_ && acceptor_->watched) core_.epoll().forget(acceptor_->fd, *acceptor_);
    acceptor_.reset();
}

Task<void> CallHome::accept_loop() {
    for (;;) {
        const int fd = ::accept4(acceptor_->fd, nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (fd >= 0 && greeting_.size() >= options_.greeting_max) {
            counts.refused++;
            ::close(fd);
        } else if (fd >= 0) {
            greeting_.spawn(greet(fd));
        } else if (errno == EAGAIN) {
            co_await acceptor_->ready.wait();
        } else if (errno != ECONNABORTED && errno != EINTR) {
            co_await sleep_ms(accept_retry_ms);   // out of descriptors
        }
    }
}

Task<void> CallHome::greet(int fd) {
    int one = 1;
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    std::unique_ptr<SocketTransport> socket;
    if (options_.tls) {
        auto secure = co_await tls_accept(fd, *options_.tls, options_.handshake_ms);
        if (!secure) {
            counts.bad++;
            co_return;
        }
        socket.reset(static_cast<SocketTransport*>((*secure).release()));   // which a TLS connection is
    } else {
        socket = std::make_unique<SocketTransport>(fd);
    }
    socket->deadline_in(options_.handshake_ms);
    TwoPartReader reader(handshake_header_max, 0);
    TwoPart first;
    Str bytes;
    do {
        auto got = co_await socket->recv();
        if (got.n <= 0) {
            counts.bad++;
            co_return;
        }
        bytes = got.view();
    } while (!reader.next(bytes, first) && !reader.bad());
    auto subject = reader.bad() ? Result<std::string>(Failure(Code::bad_field, "no handshake")) : read_handshake(first.header);
    if (!subject) {
        counts.bad++;
        co_return;
    }
    socket->deadline_in(0);
    ExpectedCall::Called called{std::move(socket), std::string(bytes)};
    const size_t core = homes_.empty() ? core_.index() : core_of(*subject);
    if (core == core_.index() || core >= homes_.size()) {
        arrived(*subject, std::move(called));
        co_return;
    }
    CallHome* other = homes_[core];
    const int moved = called.socket->release();
    auto hand_over = [other, moved, name = *subject, early = std::move(called.early)] {
        other->arrived(name, {std::make_unique<SocketTransport>(moved), early});
    };
    if (!other->core_.post(std::move(hand_over))) ::close(moved);
}

void CallHome::arrived(const std::string& subject, ExpectedCall::Called called) {
    auto found = expected_.find(subject);
    if (found == expected_.end()) {   // its request has ended: the worker need not go on
        counts.unknown++;
        return send_kill(*called.socket);
    }
    counts.called++;
    ExpectedCall& call = *found->second;
    expected_.erase(found);
    call.home_ = nullptr;
    call.called_ = std::move(called);
    call.signal_.notify();
}

void CallHome::instance_gone(uint64_t instance_id) {
    for (auto& [subject, call] : expected_) {
        if (call->instance_id_ != instance_id) continue;
        call->gone_ = true;
        call->signal_.notify();
    }
}

std::string local_address() {
    ifaddrs* all = nullptr;
    if (getifaddrs(&all) != 0) return "127.0.0.1";
    std::string v4, v6;
    for (ifaddrs* at = all; at; at = at->ifa_next) {
        if (!at->ifa_addr || (at->ifa_flags & IFF_LOOPBACK) || !(at->ifa_flags & IFF_UP)) continue;
        Address a;
        const bool six = at->ifa_addr->sa_family == AF_INET6;
        if (!six && at->ifa_addr->sa_family != AF_INET) continue;
        if (six && IN6_IS_ADDR_LINKLOCAL(&reinterpret_cast<sockaddr_in6*>(at->ifa_addr)->sin6_addr)) continue;
        std::memcpy(&a.storage, at->ifa_addr, six ? sizeof(sockaddr_in6) : sizeof(sockaddr_in));
        const std::string text = a.text();   // "1.2.3.4:0", "[::1]:0"
        std::string& slot = six ? v6 : v4;
        if (slot.empty()) slot = six ? text.substr(1, text.rfind(']') - 1) : text.substr(0, text.rfind(':'));
    }
    freeifaddrs(all);
    return !v4.empty() ? v4 : !v6.empty() ? v6 : "127.0.0.1";
}

}  // namespace weir
