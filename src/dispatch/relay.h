// Moves an engine's answer to the client without reading its meaning. Pulls: a slow client slows the worker.
#pragma once
#include <array>
#include <string_view>

#include "base/clock.h"
#include "base/result.h"
#include "net/exchange.h"
#include "net/upstream.h"
#include "types/outcome.h"

namespace weir::dispatch {

// What an observer wants to see of the bytes that pass; called in the loop, must not wait.
class Observer {
public:
    virtual ~Observer() = default;
    virtual void passed(std::string_view payload_or_framed, Instant read_at) = 0;
};

struct RelayRules {
    uint64_t keepalive_ms = 0;     // silence after which an SSE comment is sent; 0: never
    uint64_t idle_ms = 0;          // silence after which the worker is given up; 0: never
};

struct Relay {                     // lives in the frame of whoever relays
    bool sse = false, framed = false;
    bool at_boundary = true;       // SSE: an event ended last, so a frame of our own may follow
    bool between_chunks = true;    // framed: no chunk is open towards the client
    bool ended = false;            // the whole answer has been written
    bool done = false;             // SSE: [DONE] was the last event: whatever breaks now, the client has all
    std::array<char, 14> tail{};   // SSE: the last bytes, as long as "data: [DONE]\n\n"
    uint64_t busy_ns = 0;          // our own time: from the loop's turn to the end of each write
};

// Sends the answer's head (`lines`: end-to-end fields) and what of the body is here already. False: the client is gone.
bool begin(Relay&, HttpExchange& client, Upstream&, const ResponseHead&, std::string_view lines, bool has_date, Observer&);

// The rest of the body. Ok: ended. Failure codes: cancelled (client gone), deadline, incomplete, engine_garbage; then the head is
// out and the caller tells the client in its dialect's words where at_boundary allows it.
// `deadline`: of the whole request; 0: none. `rules` must outlive the call.
Task<Result<void>> run(Relay&, HttpExchange& client, Upstream&, const RelayRules& rules, Instant deadline, Observer&);

// Writes a piece of our own (an SSE comment or error frame) into a relayed stream, in its framing. `end`: nothing follows.
bool insert(Relay&, HttpExchange& client, std::string_view text, bool end);

}  // namespace weir::dispatch
