// Request bodies in. Light: one pass, what routing and forwarding need. Full: everything a Call can hold.
#pragma once
#include "api/table.h"
#include "base/arena.h"

namespace weir::api {

// In: call.doc.body (all of it, JSON text; must outlive the Call), call.api, content_type as sent (empty: none).
// Out: doc.top, model, user, wants, choices, sampling.{n,max_tokens}; call.extra. Checks the types and ranges of all known
// top-level fields and, in the frontend dialect, refuses unknown ones. About 5 us for 30 KB.
// Errors: bad_json, missing_field, bad_field, unsupported_field, bad_content_type; the message is complete, in the dialect's
// words, with line and column; error_body() only wraps it.
Result<void> decode_light(const Options&, Str content_type, Call&, Arena&);

// After decode_light; adds messages, prompts, tools, sampling and the rest (Call::full). Views point into the body or the arena.
Result<void> decode_full(const Options&, Call&, Arena&);

// Percent-decoded model id of GET /v1/models/{id}. Bad escapes are kept as they are.
Str model_of_path(Str rest, Arena&);

}  // namespace weir::api
