#include "net/tls_transport.h"

#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cstring>

namespace weir {
namespace {

constexpr size_t record_max = 16 * 1024;          // plaintext of one record
constexpr size_t batch_max = 4 * record_max;      // plaintext encrypted before one send
constexpr size_t held_max = 256 * 1024;           // ciphertext not taken: a batch, or alerts and tickets of a peer that does not read

thread_local std::string cipher_out;              // what OpenSSL wants to send, during one call into it
thread_local const TlsTransport* cipher_owner;    // whose it is
thread_local std::array<char, record_max> gather; // small pieces become one record

BIO_METHOD* bio_method() {
    static BIO_METHOD* method = [] {
        BIO_METHOD* m = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "weir");
        BIO_meth_set_read(m, [](BIO* b, char* to, int n) { return static_cast<TlsTransport*>(BIO_get_data(b))->bio_read(b, to, n); });
        BIO_meth_set_write(m, [](BIO* b, const char* from, int n) {
            BIO_clear_retry_flags(b);
            static_cast<TlsTransport*>(BIO_get_data(b))->bio_write(from, n);
            return n;
        });
        BIO_meth_set_ctrl(m, [](BIO*, int command, long, void*) -> long { return command == BIO_CTRL_FLUSH || command == BIO_CTRL_DUP; });
        return m;
    }();
    return method;
}

// A walk over the pieces of one send, a record at a time.
struct Cursor {
    const iovec* pieces;
    int n;
    int i = 0;
    size_t offset = 0;
    void skip(size_t bytes) {
        while (bytes && i < n) {
            size_t step = std::min(bytes, pieces[i].iov_len - offset);
            offset += step;
            bytes -= step;
            if (offset == pieces[i].iov_len) i++, offset = 0;
        }
    }
    // Empty at the end. Copied together unless one piece fills the record or is the last.
    std::string_view next_record() {
        while (i < n && pieces[i].iov_len == offset) i++, offset = 0;
        if (i == n) return {};
        const char* from = static_cast<const char*>(pieces[i].iov_base) + offset;
        size_t here = pieces[i].iov_len - offset;
        if (here >= record_max || i + 1 == n) {
            size_t take = std::min(here, record_max);
            skip(take);
            return {from, take};
        }
        size_t have = 0;
        while (i < n && have < record_max) {
            size_t take = std::min(pieces[i].iov_len - offset, record_max - have);
            if (take) {
                std::memcpy(gather.data() + have, static_cast<const char*>(pieces[i].iov_base) + offset, take);
                have += take;
                skip(take);
            } else {
                i++, offset = 0;
            }
        }
        return {gather.data(), have};
    }
};

}  // namespace

std::string openssl_error() {
    std::string text;
    while (unsigned long e = ERR_get_error()) {
        char line[256];
        ERR_error_string_n(e, line, sizeof line);
        text += (text.empty() ? "" : "; ") + std::string(line);
    }
    return text.empty() ? "no reason given" : text;
}

// Handshakes under way on this thread, oldest first.
struct TlsTransport::Handshakes {
    List<Underway> all;
    size_t n = 0, this_turn = 0;
    uint64_t turn = 0;
    bool take_step(uint64_t now) {   // false: this turn has signed enough
        if (now != turn) turn = now, this_turn = 0;
        return this_turn++ < limits::tls_handshakes_per_turn;
    }
    static Handshakes& here() {
        thread_local Handshakes h;
        return h;
    }
};

TlsTransport::TlsTransport(int fd) : SocketTransport(fd) {
    Handshakes& h = Handshakes::here();
    underway_.owner = this;
    if (h.n >= limits::tls_handshakes_max) h.all.front()->owner->give_up();
    h.all.push_back(underway_);
    h.n++;
    can_recv_ = false;   // the handshake waits for the socket's first event instead of asking in vain
}

TlsTransport::~TlsTransport() {
    leave_handshakes();
    if (established_ && !finished_ && !broken_ && !linger_reset_ && cipher_rest_.empty()) say_goodbye();
    SSL_free(ssl_);
}

