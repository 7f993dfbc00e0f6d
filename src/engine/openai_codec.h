// The OpenAI HTTP API as an engine speaks it: a Call to a request body, an answer's bytes to Events. No sockets.
#pragma once
#include <string>
#include <vector>

#include "base/limits.h"
#include "types/call.h"
#include "types/event.h"
#include "wire/sse.h"

namespace weir::engine {

struct OpenAiRequest {
    Str model;                           // as the worker knows it; empty: as the client named it
    bool stream = false;                 // how the engine is asked to answer, usually as the client asked
    bool ask_usage = false;              // stream: want the usage chunk even if the client did not
};
// Appends the body. The Call must be fully decoded (api::decode_full). Messages, prompts and tools that came in this API are copied as
// sent, so are the members of Call::extra; the rest is written from the Call.
void write_openai_request(const Call&, const OpenAiRequest&, std::string& out);

// Decodes one 2xx answer. Feed the payload of each read (no chunk framing), then finish() when the body ended properly.
// One object per answer. Views in the Events are good until the next feed() and while the bytes fed and the batch stay.
class OpenAiDecoder {
public:
    OpenAiDecoder(Api, bool stream, size_t body_max = limits::answer_body_max);
    // Adds to `out` (the caller clears it). Failure: engine_garbage; the answer cannot be used further. An error the engine itself reports
    // in a frame is no Failure but an Event::failure, and ends the answer (done()).
    Result<void> feed(Str bytes, Batch& out);
    // The body ended. Unary: all Events come now. Failure: engine_garbage, or incomplete (no [DONE] and a choice without finish reason).
    Result<void> finish(Batch& out);
    bool done() const { return done_; }                        // [DONE], or an error frame; what follows is ignored
    bool finished() const;                                     // every choice seen so far has its finish reason
    size_t held_bytes() const { return body_.capacity() + reader_.held_bytes(); }

private:
    friend class OpenAiAnswer;
    Result<void> frame(Str json, Batch& out);

    const Api api_;
    const bool stream_;
    const size_t body_max_;
    bool done_ = false, begun_ = false;
    std::vector<bool> choices_;          // by index: finish reason seen; grows to limits::choices_max
    std::vector<bool> seen_;
    SseReader reader_;
    std::string body_;                   // unary
    FailureBody status_;                 // what an error frame said
};

// A non-2xx answer. `headers`: end-to-end ones, "name: value\r\n" each; body is cut at limits::error_body_max.
Failure openai_status(int status, Str headers, Str body);

}  // namespace weir::engine
