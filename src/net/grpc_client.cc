#include "net/grpc_client.h"

#include <algorithm>

namespace weir {
namespace {

Failure status_failure(GrpcCode code, std::string text) {
    Failure failure(Code::engine_status, "the server refused the call");
    failure->reason = name(code);
    failure->detail = std::move(text);
    return failure;
}

Failure broken(Code code, GrpcCode status, const char* why) {
    Failure failure(code, why);
    failure->reason = name(status);
    return failure;
}

std::string head_lines(const GrpcRequest& request) {
    std::string lines = "content-type: application/grpc\r\ngrpc-accept-encoding: identity\r\nuser-agent: weir\r\n";
    if (request.deadline_ms) lines += "grpc-timeout: " + grpc_timeout_text(request.deadline_ms) + "\r\n";
    return lines += request.metadata;
}

// A field's value among "name: value\r\n" lines.
Str value_of(Str lines, Str name) {
    for (size_t at = 0; at < lines.size();) {
        const size_t end = std::min(lines.find("\r\n", at), lines.size());
        const Str line = lines.substr(at, end - at);
        if (line.size() > name.size() && line.starts_with(name) && line[name.size()] == ':') {
            const size_t from = line.find_first_not_of(' ', name.size() + 1);
            return from == Str::npos ? Str() : line.substr(from);
        }
        at = end + 2;
    }
    return {};
}

// The pool's word for what went wrong with the connection, with a status beside it.
Failure with_status(Failure failure) {
    const bool late = failure->code == Code::first_byte_timeout || failure->code == Code::deadline;
    if (failure->code == Code::deadline) failure->code = Code::first_byte_timeout;
    if (failure->code == Code::incomplete) failure->code = Code::lost_mid_stream;
    failure->reason = name(late ? GrpcCode::deadline_exceeded : failure->code == Code::engine_garbage ? GrpcCode::internal : GrpcCode::unavailable);
    return failure;
}

Task<Result<std::unique_ptr<Upstream>>> connection(ClientPool& pool, const Target& target) {
    std::unique_ptr<Upstream> up = pool.take(target);
    if (!up) {
        auto opened = co_await pool.open(target);
        if (!opened) co_return with_status(std::move(opened).error());
        up = *std::move(opened);
    }
    if (!up->takes_open()) co_return broken(Code::connect_failed, GrpcCode::unavailable, "the server does not speak HTTP/2");
    co_return up;
}

}  // namespace

GrpcCode grpc_code(const Failure& failure) {
    for (uint8_t code = 0; code <= static_cast<uint8_t>(GrpcCode::unauthenticated); code++)
        if (failure->reason == name(static_cast<GrpcCode>(code))) return static_cast<GrpcCode>(code);
    return GrpcCode::unknown;
}

GrpcCall::GrpcCall(std::unique_ptr<Upstream> up, const GrpcRequest& request)
    : up_(std::move(up)), reader_(request.message_max), end_(request.deadline_ms ? Core::here().now() + request.deadline_ms * ns_per_ms : 0) {}

Task<Result<std::unique_ptr<GrpcCall>>> GrpcCall::open(ClientPool& pool, const Target& target, GrpcRequest request) {
    CO_TRY(std::unique_ptr<Upstream> up, co_await connection(pool, target));
    auto call = std::make_unique<GrpcCall>(std::move(up), request);
    const std::string lines = head_lines(request);
    UpstreamRequest head{"POST", request.path, lines, {}};
    head.open = head.trailers = true;
    if (!call->up_->send(head)) co_return broken(Code::connect_failed, GrpcCode::unavailable, "the connection broke");
    co_return call;
}

bool GrpcCall::send(Str message, bool last) {
    std::string framed;
    framed.reserve(grpc_prefix_bytes + message.size());
    append_grpc_message(framed, message);
    return up_->write(framed, last);
}

// False: the time is over.
bool GrpcCall::arm_deadline() {
    const Instant now = Core::here().now();
    if (end_ && now >= end_) return false;
    uint64_t ms = end_ ? std::max<uint64_t>((end_ - now) / ns_per_ms, 1) : 0;
    if (read_ms_) ms = ms ? std::min(ms, read_ms_) : read_ms_;
    up_->deadline_in(ms);
    return true;
}

Task<Result<void>> GrpcCall::take_head() {
    ResponseHead head;
    auto got = co_await up_->read_head(head);
    if (!got) co_return with_status(std::move(got).error());
    head_ = true;
    status_ = head.headers.get("grpc-status");
    status_text_ = grpc_message_text(head.headers.get("grpc-message"));
    const Str type = head.headers.get("content-type");
    if (head.status != 200) {
        if (!status_.empty()) co_return status_failure(grpc_code_of(status_), status_text_);
        co_return status_failure(grpc_code_of_http(head.status), "HTTP status " + std::to_string(head.status));
    }
    if (!type.starts_with("application/grpc")) co_return broken(Code::engine_garbage, GrpcCode::unknown, "the server does not speak gRPC");
    co_return Nothing{};
}

Result<bool> GrpcCall::at_end() {
    if (reader_.mid_message()) return broken(Code::engine_garbage, GrpcCode::internal, "the server's last message is cut off");
    const Str lines = up_->trailers();
    const Str given = value_of(lines, "grpc-status");
    const std::string status(given.empty() ? Str(status_) : given);
    const std::string text = given.empty() ? status_text_ : grpc_message_text(value_of(lines, "grpc-message"));
    if (status.empty()) return broken(Code::engine_garbage, GrpcCode::unknown, "the server ended the call without a status");
    const GrpcCode code = grpc_code_of(status);
    if (code == GrpcCode::ok) return false;
    return status_failure(code, text);
}

Task<Result<bool>> GrpcCall::read() {
    for (;;) {
        if (reader_.next(bytes_, message_)) co_return true;
        if (reader_.too_large()) co_return broken(Code::engine_garbage, GrpcCode::resource_exhausted, "the server's message is too large");
        if (reader_.bad()) co_return broken(Code::engine_garbage, GrpcCode::internal, "the server's message is compressed");
        if (ended_) co_return at_end();
        if (!arm_deadline()) co_return broken(Code::first_byte_timeout, GrpcCode::deadline_exceeded, "the server did not answer in time");
        if (!head_) {
            CO_TRY_OK(co_await take_head());
            continue;
        }
        NextPiece next(*up_);
        const Upstream::Poll state = co_await next;
        if (state == Upstream::Poll::failed) co_return with_status(up_->failure());
        bytes_ = next.piece.bytes;
        ended_ = next.piece.end;
    }
}

Task<Result<std::string>> grpc_unary(ClientPool& pool, const Target& target, GrpcRequest request, std::string message) {
    CO_TRY(std::unique_ptr<Upstream> up, co_await connection(pool, target));
    GrpcCall call(std::move(up), request);
    const std::string lines = head_lines(request);
    std::string prefix;
    append_grpc_prefix(prefix, message.size());
    const iovec body[] = {{prefix.data(), prefix.size()}, {message.data(), message.size()}};
    UpstreamRequest ask{"POST", request.path, lines, body};
    ask.trailers = true;
    if (!call.up_->send(ask)) co_return broken(Code::connect_failed, GrpcCode::unavailable, "the connection broke");
    CO_TRY(bool answered, co_await call.read());
    if (!answered) co_return broken(Code::engine_garbage, GrpcCode::internal, "the server answered without a message");
    std::string answer(call.message());
    CO_TRY(bool more, co_await call.read());
    if (more) co_return broken(Code::engine_garbage, GrpcCode::internal, "the server answered more than one message");
    co_return answer;
}

}  // namespace weir
