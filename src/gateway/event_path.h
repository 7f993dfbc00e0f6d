// The second path: an engine's answer is decoded to Events and encoded in the client's dialect.
#pragma once
#include <memory>
#include <string>

#include "api/encode.h"
#include "types/call.h"
#include "types/event.h"

namespace weir {

class EventPath {
public:
    EventPath(const api::Options& options, const Call& call, int64_t now_s) : tail(tail_of(call)), encoder(api::make_encoder(options, tail, now_s)) {}
    Tail tail;
    std::unique_ptr<api::Encoder> encoder;
    Batch batch;
    void engine_request(const Call&, std::string& out) { (void)out; }
};

}  // namespace weir
