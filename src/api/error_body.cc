#include "api/error_body.h"

#include "wire/chars.h"
#include "wire/http1.h"
#include "wire/json_write.h"
#include "wire/sse.h"

namespace weir::api {
namespace {

std::string quoted(Str text) {
    std::string out;
    append_json_string(out, text);
    return out;
}

// ---- frontend: bare {"message","type","code"}, one text per class, nothing of the engine's own words

struct Said { int status; std::string message; };

Str status_type(int status) { return status == 529 ? Str("Overloaded") : reason_phrase(status); }

Str engine_text(int status) {
    switch (status) {
        case 400: return "Invalid request";
        case 429: return "Too many requests";
        case 503: return "Service temporarily unavailable";
        case 504: return "Request timed out";
        case 529: return "Service temporarily overloaded";
        default: return status >= 500 ? Str("Internal server error") : reason_phrase(status);
    }
}

Said frontend_says(const Options& options, const FailureBody& f, const Asked& asked) {
    auto own = [&](int status, Str otherwise) { return Said{status, f.message.empty() ? std::string(otherwise) : f.message}; };
    switch (f.code) {
        case Code::bad_json: case Code::bad_field: case Code::missing_field: case Code::unsupported_field: case Code::bad_request:
        case Code::bad_content_type: return own(400, "Invalid request");
        case Code::too_large: return own(413, "Request body is too large");
        case Code::too_many_headers: return own(431, "Request header fields are too large");
        case Code::uri_too_long: return own(414, "Request target is too long");
        case Code::request_timeout: return own(408, "Timed out while reading the request");
        case Code::route_unknown: return {404, "Route not found: " + std::string(asked.method) + " " + std::string(asked.path)};
        case Code::method_not_allowed: return {405, ""};
        case Code::unauthenticated: return own(401, "Unauthorized");
        case Code::forbidden: return own(403, "Forbidden");
        case Code::model_unknown: return {404, asked.any_model_ever ? "Model not found" : ""};
        case Code::no_worker:
            return {503, "Model `" + std::string(asked.model) + "` is not ready to serve requests yet. The deployment may still be starting up or is "
                         "not fully provisioned. Please retry shortly."};
        case Code::not_ready: case Code::draining: return {503, "Service is not ready"};
        case Code::queue_full: case Code::shed: return {options.overload_status, "Service temporarily overloaded"};
        case Code::rate_limited: return own(429, "Too many requests");
        case Code::queue_timeout: return own(429, "Timed out waiting for a free worker");
        case Code::connect_failed: case Code::reset_before_byte: case Code::ack_error: case Code::lost_mid_stream: case Code::incomplete:
            return {503, "Service temporarily unavailable"};
        case Code::first_byte_timeout: case Code::deadline: return {504, "Request timed out"};
        case Code::engine_status: {
            int status = f.upstream_status;
            if (status >= 500 && status != 503 && status != 504 && status != 529) status = 500;
            if (status < 400 || status > 599) status = 502;
            return {status, std::string(engine_text(status))};
        }
        case Code::engine_garbage: return {502, "Invalid response from the backend"};
        case Code::cancelled: return {499, "Request was cancelled"};
        case Code::not_supported: return own(501, "Not implemented");
        case Code::ok: case Code::internal: break;
    }
    return {500, "Internal server error"};
}

Reply frontend_reply(const Options& options, const FailureBody& f, const Asked& asked) {
    Said said = frontend_says(options, f, asked);
    Reply reply;
    reply.status = said.status;
    if (f.code == Code::method_not_allowed) append_header(reply.headers, "allow", asked.allow);
    if (f.retry_after_s) append_header(reply.headers, "retry-after", std::to_string(f.retry_after_s));
    if (said.message.empty()) return reply;
    reply.content_type = "application/json";
    reply.body = "{\"message\":" + quoted(said.message) + ",\"type\":" + quoted(status_type(said.status)) + ",\"code\":" + std::to_string(said.status);
    if (f.code == Code::engine_status && f.upstream_status >= 500 && f.upstream_status != said.status)
        reply.body += ",\"details\":{\"backend_status\":" + std::to_string(f.upstream_status) + "}";
    else if (f.code == Code::queue_full && f.detail.starts_with('{'))   // which class and limit (route/queue.h)
        reply.body += ",\"details\":" + f.detail;
    reply.body += "}";
    return reply;
}

// ---- launch: nested {"error":{...}}, a code word in the body and in x-smg-error-code

struct Word { int status; const char* word; const char* text; uint32_t retry_after_s; };   // text null: the failure's own message

Word launch_word(const FailureBody& f) {
    const char* reason = f.reason.c_str();
    switch (f.code) {
        case Code::bad_json: return {400, *reason ? reason : "invalid_json", nullptr, 0};
        case Code::missing_field: return {400, *reason ? reason : "missing_required_parameter", nullptr, 0};
        case Code::bad_field: return {400, *reason ? reason : "invalid_value", nullptr, 0};
        case Code::unsupported_field: return {400, "unsupported_parameter", nullptr, 0};
        case Code::bad_content_type: return {400, "json_parse_error", nullptr, 0};
        case Code::bad_request: return {400, *reason ? reason : "invalid_request", nullptr, 0};
        case Code::too_large: return {413, "request_body_too_large", "Request body exceeded the payload limit (max_payload_size)", 0};
        case Code::too_many_headers: return {431, "request_header_fields_too_large", "Request header fields are too large", 0};
        case Code::uri_too_long: return {414, "uri_too_long", "Request target is too long", 0};
        case Code::request_timeout: return {408, "request_timeout", "Timed out while reading the request", 0};
        case Code::route_unknown: return {404, "unknown_url", nullptr, 0};
        case Code::method_not_allowed: return {405, "method_not_allowed", nullptr, 0};
        case Code::unauthenticated: return {401, "invalid_api_key", nullptr, 0};
        case Code::forbidden: return {403, "forbidden", nullptr, 0};
        case Code::model_unknown: return {404, "model_not_found", nullptr, 0};
        case Code::no_worker: return {503, "no_available_workers", "All workers are unavailable (circuit breaker open or unhealthy)", 1};
        case Code::not_ready: case Code::draining: return {503, "service_unavailable", "The gateway is not ready", 1};
        case Code::queue_full: return {429, "admission_queue_full", nullptr, 2};
        case Code::shed: return *reason ? Word{503, reason, nullptr, 1} : Word{429, "admission_queue_full", nullptr, 2};
        case Code::rate_limited: return {429, "tenant_rate_limit_exceeded", nullptr, 0};
        case Code::queue_timeout: return {503, "admission_queue_timeout", "timed out waiting for an admission slot", 2};
        case Code::connect_failed: case Code::reset_before_byte: case Code::ack_error: case Code::lost_mid_stream: case Code::incomplete:
            return {502, "call_upstream_request_error", "error sending request to the worker", 0};
        case Code::first_byte_timeout: case Code::deadline: return {504, "call_upstream_timeout", "the worker did not answer in time", 0};
        case Code::engine_status: case Code::engine_garbage: return {502, "call_upstream_bad_response", "the worker's answer could not be understood", 0};
        case Code::cancelled: return {499, "request_cancelled", "the request was cancelled", 0};
        case Code::not_supported: return {501, "not_implemented", nullptr, 0};
        case Code::ok: case Code::internal: break;
    }
    return {500, "internal_error", "internal error", 0};
}

const char* launch_type(int status) { return status == 429 ? "rate_limit_error" : status >= 500 ? "server_error" : "invalid_request_error"; }

std::string launch_message(const FailureBody& f, const Word& word, const Asked& asked) {
    if (f.code == Code::route_unknown || f.code == Code::method_not_allowed)
        return "Invalid URL (" + std::string(asked.method) + " " + std::string(asked.path) + ")";
    if (f.code == Code::model_unknown) return "No worker available for model '" + std::string(asked.model) + "'";
    if (word.text) return word.text;
    if (!f.message.empty()) return f.message;
    if (f.code == Code::queue_full || f.code == Code::shed) return "admission queue is at capacity";
    if (f.code == Code::unauthenticated) return "Missing API key: send it as `Authorization: Bearer <key>`";
    return std::string(reason_phrase(word.status));
}

// Errors found while reading the body or the key are answered before routing: no x-smg-error-code, other order of members.
bool early(Code code) {
    return code == Code::bad_json || code == Code::bad_field || code == Code::missing_field || code == Code::unsupported_field ||
           code == Code::bad_content_type || code == Code::unauthenticated;
}

Reply launch_engine_reply(const FailureBody& f) {
    Reply reply;
    reply.status = f.upstream_status;
    reply.body = f.upstream_body;
    Str lines = f.upstream_headers;
    while (!lines.empty()) {   // content-type apart: the caller writes it
        size_t end = std::min(lines.find("\r\n"), lines.size());
        Str line = lines.substr(0, end);
        lines.remove_prefix(std::min(end + 2, lines.size()));
        size_t colon = line.find(':');
        if (colon == Str::npos) continue;
        if (same_ignoring_case(line.substr(0, colon), "content-type")) reply.content_type = chars::trim_blanks(line.substr(colon + 1));
        else if (!same_ignoring_case(line.substr(0, colon), "content-length")) reply.headers.append(line).append("\r\n");
    }
    return reply;
}

Reply launch_reply(const FailureBody& f, const Asked& asked) {
    if (f.code == Code::engine_status && f.upstream_status >= 300 && f.upstream_status <= 599) return launch_engine_reply(f);
    Word word = launch_word(f);
    Reply reply;
    reply.status = word.status;
    reply.code = word.word;
    reply.content_type = "application/json";
    std::string message = quoted(launch_message(f, word, asked)), code = quoted(word.word), type = quoted(launch_type(word.status));
    if (early(f.code)) {
        std::string param = f.param.empty() ? "null" : quoted(f.param);
        reply.body = "{\"error\":{\"message\":" + message + ",\"type\":" + type + ",\"param\":" + param + ",\"code\":" + code + "}}";
    } else {
        append_header(reply.headers, "x-smg-error-code", word.word);
        reply.body = "{\"error\":{\"type\":" + type + ",\"code\":" + code + ",\"message\":" + message + ",\"param\":null}}";
    }
    if (f.code == Code::unauthenticated)
        append_header(reply.headers, "www-authenticate",
                      f.message.starts_with("Invalid") ? "Bearer realm=\"data-plane\", error=\"invalid_token\"" : "Bearer realm=\"data-plane\"");
    if (f.code == Code::method_not_allowed) append_header(reply.headers, "allow", asked.allow);
    uint32_t retry = f.retry_after_s ? f.retry_after_s : word.retry_after_s;
    if (retry) append_header(reply.headers, "retry-after", std::to_string(retry));
    return reply;
}

const char* stream_text(Code code) {
    switch (code) {
        case Code::lost_mid_stream: case Code::incomplete: case Code::reset_before_byte: return "the connection to the worker was lost";
        case Code::first_byte_timeout: case Code::deadline: return "operation timed out";
        case Code::engine_garbage: return "the worker's answer could not be understood";
        case Code::engine_status: return "the worker reported an error";
        case Code::draining: return "the gateway is shutting down";
        default: return "internal error";
    }
}

}  // namespace

int status_of(const Options& options, const FailureBody& f) { return error_reply(options, f, {}).status; }

Reply error_reply(const Options& options, const FailureBody& f, const Asked& asked) {
    return options.dialect == Dialect::frontend ? frontend_reply(options, f, asked) : launch_reply(f, asked);
}

void append_error_frame(const Options& options, const FailureBody& f, std::string& out) {
    if (options.dialect == Dialect::launch) {
        append_sse(out, "{\"error\":{\"message\":" + quoted(std::string("Stream error: ") + stream_text(f.code)) + ",\"type\":\"stream_error\"}}");
    } else {
        Said said = frontend_says(options, f, {});
        std::string type;
        for (char c : status_type(said.status)) type += c == ' ' ? '_' : chars::lower(c);
        if (said.status == 400) type = "invalid_request_error";
        append_sse(out, "{\"error\":{\"message\":" + quoted(said.message) + ",\"type\":" + quoted(type) + ",\"code\":" + std::to_string(said.status) + "}}");
    }
    out += sse_done;
}

}  // namespace weir::api
