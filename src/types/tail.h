// All that outlives the first upstream byte: respond and the encoders see this, never the Call.
#pragma once
#include <string>

#include "types/call.h"

namespace weir {

struct Tail {
    RequestId id;
    Api api = Api::none;
    Dialect dialect = Dialect::frontend;
    uint32_t wants = 0;              // bits of namespace wants
    uint32_t prompt_tokens = 0, max_out = 0;
    uint16_t choices = 1;
    bool opens_in_reasoning = false;
    bool bare_role = false;          // a choice's first event is worth a chunk that names the role, though it has no text
    std::string model;               // as the client named it
    const Call* kept = nullptr;      // only if the endpoint's row says keeps_call, else null
};

inline Tail tail_of(const Call& call, bool bare_role = false) {
    Tail t;
    t.bare_role = bare_role;
    t.id = call.id;
    t.api = call.api;
    t.dialect = call.dialect;
    t.wants = call.wants;
    t.choices = call.choices;
    t.max_out = call.sampling.max_tokens ? static_cast<uint32_t>(*call.sampling.max_tokens) : 0;
    t.model.assign(call.model);
    return t;
}

}  // namespace weir
