#include "base/result.h"

namespace weir {

Failure::Failure(Code code, std::string message, std::string param) : body_(std::make_unique<FailureBody>()) {
    body_->code = code;
    body_->message = std::move(message);
    body_->param = std::move(param);
}

const char* name(Code code) {
    static constexpr const char* names[] = {
        "ok", "bad_json", "bad_field", "missing_field", "unsupported_field", "bad_content_type", "bad_request", "too_large",
        "too_many_headers", "uri_too_long", "request_timeout", "route_unknown", "method_not_allowed", "unauthenticated",
        "forbidden", "model_unknown", "no_worker", "not_ready", "draining", "queue_full", "shed", "rate_limited",
        "queue_timeout", "connect_failed", "reset_before_byte", "ack_error", "first_byte_timeout", "deadline", "engine_status",
        "engine_garbage", "lost_mid_stream", "incomplete", "cancelled", "not_supported", "internal"};
    static_assert(sizeof names / sizeof *names == static_cast<size_t>(Code::internal) + 1);
    return names[static_cast<size_t>(code)];
}

}  // namespace weir
