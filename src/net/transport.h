// A two-way byte stream on one core: TCP or unix socket, TLS over one, one HTTP/2 stream's bytes, a simulated pipe.
// Completion-shaped: recv() gives bytes in a borrowed buffer, so that readiness (epoll) and completion (io_uring) look alike.
#pragma once
#include <cerrno>
#include <memory>
#include <string>
#include <string_view>

#include "net/core.h"

namespace weir {

// The other end's address, small enough to be kept for each connection.
struct PeerAddress {
    enum Family : uint8_t { none, v4, v6, unix_socket } family = none;
    uint16_t port = 0;
    uint8_t bytes[16] = {};
    size_t format(char (&out)[64]) const;   // "1.2.3.4:80", "[::1]:80", "unix"; the length, 0 for none
};

class Transport {
public:
    Transport() { deadline_.fire = &Transport::on_deadline; deadline_.owner = this; }
    Transport(const Transport&) = delete;
    virtual ~Transport();                // closes; never blocks. Who still waits on it is let go, and never resumed

    // co_await recv(): n > 0 bytes at `data`, valid until the next co_await of this core; 0 = end of stream;
    // -ETIMEDOUT = the deadline passed (the stream is intact); other -errno = broken.
    struct Got { const char* data; ssize_t n; std::string_view view() const { return {data, static_cast<size_t>(n > 0 ? n : 0)}; } };
    struct Recv : Waiter {
        Transport& t;
        Got got{nullptr, -EAGAIN};
        explicit Recv(Transport& t) : t(t) { retry = [](Waiter& w) { return static_cast<Recv&>(w).again(); }; }
        bool again();
        bool await_ready() { return t.take(got); }
        void await_suspend(std::coroutine_handle<> h) { frame = h; park(t.reader_); }
        Got await_resume() { return got; }
    };
    Recv recv() { return Recv(*this); }
    // The same without waiting: false = nothing here yet (then wait on reader_slot() and ask again).
    bool recv_now(Got& got) { return take(got); }
    Waiter*& reader_slot() { return reader_; }

    // Sends now what the peer takes and keeps a copy of the rest (at most limits::write_rest_max). False: broken, or the rest
    // would not fit; no further send. After a true return with blocked(), co_await drained() before producing more.
    bool send(const iovec* pieces, int n);
    bool send(std::string_view bytes) {
        iovec v{const_cast<char*>(bytes.data()), bytes.size()};
        return send(&v, 1);
    }
    // For requests to workers: the rest may be as large as the request; the caller holds a charge for it.
    bool send_large(const iovec* pieces, int n);
    bool blocked() const { return rest_ != nullptr; }
    // co_await drained(): true when nothing is held back; false when broken or the deadline passed.
    struct Drained : Waiter {
        Transport& t;
        explicit Drained(Transport& t) : t(t) {}
        bool await_ready() const { return !t.blocked() || t.broken_; }
        void await_suspend(std::coroutine_handle<> h) { frame = h; park(t.writer_); }
        bool await_resume() const { return !t.blocked() && !t.broken_; }
    };
    Drained drained() { return Drained(*this); }

    // One deadline at a time, lazily moved: a later one only writes a number. 0 = none. Wakes recv() and drained().
    // It begins anew whenever the peer takes some of a rest.
    void deadline_in(uint64_t ms);
    bool timed_out() const { return timed_out_; }

    // Made ready when the peer is seen to leave (FIN, reset) while nobody reads: for race(). See also hung_up().
    Waiter*& hangup_slot() { return hangup_; }
    Waiter*& writer_slot() { return writer_; }
    bool hung_up() const { return hung_up_; }
    bool broken() const { return broken_; }
    bool bytes_accepted() const { return accepted_; }        // since reset_accepted()
    void reset_accepted() { accepted_ = false; }

    virtual void finish_send() {}        // half-closes our direction after what was sent (TLS close_notify, shutdown)
    virtual void reset() {}              // the destructor will send a reset rather than a FIN
    // True when the peer's FIN or unexpected bytes are already here: a pooled connection that must not be used again.
    virtual bool stale() { return stale_now(); }
    // The same from what events told, without a system call.
    bool stale_now() const { return hung_up_ || broken_ || told_; }
    virtual PeerAddress peer() const { return {}; }
    virtual std::string_view alpn() const { return {}; }     // "h2", "http/1.1" or empty
    virtual bool secure() const { return false; }
    virtual size_t unread() const { return 0; }              // bytes known to wait (pipelined requests)

protected:
    // Non-blocking: n > 0, 0 = end, -EAGAIN, -errno. The bytes live in the core's read buffer or in the transport.
    virtual Got try_recv() = 0;
    // Non-blocking: bytes taken, -EAGAIN or -errno.
    virtual ssize_t try_send(const iovec* pieces, int n) = 0;

    // For implementations, from the loop:
    void can_read();                     // wakes recv()
    void can_write();                    // pushes the rest, wakes drained() when empty
    void peer_left();                    // sets hung_up, wakes the hangup slot
    void fail();                         // broken: wakes everybody
    bool broken_ = false, hung_up_ = false;
    Waiter *reader_ = nullptr, *writer_ = nullptr, *hangup_ = nullptr;

private:
    friend struct Recv;
    friend struct Drained;
    struct Deadline : Timer { Transport* owner; uint64_t at_ms = 0, ms = 0; };
    static void on_deadline(Timer&);
    bool send_up_to(const iovec* pieces, int n, size_t rest_max);
    bool take(Got& got);                 // true: got is final (not EAGAIN)
    bool push_rest();
    Deadline deadline_;
    struct Rest { std::string bytes; size_t at = 0; };
    std::unique_ptr<Rest> rest_;         // what the peer has not taken; null when it took all: nothing is held while idle
    bool timed_out_ = false, told_ = false, accepted_ = false;   // told_: an event said there is something to read, nobody has read since
};

// A connected socket. Takes the fd. TCP_NODELAY is set by whoever made it (accept and connect both do).
class SocketTransport : public Transport, public Watched {
public:
    explicit SocketTransport(int fd);
    ~SocketTransport() override;
    void finish_send() override;
    void reset() override;
    bool stale() override;
    PeerAddress peer() const override;
    int fd() const { return fd_; }
    void on_events(uint32_t events) override;
    // Gives the fd away (hand-over to another core): nothing may have been read or written here.
    int release();
    struct Writable : Waiter {           // co_await writable(): connect finished, or failed (broken)
        SocketTransport& s;
        explicit Writable(SocketTransport& s) : s(s) {}
        bool await_ready() const { return s.connected_ || s.broken_; }
        void await_suspend(std::coroutine_handle<> h) { frame = h; park(s.writer_); }
        bool await_resume() const { return s.connected_ && !s.broken_; }
    };
    Writable writable() { return Writable(*this); }
    void connecting() { connected_ = false; }   // connect() said EINPROGRESS: await writable()

protected:
    Got try_recv() override;
    ssize_t try_send(const iovec* pieces, int n) override;
    int fd_;
    bool can_recv_ = true, connected_ = true, linger_reset_ = false;
};

}  // namespace weir
