// The second path: an engine's answer is decoded to Events and encoded in the client's dialect, though both speak the same.
// Token engines and other dialects use nothing else; the differential test sends every request through both paths.
#pragma once
#include <memory>
#include <string>

#include "api/encode.h"
#include "engine/openai_codec.h"
#include "gateway/request_scope.h"
#include "route/booking.h"
#include "types/call.h"
#include "types/event.h"

namespace weir {

class EventPath {
public:
    EventPath(const api::Options& options, const Call& call, int64_t now_s)
        : tail_(tail_of(call)), encoder_(api::make_encoder(options, tail_, now_s)), decoder_(call.api, streaming()) {}
    bool streaming() const { return tail_.wants & wants::stream; }
    void write_request(const Call& call, std::string& out) const {
        engine::write_openai_request(call, {{}, streaming(), (tail_.wants & wants::include_usage) != 0}, out);
    }

    // One read of the engine's body (payload, no chunk framing); appends what the client gets now.
    Result<void> feed(std::string_view bytes, Instant at, RequestScope&, Booking&, std::string& out);
    // The engine's body ended; appends the rest (unary: the whole body).
    Result<void> finish(RequestScope&, std::string& out);
    api::Encoder& encoder() { return *encoder_; }
    bool done() const { return decoder_.done(); }

private:
    void pass(RequestScope&, std::string& out);
    uint32_t out_tokens_ = 0;
    Tail tail_;
    std::unique_ptr<api::Encoder> encoder_;
    engine::OpenAiDecoder decoder_;
    Batch batch_;
};

}  // namespace weir