Result<void> TlsTransport::start(ssl_ctx_st* ctx, bool server) {
    ssl_ = SSL_new(ctx);
    BIO* bio = ssl_ ? BIO_new(bio_method()) : nullptr;
    if (!bio) return Failure(Code::internal, "TLS: " + openssl_error());
    BIO_set_data(bio, this);
    BIO_set_init(bio, 1);
    SSL_set_bio(ssl_, bio, bio);
    if (server) SSL_set_accept_state(ssl_);
    else SSL_set_connect_state(ssl_);
    return Nothing{};
}

Task<Result<void>> TlsTransport::handshake(ssl_ctx_st* server_ctx) {
    if (server_ctx) {
        bool more = co_await Readable(*this);
        if (!more) co_return failure();
        Result<void> started = start(server_ctx, true);
        if (!started) co_return std::move(started).error();
    }
    for (;;) {
        while (!Handshakes::here().take_step(Core::here().ticks.turns)) co_await yield();
        int r = step();
        if (r == 1) break;
        if (r < 0) co_return failure();
        bool more = co_await Readable(*this);
        if (!more) co_return failure();
    }
    deadline_in(0);
    co_return Nothing{};
}

int TlsTransport::step() {
    int r = SSL_do_handshake(ssl_);
    int error = r == 1 ? SSL_ERROR_NONE : SSL_get_error(ssl_, r);
    bool sent = flush();
    if (r == 1 && sent) {
        established_ = true;
        leave_handshakes();
        return 1;
    }
    if (error == SSL_ERROR_WANT_READ && sent) return 0;
    why_ = error == SSL_ERROR_SSL ? openssl_error() : "the peer left";
    long verdict = SSL_get_verify_result(ssl_);
    if (verdict != X509_V_OK) why_ += std::string("; ") + X509_verify_cert_error_string(verdict);
    ERR_clear_error();
    return -1;
}

Failure TlsTransport::failure() const {
    return Failure(Code::connect_failed, "the TLS handshake failed")
        .detail(!why_.empty() ? why_ : timed_out() ? "no answer in time" : "the peer left");
}

void TlsTransport::finish_send() {
    if (broken_ || finished_) return;
    say_goodbye();
    SocketTransport::finish_send();
}

bool TlsTransport::stale() {
    if (hung_up_ || broken_) return true;
    can_recv_ = true;   // look at the socket: session tickets may wait there, they are no reason to drop the connection
    char c;
    size_t n = 0;
    int r = SSL_peek_ex(ssl_, &c, 1, &n);
    int error = r == 1 ? SSL_ERROR_NONE : SSL_get_error(ssl_, r);
    ERR_clear_error();
    bool sent = flush();
    return error != SSL_ERROR_WANT_READ || !sent;
}

std::string_view TlsTransport::alpn() const {
    const unsigned char* name = nullptr;
    unsigned n = 0;
    SSL_get0_alpn_selected(ssl_, &name, &n);
    return {reinterpret_cast<const char*>(name), n};
}
size_t TlsTransport::unread() const { return SSL_has_pending(ssl_) ? 1 : 0; }

void TlsTransport::on_events(uint32_t events) {
    if ((events & (EPOLLOUT | EPOLLHUP)) && !cipher_rest_.empty() && !push_cipher()) return fail();
    SocketTransport::on_events(events);
}

int TlsTransport::bio_read(bio_st* bio, char* to, int n) {
    BIO_clear_retry_flags(bio);
    if (broken_) return -1;
    if (can_recv_) {
        ssize_t got = ::recv(fd_, to, static_cast<size_t>(n), 0);
        if (got >= 0) {
            if (got < n && !hung_up_) can_recv_ = false;   // drained, and the next bytes bring an event
            return static_cast<int>(got);
        }
        if (errno != EAGAIN && errno != EINTR) return -1;
        can_recv_ = false;
    }
    BIO_set_retry_read(bio);
    return -1;
}

void TlsTransport::bio_write(const char* from, int n) {
    if (cipher_owner != this) cipher_out.clear();   // never another connection's bytes
    cipher_owner = this;
    cipher_out.append(from, static_cast<size_t>(n));
}

