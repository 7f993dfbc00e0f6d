// The path of an answer that passes as Events: an engine's stream is pulled, token ids become text, and the client's dialect encodes.
// HTTP engines take it when more than bytes must change, Dynamo's workers always; the differential test sends every request through both.
#pragma once
#include <memory>
#include <string>

#include "api/encode.h"
#include "engine/openai_codec.h"
#include "engine/stream.h"
#include "gateway/request_scope.h"
#include "respond/token_text.h"
#include "route/booking.h"
#include "types/call.h"
#include "types/event.h"

namespace weir {

class EventPath {
public:
    EventPath(const api::Options& options, const Call& call, int64_t now_s, bool bare_role = false)
        : tail_(tail_of(call, bare_role)), encoder_(api::make_encoder(options, tail_, now_s)) {}
    bool streaming() const { return tail_.wants & wants::stream; }
    Api api() const { return tail_.api; }
    void write_request(const Call& call, std::string& out) const {
        engine::write_openai_request(call, {{}, streaming(), (tail_.wants & wants::include_usage) != 0}, out);
    }
    // Before next(): where the Events come from, and what makes text of their ids (null: there are none).
    void from(std::unique_ptr<EngineStream> stream) { stream_ = std::move(stream); }
    void spell(std::unique_ptr<respond::TokenText> text) { text_ = std::move(text); }
    void keep(std::shared_ptr<const void> what) { kept_ = std::move(what); }   // as long as there is text to be made
    bool has_stream() const { return stream_ != nullptr; }
    EngineStream& stream() { return *stream_; }

    // Pulls once; appends what the client gets now. False: it was the end, and `out` has it (unary: the whole body). An engine's own error is
    // a failure too; streaming, its frame is in `out` then.
    Task<Result<bool>> next(RequestScope&, Booking&, std::string& out);
    api::Encoder& encoder() { return *encoder_; }

private:
    void count(const Batch&, RequestScope&, Booking&);
    void end(RequestScope&, std::string& out);
    std::shared_ptr<const void> kept_;
    uint32_t out_tokens_ = 0;
    Tail tail_;
    std::unique_ptr<api::Encoder> encoder_;
    std::unique_ptr<EngineStream> stream_;
    std::unique_ptr<respond::TokenText> text_;
    Batch batch_, spelled_;
};

}  // namespace weir
