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

// `request` views must survive co_await when the pool is empty: `hold` is called first (false: no memory, shed).
// Failure codes: connect_failed (nothing was sent: another worker may be tried), reset_before_byte (some of it may have been).
// A pooled connection that turns out dead before a byte was accepted is replaced silently.
Task<Result<Sent>> send(ClientPool& pool, const Target& target, HttpExchange& client, const std::string& lines, std::string_view method,
                        const std::string& path, std::string_view edited_body);

}  // namespace weir::dispatch
