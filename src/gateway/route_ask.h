// What routing goes by of one request, beyond what decode told: hints out of headers and body, the prompt's tokens and blocks.
#pragma once
#include <string>

#include "base/arena.h"
#include "base/result.h"
#include "kv/block_hash.h"
#include "prepare/routing_text.h"
#include "prepare/token_ids.h"
#include "types/prepared.h"
#include "wire/http1.h"

namespace weir {

struct RouteAsk {                        // owns what a Prepared views, until the request is on its way
    Hints hints;
    prepare::Said said;
    TokenIds ids;
    kv::BlockHashes hashes;
    uint32_t block = 0;                  // tokens
    uint64_t queued_ns = 0;              // in the router's queue
    bool explain = false;                // x-weir-decision: the client wants to know
    void fill(Prepared& out) const;
};

struct HintRules {
    std::vector<std::string> key_headers = {"x-smg-routing-key"};   // lower case; the first that is there names the conversation
    bool key_of_body = false;            // `rid` in the body names it, and wins
    bool implicit_key = false;           // else x-forwarded-for, else cookie
    bool nvext = false;                  // Dynamo's extension of the body is read
};

// Strings are copied into the arena. Needs Doc::top. bad_field: a worker is named by something that is no number.
Result<void> read_header_hints(const HintRules&, const HeadersView&, Arena&, RouteAsk&);
void read_body_hints(const HintRules&, const Call&, Arena&, RouteAsk&);

}  // namespace weir
