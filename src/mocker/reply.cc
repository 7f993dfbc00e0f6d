#include "mocker/reply.h"

#include "wire/json_write.h"
#include "wire/utf8.h"

namespace weir::mocker {
namespace {

std::string_view error_type(EngineKind kind, int status) {
    const bool vllm = kind == EngineKind::vllm;
    switch (status) {
        case 400: return vllm ? "BadRequestError" : "BadRequest";
        case 401: return "Unauthorized";
        case 404: return vllm ? "NotFoundError" : "NotFound";
        case 429: return "RateLimitError";
        case 503: return "ServiceUnavailableError";
        default: return status < 500 ? "BadRequestError" : "InternalServerError";
    }
}

int status_of(Code code) {
    switch (code) {
        case Code::model_unknown: return 404;
        case Code::queue_full: return 503;
        default: return 400;
    }
}

}  // namespace

MockReply text_reply(int status, std::string body, std::string_view content_type) {
    MockReply r;
    r.status = status;
    r.lines.append("content-type: ").append(content_type).append("\r\n");
    r.body = std::move(body);
    return r;
}

MockReply json_reply(int status, std::string body) { return text_reply(status, std::move(body), "application/json"); }

MockReply error_reply(EngineKind kind, int status, std::string_view message, std::string_view param) {
    std::string body;
    JsonWriter w(body);
    w.object();
    if (kind == EngineKind::vllm) w.key("error").object();
    else w.member("object", "error");
    w.member("message", utf8_valid(message) ? message : std::string_view("the request is not valid UTF-8"));
    w.member("type", error_type(kind, status));
    if (param.empty()) w.member("param", nullptr);
    else w.member("param", param);
    w.member("code", status).end_object();
    if (kind == EngineKind::vllm) w.end_object();
    return json_reply(status, std::move(body));
}

MockReply error_reply(EngineKind kind, const Failure& f) { return error_reply(kind, status_of(f->code), f->message, f->param); }

MockReply detail_reply(int status, std::string_view detail) {
    std::string body;
    JsonWriter(body).object().member("detail", detail).end_object();
    return json_reply(status, std::move(body));
}

}  // namespace weir::mocker
