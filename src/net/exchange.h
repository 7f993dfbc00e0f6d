// One HTTP request being answered, whichever version carries it; and the service that answers. One core, one coroutine.
#pragma once
#include <span>
#include <string>
#include <string_view>

#include "base/budget.h"
#include "base/result.h"
#include "net/transport.h"
#include "wire/http1.h"

namespace weir {

struct Reply {
    int status = 200;
    std::string_view lines;      // end-to-end fields, each "name: value\r\n"; no framing, connection or date fields
    int64_t length = -1;         // body bytes; -1: unknown (chunked, DATA frames, or until close for HTTP/1.0)
    bool close = false;          // the connection ends after this answer
    bool framed = false;         // HTTP/1.1 and length -1 only: the bytes given carry chunked framing already (pass-through)
    bool has_date = false;       // `lines` holds a date field (an engine's); else the server adds one
};

class HttpExchange {
public:
    virtual ~HttpExchange() = default;

    // Valid until the first co_await of whoever serves (it may be one of the core, borrowed), or until drop_body() after hold().
    const RequestHead& head() const { return *head_; }
    uint8_t http_major = 1;
    Instant received = 0;        // when the first byte of the request was read
    PeerAddress peer;
    bool secure = false;

    // --- request body ---
    // What has arrived, contiguous, without framing; followed by Core::read_padding readable bytes. Borrowed from the read buffer
    // until hold_body() or read_body(): then it lives until drop_body(). `head` is re-pointed by both when it was borrowed too.
    std::string_view body() const { return body_; }
    bool body_complete() const { return body_complete_; }
    // Makes body() and head survive co_await. Cheap when they already do. False: the body budget is empty.
    virtual bool hold() = 0;
    // Receives the whole body (answers "100 Continue" where asked), charged to ServerLimits::bodies. Fails with too_large beyond
    // `bytes_max` or beyond the whole budget, shed when the budget stays empty for 10 s, request_timeout when the client
    // stalls, bad_request for broken framing, cancelled when it left.
    virtual Task<Result<void>> read_body(size_t bytes_max) = 0;
    // Frees the body and the head (their views are dead): nothing of the request stays while an answer streams.
    virtual void drop_body() = 0;

    // --- answer ---
    // Head and first bytes leave in one call. False: the client is gone. `end`: nothing follows.
    virtual bool begin(const Reply&, std::span<const iovec> first, bool end) = 0;
    virtual bool write(std::span<const iovec> payload, bool end) = 0;
    virtual bool takes_framed() const { return false; }   // may Reply::framed be used; `end` then means: the last chunk is in
    // Tells the client that the answer is broken off: HTTP/1 closes with a reset, HTTP/2 sends RST_STREAM.
    virtual void abort() = 0;
    // HTTP/1 only, else false and nothing done: sends `raw` as it is, no head and no framing, and ends the connection where it
    // stands, with a FIN or a reset. At any point of an answer, also behind its end. For engines that misbehave on purpose.
    virtual bool break_off(std::string_view raw, bool reset) {
        (void)raw, (void)reset;
        return false;
    }
    bool begun() const { return begun_; }
    bool ended() const { return ended_; }
    uint64_t bytes_out() const { return bytes_out_; }

    // co_await drained(): after begin/write returned true and blocked(): true when the client has taken all.
    virtual bool blocked() const = 0;
    virtual bool gone() const = 0;                 // the client left, or its write deadline passed
    virtual Waiter*& writer_slot() = 0;            // made ready when blocked() ends or gone() begins
    virtual Waiter*& hangup_slot() = 0;            // made ready when the client leaves
    struct Drained : Waiter {
        HttpExchange& x;
        explicit Drained(HttpExchange& x) : x(x) {}
        bool await_ready() const { return !x.blocked() || x.gone(); }
        void await_suspend(std::coroutine_handle<> h) { frame = h; park(x.writer_slot()); }
        bool await_resume() const { return !x.blocked() && !x.gone(); }
    };
    Drained drained() { return Drained(*this); }

    bool write_text(std::string_view payload, bool end) {
        iovec v{const_cast<char*>(payload.data()), payload.size()};
        return write({&v, 1}, end);
    }
    bool reply(const Reply& r, std::string_view body) {   // a whole answer
        Reply whole = r;
        whole.length = static_cast<int64_t>(body.size());
        iovec v{const_cast<char*>(body.data()), body.size()};
        return begin(whole, {&v, body.empty() ? 0u : 1u}, true);
    }

protected:
    const RequestHead* head_ = nullptr;
    std::string_view body_;
    bool body_complete_ = false, begun_ = false, ended_ = false;
    uint64_t bytes_out_ = 0;
};

// What a server core runs requests through. One per listener kind; called on any core, must be immutable or per-core inside.
class HttpService {
public:
    virtual ~HttpService() = default;
    // Answers one request. Destroyed when the client leaves. Must leave the exchange ended(), or it is aborted.
    virtual Task<void> serve(HttpExchange&) = 0;
    // The body of an answer to a request that could not even be parsed (400, 408, 413, 414, 417, 431, 501, 505).
    // Appends fields to `lines` ("content-type: ...\r\n") and the body.
    virtual void refuse(int status, std::string_view why, std::string& lines, std::string& body) = 0;
};

struct ServerLimits {            // milliseconds; 0 = none
    uint64_t head_ms = 30'000;           // from the first byte of a head to its last
    uint64_t idle_ms = 90'000;           // between requests
    uint64_t body_stall_ms = 30'000;     // without a byte of the body
    uint64_t body_total_ms = 300'000;
    uint64_t write_stall_ms = 60'000;    // without the client taking a byte
    bool allow_half_close = false;       // a client that sent FIN still gets its answer
    Budget* bodies = nullptr;            // request bodies in flight; never null in service
};

// Serves one HTTP/1 connection until it ends. Owns the transport. `draining` true: keep-alive ends with the answer under way.
Task<void> serve_http1(std::unique_ptr<Transport>, HttpService&, const ServerLimits&, const std::atomic<bool>& draining);
// HTTP/2 (h2 by ALPN, h2c by prior knowledge). `first_bytes`: what was read while telling the protocols apart.
Task<void> serve_http2(std::unique_ptr<Transport>, HttpService&, const ServerLimits&, const std::atomic<bool>& draining,
                       std::string first_bytes);

}  // namespace weir
