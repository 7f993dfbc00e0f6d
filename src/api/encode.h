// Events out as the client's bytes: SSE chunks, or one JSON body folded from the same events.
#pragma once
#include <memory>
#include <string>

#include "api/dialect.h"
#include "types/event.h"
#include "types/tail.h"

namespace weir::api {

// One per answer, one core. Not reusable.
class Encoder {
public:
    virtual ~Encoder() = default;
    // Streaming: appends chunks to `out`. Unary: folds, appends nothing.
    virtual void events(const Batch&, std::string& out) = 0;
    // The engine's stream ended cleanly: [DONE], or the whole body.
    virtual void end(std::string& out) = 0;
    // Streaming only: the error frame and [DONE]; nothing may follow.
    virtual void fail(const FailureBody&, std::string& out) = 0;
    virtual Str content_type() const = 0;
    // An Event::failure was seen. Unary: answer with error_reply() instead of end(). Streaming: fail() was already written.
    const FailureBody* failure() const { return failure_ ? &*failure_ : nullptr; }

protected:
    std::optional<FailureBody> failure_;
};

// now_s: unix seconds, for `created` when the engine says none. Api: chat, completions, embeddings; else null.
std::unique_ptr<Encoder> make_encoder(const Options&, const Tail&, int64_t now_s);

// "chatcmpl-<uuid>", "cmpl-<uuid>", "embd-<uuid>"
std::string answer_id(Api, RequestId);

}  // namespace weir::api
