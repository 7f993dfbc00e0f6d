// Gets a request to a worker: a pooled connection or a new one, and the whole request in one send.
#pragma once
#include <memory>

#include "base/result.h"
#include "net/exchange.h"
#include "net/upstream.h"

namespace weir::dispatch {

struct Sent {
    std::unique_ptr<Upstream> upstream;
    bool reused = false;             // over a pooled connection
    uint64_t waited_ns = 0;          // for the connection
};

struct Outgoing {                    // the request as workers get it; views live as long as the call that sends
    std::string_view method, path, lines;
    std::string_view body;           // instead of the client's, when `own_body`
    bool own_body = false;
};

// Over a pooled connection, without waiting. False: there was none (or only dead ones), co_await send(). A failure as of send().
Result<bool> send_now(ClientPool&, const Target&, HttpExchange& client, const Outgoing&, Sent&);

// Over a new connection when none is idle. The client's request is held first (shed: no memory for it); `out` must survive co_await.
// Failure codes: connect_failed (nothing was sent: another worker may be tried), reset_before_byte (some of it may have been).
// A pooled connection that turns out dead before a byte was accepted is replaced silently.
Task<Result<void>> send(ClientPool&, const Target&, HttpExchange& client, const Outgoing& out, Sent&);

}  // namespace weir::dispatch
