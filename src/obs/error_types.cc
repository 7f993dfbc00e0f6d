#include "obs/error_types.h"

namespace weir {
namespace {

EndpointNames by_status(int status) {
    if (status == 0) return {"internal", "backend_error"};
    if (status < 400) return {};
    switch (status) {
        case 404: return {"not_found", "backend_error"};
        case 408:
        case 504: return {"response_timeout", "timeout"};
        case 429:
        case 529: return {"overload", "rate_limit_error"};
        case 499: return {"cancelled", "cancelled"};
        case 501: return {"not_implemented", "backend_error"};
        case 503: return {"unavailable", "backend_error"};
        default: break;
    }
    return status < 500 ? EndpointNames{"validation", "validation_error"} : EndpointNames{"internal", "backend_error"};
}

}  // namespace

EndpointNames endpoint_names(Api api) {
    switch (api) {
        case Api::chat: return {"chat_completions", "chat"};
        case Api::completions: return {"completions", "completions"};
        case Api::embeddings: return {"embeddings", "embeddings"};
        case Api::responses: return {"responses", "responses"};
        case Api::messages: return {"anthropic_messages", "messages"};
        default: return {"other", "other"};
    }
}

EndpointNames error_types(Code code, int status) {
    switch (code) {
        case Code::ok: return status == 0 ? EndpointNames{} : by_status(status);
        case Code::engine_status: return by_status(status);
        case Code::bad_json: case Code::bad_field: case Code::missing_field: case Code::unsupported_field: case Code::bad_content_type:
        case Code::bad_request: case Code::too_large: case Code::too_many_headers: case Code::uri_too_long: case Code::request_timeout:
        case Code::method_not_allowed: case Code::unauthenticated: case Code::forbidden: return {"validation", "validation_error"};
        case Code::route_unknown: return {"not_found", "validation_error"};
        case Code::model_unknown: return {"not_found", "no_workers"};
        case Code::no_worker: case Code::not_ready: case Code::draining: return {"unavailable", "no_workers"};
        case Code::queue_full: case Code::shed: case Code::rate_limited: case Code::queue_timeout: return {"overload", "rate_limit_error"};
        case Code::connect_failed: case Code::reset_before_byte: case Code::ack_error: return {"unavailable", "backend_error"};
        case Code::first_byte_timeout: case Code::deadline: return {"response_timeout", "timeout"};
        case Code::engine_garbage: case Code::lost_mid_stream: case Code::incomplete: return {"internal", "backend_error"};
        case Code::cancelled: return {"cancelled", "cancelled"};
        case Code::not_supported: return {"not_implemented", "validation_error"};
        default: return {"internal", "internal_error"};
    }
}

}  // namespace weir
