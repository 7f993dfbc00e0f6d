// One request in flight to a worker, over HTTP/1 or HTTP/2; and the per-core pool its connections come from.
#pragma once
#include <atomic>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "net/core.h"
#include "net/transport.h"
#include "wire/http1.h"

namespace weir {

class H2Pool;      // net/h2_client.h
class Resolver;    // net/resolver.h
class TlsClient;   // net/tls.h: certificates, CA list, verification for connections to workers

// Where a worker listens. Immutable; outlives every request to it (owned by the fleet's snapshot).
struct Target {
    std::string host;              // name or address literal without brackets; for Host and SNI
    uint16_t port = 0;
    std::string unix_path;         // not empty: a unix socket, host is only a name
    bool tls = false;
    enum class Http : uint8_t { one, two_prior, two_alpn } http = Http::one;
    std::string authority;         // what goes into Host
    std::string path_prefix;       // before every request path; no slash at its end
    uint32_t slot = 0;             // index of the worker's idle list in every core's pool
    const TlsClient* tls_client = nullptr;
};

struct UpstreamLimits {            // milliseconds, 0 = none
    uint64_t connect_ms = 10'000;
    uint64_t first_byte_ms = 0;    // request sent to response head
    uint64_t idle_ms = 0;          // between reads of the body
    uint64_t total_ms = 0;
    uint64_t pool_idle_ms = 3'000; // below the keep-alive of vLLM and SGLang (5 s)
};

struct UpstreamRequest {
    std::string_view method, path; // path with query
    std::string_view lines;        // end-to-end fields "name: value\r\n"..., without host and framing
    std::span<const iovec> body;   // whole body, or its beginning:
    bool open = false;             // takes_open() only: more comes with write()
    bool trailers = false;         // HTTP/2 only: "te: trailers" is said, and no content-length
};

// Bytes of a response body. `bytes` are valid until the next co_await of this core.
struct Piece {
    std::string_view bytes;
    bool end = false;              // the body is complete
};

class Upstream {                   // destruction = cancel: HTTP/1 closes the connection, HTTP/2 resets the stream
public:
    virtual ~Upstream() = default;
    // False: broken before or while sending; see bytes_accepted(). A body that does not fit the socket at once goes on by itself.
    virtual bool send(const UpstreamRequest&) = 0;
    // True once the worker may have processed any of it: then the request is not sent again elsewhere.
    virtual bool bytes_accepted() const = 0;
    virtual bool sending() const { return false; }   // some of the request still waits in memory: its charge must stay
    virtual bool takes_open() const { return false; }
    // After an open request: more of its body. `end`: nothing follows. False: the stream is over, or limits::write_rest_max bytes wait
    // already (nothing of `bytes` is taken then).
    virtual bool write(std::string_view bytes, bool end) { return static_cast<void>(bytes), static_cast<void>(end), false; }
    virtual std::string_view trailers() const { return {}; }   // "name: value\r\n" lines behind the body, once it ended; HTTP/2 only
    // The final response head (1xx skipped). Views are valid until the next co_await. Failure codes: reset_before_byte,
    // first_byte_timeout, engine_garbage.
    virtual Task<Result<void>> read_head(ResponseHead& out) = 0;
    // The body, without waiting. got: `out` is set. pending: nothing here yet, wait with NextPiece. failed: see failure().
    enum class Poll : uint8_t { got, pending, failed };
    virtual Poll poll(Piece& out) = 0;
    // Before waiting for anything but the next piece: bytes read and not yet given out would die with the core's read buffer.
    virtual void hold() {}
    // After failed: incomplete (closed early), engine_garbage (bad framing), deadline (nothing came in time; poll may be called again).
    virtual Failure failure() = 0;
    virtual Waiter*& reader_slot() = 0;     // made ready when poll() may have more to say
    // co_await next_piece(up, out): got or failed.
    Task<Result<Piece>> next();             // the same as a task of its own, for paths that are not hot
    // Pieces keep HTTP/1 chunk framing (only with BodyKind::chunked, only asked for before the first piece).
    virtual bool set_framed(bool) { return false; }
    virtual bool between_chunks() const { return true; }   // framed: the bytes so far end at a chunk boundary
    virtual bool close_chunk(std::string&) const { return false; }   // framed, after failed: see BodyFramer::close_chunk
    // The deadline of the next await: read_head and next() fail with first_byte_timeout / deadline after it.
    virtual void deadline_in(uint64_t ms) = 0;
};

// Waits for a piece without a frame of its own: the relay's loop holds it.
struct NextPiece : Waiter {
    Upstream& up;
    Piece piece;
    Upstream::Poll state = Upstream::Poll::pending;
    explicit NextPiece(Upstream& up) : up(up) { retry = [](Waiter& w) { return static_cast<NextPiece&>(w).again(); }; }
    bool await_ready() { return (state = up.poll(piece)) != Upstream::Poll::pending; }
    void await_suspend(std::coroutine_handle<> h) { frame = h; park(up.reader_slot()); }
    Upstream::Poll await_resume() const { return state; }
    bool again() {
        if (await_ready()) return true;
        park(up.reader_slot());
        return false;
    }
};

// Connections of one core to all workers. Idle ones are kept per slot, newest first.
class ClientPool {
public:
    ClientPool(Core& core, Resolver& resolver, const UpstreamLimits& limits);
    // Where new connections come from; null: the network. Tests and the simulation give their own.
    using Connector = Task<Result<std::unique_ptr<Transport>>> (*)(void* self, const Target&);
    void connect_through(Connector connector, void* self) { connector_ = connector; connector_self_ = self; }
    ~ClientPool();
    // A pooled connection that is certainly alive, or null: then co_await open(). Never waits.
    std::unique_ptr<Upstream> take(const Target&);
    Task<Result<std::unique_ptr<Upstream>>> open(const Target&);
    void forget(uint32_t slot);                            // a worker left: its idle connections close
    size_t idle() const { return idle_.load(std::memory_order_relaxed); }   // HTTP/1 connections at rest; any thread
    size_t busy() const { return busy_.load(std::memory_order_relaxed); }   // ... and with a request; any thread
    const UpstreamLimits& limits() const { return limits_; }

    // For Upstream implementations:
    void count_busy(int change) { busy_.fetch_add(static_cast<uint32_t>(change), std::memory_order_relaxed); }
    void put_back(const Target&, std::unique_ptr<Transport>);

private:
    struct Idle { std::unique_ptr<Transport> transport; uint64_t since_ms; };
    struct Sweep : Timer { ClientPool* pool; };
    void sweep();
    Core& core_;
    Resolver& resolver_;
    UpstreamLimits limits_;
    std::vector<std::vector<Idle>> slots_;
    Task<Result<std::unique_ptr<Transport>>> dial(const Target&);
    Task<Result<std::unique_ptr<Transport>>> connect(const Target&);
    Connector connector_ = nullptr;
    void* connector_self_ = nullptr;
    std::unique_ptr<H2Pool> h2_;
    std::atomic<uint32_t> idle_{0}, busy_{0};
    Sweep sweep_;
};

}  // namespace weir
