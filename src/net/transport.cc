#include "net/transport.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <charconv>
#include <cstdio>
#include <cstring>

namespace weir {
namespace {

// The kernel's calls themselves: glibc's are cancellation points, which cost about 60 ns each in a program with threads.
ssize_t raw_recv(int fd, char* to, size_t n) { return ::syscall(SYS_recvfrom, fd, to, n, 0, nullptr, nullptr); }
ssize_t raw_send(int fd, const void* from, size_t n) { return ::syscall(SYS_sendto, fd, from, n, MSG_NOSIGNAL, nullptr, 0); }

}  // namespace

Transport::~Transport() {
    for (Waiter* waiter : {reader_, writer_, hangup_})   // a tree that dies at once may destroy us before its waiters
        if (waiter) waiter->slot = nullptr;
}

bool Transport::take(Got& got) {
    // A deadline that passed is told once per recv(); the caller decides whether to go on.
    if (timed_out_) {
        got = {nullptr, -ETIMEDOUT};
        return true;
    }
    told_ = false;
    got = try_recv();
    return got.n != -EAGAIN;
}

bool Transport::Recv::again() {
    if (t.take(got)) return true;
    park(t.reader_);
    return false;
}

bool Transport::send(const iovec* pieces, int n) { return send_up_to(pieces, n, limits::write_rest_max); }
bool Transport::send_large(const iovec* pieces, int n) { return send_up_to(pieces, n, SIZE_MAX); }

bool Transport::send_up_to(const iovec* pieces, int n, size_t rest_max) {
    if (broken_) return false;
    size_t skip = 0;
    if (!blocked()) {
        ssize_t sent = try_send(pieces, n);
        if (sent < 0 && sent != -EAGAIN) {
            fail();
            return false;
        }
        skip = sent > 0 ? static_cast<size_t>(sent) : 0;
        accepted_ = accepted_ || skip > 0;
    }
    for (int i = 0; i < n; i++) {
        if (skip >= pieces[i].iov_len) {
            skip -= pieces[i].iov_len;
            continue;
        }
        if (!rest_) rest_ = std::make_unique<Rest>();
        if (rest_max != SIZE_MAX && rest_->bytes.size() - rest_->at + pieces[i].iov_len - skip > rest_max) {
            fail();
            return false;
        }
        rest_->bytes.append(static_cast<char*>(pieces[i].iov_base) + skip, pieces[i].iov_len - skip);
        skip = 0;
    }
    return true;
}

bool Transport::push_rest() {
    while (rest_->at < rest_->bytes.size()) {
        iovec v{rest_->bytes.data() + rest_->at, rest_->bytes.size() - rest_->at};
        ssize_t sent = try_send(&v, 1);
        if (sent == -EAGAIN) return true;
        if (sent < 0) return false;
        rest_->at += static_cast<size_t>(sent);
        accepted_ = true;
        if (deadline_.at_ms && !timed_out_) deadline_.at_ms = Core::here().now_ms() + deadline_.ms;
    }
    rest_.reset();
    return true;
}

void Transport::can_read() {
    told_ = true;
    if (reader_) Core::here().ready(*reader_);
}

void Transport::can_write() {
    if (blocked() && !push_rest()) return fail();
    if (writer_ && !blocked()) Core::here().ready(*writer_);
}

void Transport::peer_left() {
    hung_up_ = true;
    if (hangup_) Core::here().ready(*hangup_);
}

void Transport::fail() {
    broken_ = true;
    Core* core = Core::maybe_here();
    if (!core) return;
    if (reader_) core->ready(*reader_);
    if (writer_) core->ready(*writer_);
    peer_left();
}

void Transport::deadline_in(uint64_t ms) {
    timed_out_ = false;
    Core& core = Core::here();
    if (ms == 0) {
        deadline_.at_ms = 0;   // the armed node stays; it finds nothing to do when it fires
        return;
    }
    deadline_.at_ms = core.now_ms() + ms;
    deadline_.ms = ms;
    if (!deadline_.armed() || deadline_.due_ms > deadline_.at_ms) core.arm(deadline_, ms);
}

void Transport::on_deadline(Timer& timer) {
    auto& d = static_cast<Deadline&>(timer);
    if (d.at_ms == 0) return;
    Core& core = Core::here();
    if (core.now_ms() < d.at_ms) {
        core.arm(d, d.at_ms - core.now_ms());
        return;
    }
    Transport& t = *d.owner;
    t.timed_out_ = true;
    if (t.reader_) core.ready(*t.reader_);
    if (t.writer_) core.ready(*t.writer_);
}

SocketTransport::SocketTransport(int fd) : fd_(fd) { Core::here().epoll().watch(fd_, *this); }

SocketTransport::~SocketTransport() {
    if (fd_ < 0) return;   // close() takes it out of epoll; no event is pending here (EpollPoller::wait)
    if (linger_reset_) {
        linger l{1, 0};
        setsockopt(fd_, SOL_SOCKET, SO_LINGER, &l, sizeof l);
    }
    ::close(fd_);
}

int SocketTransport::release() {
    Core::here().epoll().forget(fd_, *this);
    return std::exchange(fd_, -1);
}

void SocketTransport::on_events(uint32_t events) {
    if (events & EPOLLERR) {
        int error = 0;
        socklen_t n = sizeof error;
        getsockopt(fd_, SOL_SOCKET, SO_ERROR, &error, &n);
        if (error) return fail();
    }
    if (events & (EPOLLOUT | EPOLLHUP)) {
        connected_ = true;
        can_write();
    }
    if (events & (EPOLLIN | EPOLLRDHUP | EPOLLHUP)) {
        can_recv_ = true;
        can_read();
    }
    if (events & (EPOLLRDHUP | EPOLLHUP)) peer_left();
}

Transport::Got SocketTransport::try_recv() {
    if (broken_) return {nullptr, -ECONNRESET};
    if (!can_recv_) return {nullptr, -EAGAIN};
    char* buffer = Core::here().read_buffer();
    ssize_t n = raw_recv(fd_, buffer, Core::read_buffer_bytes);
    if (n < 0) {
        if (errno == EAGAIN || errno == EINTR) {
            can_recv_ = false;
            return {nullptr, -EAGAIN};
        }
        int error = errno;
        fail();
        return {nullptr, -error};
    }
    // A short read drained the socket: no second read to learn that. Not so once the peer has left: its FIN gives no new event.
    if (static_cast<size_t>(n) < Core::read_buffer_bytes && !hung_up_) can_recv_ = false;
    else can_read();   // more may wait, and no event will tell of it: a connection put to rest now is not certainly clean
    return {buffer, n};
}

ssize_t SocketTransport::try_send(const iovec* pieces, int n) {
    if (n == 1) {
        ssize_t sent = raw_send(fd_, pieces->iov_base, pieces->iov_len);
        return sent < 0 ? (errno == EINTR ? -EAGAIN : -errno) : sent;
    }
    msghdr m{};
    m.msg_iov = const_cast<iovec*>(pieces);
    m.msg_iovlen = static_cast<size_t>(n);
    ssize_t sent = ::syscall(SYS_sendmsg, fd_, &m, MSG_NOSIGNAL);
    return sent < 0 ? (errno == EINTR ? -EAGAIN : -errno) : sent;
}

void SocketTransport::finish_send() { ::shutdown(fd_, SHUT_WR); }
void SocketTransport::reset() { linger_reset_ = true; }

bool SocketTransport::stale() {
    if (hung_up_ || broken_) return true;
    char c;
    ssize_t n = ::recv(fd_, &c, 1, MSG_PEEK | MSG_DONTWAIT);
    return !(n < 0 && (errno == EAGAIN || errno == EINTR));
}

PeerAddress SocketTransport::peer() const {
    sockaddr_storage a{};
    socklen_t n = sizeof a;
    PeerAddress out;
    if (getpeername(fd_, reinterpret_cast<sockaddr*>(&a), &n) != 0) return out;
    if (a.ss_family == AF_INET) {
        auto& v4 = reinterpret_cast<sockaddr_in&>(a);
        out.family = PeerAddress::v4;
        out.port = ntohs(v4.sin_port);
        std::memcpy(out.bytes, &v4.sin_addr, 4);
    } else if (a.ss_family == AF_INET6) {
        auto& v6 = reinterpret_cast<sockaddr_in6&>(a);
        out.family = PeerAddress::v6;
        out.port = ntohs(v6.sin6_port);
        std::memcpy(out.bytes, &v6.sin6_addr, 16);
    } else {
        out.family = PeerAddress::unix_socket;
    }
    return out;
}

size_t PeerAddress::format(char (&out)[64]) const {
    char text[INET6_ADDRSTRLEN] = "";
    switch (family) {
    case v4: {   // for every access line, hence by hand
        char* at = out;
        for (int i = 0; i < 4; i++) {
            at = std::to_chars(at, at + 3, unsigned{bytes[i]}).ptr;
            *at++ = i < 3 ? '.' : ':';
        }
        at = std::to_chars(at, at + 5, port).ptr;
        return static_cast<size_t>(at - out);
    }
    case v6: return static_cast<size_t>(snprintf(out, sizeof out, "[%s]:%u", inet_ntop(AF_INET6, bytes, text, sizeof text), port));
    case unix_socket: return static_cast<size_t>(snprintf(out, sizeof out, "unix"));
    default: return 0;
    }
}

}  // namespace weir
