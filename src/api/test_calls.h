// Tests only: a body through decoding, and an error as text.
#pragma once
#include <memory>
#include <string>

#include "api/decode.h"
#include "api/error_body.h"
#include "wire/json_write.h"

namespace weir::api::testing {

struct Decoded {                         // keeps the body and arena the Call points into
    std::string body;
    Arena arena;
    Call call;
    Options options;
    Result<void> result;
};

inline Options options_of(Dialect dialect) {
    Options o;
    o.dialect = dialect;
    o.metrics_on_main_port = dialect == Dialect::frontend;
    return o;
}

inline std::unique_ptr<Decoded> decode(Options options, Api api, std::string body, bool full = true, Str content_type = "application/json") {
    auto d = std::make_unique<Decoded>();
    d->body = std::move(body);
    d->options = options;
    d->call.api = api;
    d->call.doc.body = d->body;
    d->result = decode_light(options, content_type, d->call, d->arena);
    if (d->result && full) d->result = decode_full(options, d->call, d->arena);
    return d;
}

inline std::string text_of(const Reply& r) {
    std::string out = std::to_string(r.status);
    if (!r.content_type.empty()) out += " " + r.content_type;
    std::string headers = r.headers;
    for (size_t at; (at = headers.find("\r\n")) != std::string::npos;) {
        out += "\n" + headers.substr(0, at);
        headers.erase(0, at + 2);
    }
    return out + "\n" + r.body;
}

}  // namespace weir::api::testing
