// A TLS connection over its own socket. Reads come straight from the socket; writes are encrypted into this thread's buffer and
// leave in one send, so OpenSSL never waits for the socket to take something: only "want read" exists.
#pragma once
#include <string>

#include "base/result.h"
#include "net/transport.h"

struct ssl_st;
struct ssl_ctx_st;
struct bio_st;

namespace weir {

class TlsTransport final : public SocketTransport {
public:
    // Takes the fd. Counts as a handshake under way until established; beyond limits::tls_handshakes_max the oldest is given up.
    explicit TlsTransport(int fd);
    ~TlsTransport() override;
    Result<void> start(ssl_ctx_st* ctx, bool server);
    // The whole handshake; `server_ctx` not null: start() it when the peer's first bytes are here. A deadline is set before.
    Task<Result<void>> handshake(ssl_ctx_st* server_ctx);
    ssl_st* ssl() { return ssl_; }

    void finish_send() override;
    bool stale() override;
    std::string_view alpn() const override;
    bool secure() const override { return true; }
    size_t unread() const override;
    void on_events(uint32_t events) override;
    int bio_read(bio_st* bio, char* to, int n);
    void bio_write(const char* from, int n);

protected:
    Got try_recv() override;
    // Bytes already encrypted while the socket was full stay with the caller as `ahead_` until their ciphertext is out.
    ssize_t try_send(const iovec* pieces, int n) override;

private:
    struct Underway : ListNode { TlsTransport* owner = nullptr; };
    struct Handshakes;
    struct Readable : Waiter {   // co_await: false when broken, given up or out of time
        TlsTransport& t;
        explicit Readable(TlsTransport& t) : t(t) {}
        bool await_ready() const { return t.can_recv_ || t.broken_ || t.timed_out(); }
        void await_suspend(std::coroutine_handle<> h) { frame = h; park(t.reader_); }
        bool await_resume() const { return t.can_recv_ && !t.broken_ && !t.timed_out(); }
    };
    int step();                  // 1: established, 0: wait for bytes, -1: failed
    Failure failure() const;
    bool write_record(std::string_view record);
    Got no_bytes(int error);
    bool flush();
    bool push_cipher();
    void say_goodbye();
    void leave_handshakes();
    void give_up();

    ssl_st* ssl_ = nullptr;
    Underway underway_;
    std::string cipher_rest_;    // ciphertext the socket has not taken; freed when empty
    std::string why_;
    size_t ahead_ = 0;           // plaintext of the caller's that is in cipher_rest_
    bool established_ = false, finished_ = false;
};

std::string openssl_error();     // takes all there are from this thread's queue

}  // namespace weir