Transport::Got TlsTransport::try_recv() {
    if (broken_) return {nullptr, -ECONNRESET};
    char* to = Core::here().read_buffer();
    size_t have = 0, n = 0;
    do {   // records that came together are handed on together
        int r = SSL_read_ex(ssl_, to + have, Core::read_buffer_bytes - have, &n);
        if (r != 1) {
            if (have) break;   // told by the next read
            return no_bytes(SSL_get_error(ssl_, r));
        }
        have += n;
    } while (have < Core::read_buffer_bytes && SSL_has_pending(ssl_));
    if (can_recv_ || SSL_has_pending(ssl_)) can_read();   // as in SocketTransport::try_recv
    if (!flush()) fail();
    return {to, static_cast<ssize_t>(have)};
}

ssize_t TlsTransport::try_send(const iovec* pieces, int n) {
    if (broken_) return -EPIPE;
    if (!cipher_rest_.empty()) {
        if (!push_cipher()) return -EPIPE;
        if (!cipher_rest_.empty()) return -EAGAIN;
    }
    Cursor at{pieces, n};
    size_t taken = std::exchange(ahead_, 0);
    at.skip(taken);
    for (;;) {
        size_t batch = 0;
        while (batch < batch_max) {
            std::string_view record = at.next_record();
            if (record.empty()) break;
            if (!write_record(record)) return -EPIPE;
            batch += record.size();
        }
        if (batch == 0) return static_cast<ssize_t>(taken);
        if (!flush()) return -EPIPE;
        if (!cipher_rest_.empty()) {
            ahead_ = batch;
            return taken ? static_cast<ssize_t>(taken) : -EAGAIN;
        }
        taken += batch;
    }
}

// More than one record only where the peer asked for small ones.
bool TlsTransport::write_record(std::string_view record) {
    while (!record.empty()) {
        size_t written = 0;
        if (SSL_write_ex(ssl_, record.data(), record.size(), &written) != 1) {
            ERR_clear_error();
            return false;
        }
        record.remove_prefix(written);
    }
    return true;
}

Transport::Got TlsTransport::no_bytes(int error) {
    if (!flush()) error = SSL_ERROR_SYSCALL;
    if (error == SSL_ERROR_WANT_READ) return {nullptr, -EAGAIN};
    if (error == SSL_ERROR_ZERO_RETURN) return {nullptr, 0};
    ERR_clear_error();   // a reset, a broken record, or an end without close_notify: a body that ends with it is cut
    fail();
    return {nullptr, -ECONNRESET};
}

// Sends what OpenSSL produced; what the socket does not take is kept. False: broken.
bool TlsTransport::flush() {
    if (cipher_owner != this || cipher_out.empty()) return true;
    size_t sent = 0;
    if (cipher_rest_.empty()) {
        ssize_t n = ::send(fd_, cipher_out.data(), cipher_out.size(), MSG_NOSIGNAL);
        if (n < 0 && errno != EAGAIN && errno != EINTR) {
            cipher_out.clear();
            return false;
        }
        sent = n > 0 ? static_cast<size_t>(n) : 0;
    }
    cipher_rest_.append(cipher_out, sent);
    cipher_out.clear();
    return cipher_rest_.size() <= held_max;
}

bool TlsTransport::push_cipher() {
    ssize_t n = ::send(fd_, cipher_rest_.data(), cipher_rest_.size(), MSG_NOSIGNAL);
    if (n < 0) return errno == EAGAIN || errno == EINTR;
    if (static_cast<size_t>(n) == cipher_rest_.size()) std::string().swap(cipher_rest_);
    else cipher_rest_.erase(0, static_cast<size_t>(n));
    return true;
}

void TlsTransport::say_goodbye() {
    finished_ = true;
    SSL_shutdown(ssl_);
    ERR_clear_error();
    flush();
}

void TlsTransport::leave_handshakes() {
    if (!underway_.linked()) return;
    underway_.unlink();
    Handshakes::here().n--;
}

void TlsTransport::give_up() {
    leave_handshakes();
    why_ = "too many handshakes under way";
    fail();
}

}  // namespace weir
