// A Failure in a dialect's words: status, headers and body before the first byte; an SSE frame after it.
#pragma once
#include <string>

#include "api/dialect.h"
#include "base/result.h"

namespace weir::api {

struct Reply {
    int status = 200;
    std::string content_type;            // empty: no content-type header
    std::string headers;                 // further ones, "name: value\r\n" each
    std::string body;
    std::string code = {};               // launch: the word of an error, as in the body
};

struct Asked {                           // what the words of an error mention
    Str method, path;
    Str model = {};                      // as the client named it
    Str allow = {};                      // method_not_allowed
    bool any_model_ever = true;          // frontend: before the first model its 404 has no body
};

// engine_status: launch passes the engine's status, headers and body on; frontend keeps the status class and says its own text.
Reply error_reply(const Options&, const FailureBody&, const Asked&);
// What ends a stream whose head is already out: the error frame and [DONE], or the dialect's equivalent.
void append_error_frame(const Options&, const FailureBody&, std::string& out);
int status_of(const Options&, const FailureBody&);   // the status error_reply() would use, for logs and metrics

}  // namespace weir::api
