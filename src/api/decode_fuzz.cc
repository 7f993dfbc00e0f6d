// Bodies through light and full decoding in both dialects; what is accepted must survive being written for an engine.
// First byte: api (2 bits), dialect, ignore_unsupported; the rest is the body.
#include <cstdlib>

#include "api/decode.cc"
#include "api/decode_messages.cc"
#include "api/decode_prompt.cc"
#include "api/decode_rest.cc"
#include "api/error_body.h"
#include "api/fields.cc"
#include "engine/openai_request.cc"
#include "wire/json_walk.cc"

namespace {

using namespace weir;

void require(bool holds) {
    if (!holds) abort();
}

api::Options options_of(uint8_t bits) {
    api::Options o;
    o.dialect = bits & 4 ? Dialect::launch : Dialect::frontend;
    o.ignore_unsupported = bits & 8;
    return o;
}

// The error as a client would get it is JSON and names no more than a bounded part of the body.
void check_refusal(const api::Options& options, const FailureBody& f) {
    api::Reply r = api::error_reply(options, f, {"POST", "/v1/x", "m"});
    require(r.status >= 400 && r.status < 500);
    require(static_cast<bool>(check_json(r.body)));
    require(r.headers.find('\n') == std::string::npos || r.headers.find("\r\n") != std::string::npos);
}

void check_written(const api::Options& options, Call& call) {
    for (Wire from : {Wire::openai, Wire::anthropic}) {
        call.wire = from;
        std::string out;
        engine::write_openai_request(call, {"other", (call.wants & wants::stream) != 0, false}, out);
        require(static_cast<bool>(check_json(out)));
        Arena arena;
        Call again;
        again.api = call.api;
        again.doc.body = out;
        require(static_cast<bool>(api::decode_light(options, "application/json", again, arena)));
        require(static_cast<bool>(api::decode_full(options, again, arena)));
        require(again.model == "other" && again.choices == call.choices && again.wants == call.wants);
        require(again.messages.size() == call.messages.size() && again.prompts.size() == call.prompts.size() && again.tools.size() == call.tools.size());
    }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
    if (size == 0) return 0;
    constexpr Api apis[] = {Api::chat, Api::completions, Api::embeddings, Api::chat};
    std::string body(reinterpret_cast<const char*>(data) + 1, size - 1);
    api::Options options = options_of(data[0]);
    Arena arena;
    Call call;
    call.api = apis[data[0] & 3];
    call.doc.body = body;
    auto ok = api::decode_light(options, "application/json", call, arena);
    if (ok) ok = api::decode_full(options, call, arena);
    if (!ok) check_refusal(options, *ok.error());
    else check_written(options, call);
    return 0;
}
