#include "planes/response_stream.h"

#include <algorithm>

#include "wire/json_write.h"

namespace weir {
namespace {

constexpr uint64_t sentinel_ms = 1'000;   // what a whole answer's last frame is worth waiting for

Failure bad_stream() { return Failure(Code::engine_garbage, "the worker's answer could not be understood"); }

}  // namespace

ResponseStream::ResponseStream(ExpectedCall::Called called, uint64_t idle_ms, Instant end)
    : socket_(std::move(called.socket)), early_(std::move(called.early)), idle_ms_(idle_ms), end_(end) {}

ResponseStream::~ResponseStream() {
    if (sentinel_ || whole_ || socket_->broken()) return;
    std::string kill;
    append_stream_word(kill, StreamWord::kill);
    socket_->send(kill);                  // what does not go out now is lost, and the close says the same
}

// Sets bytes_ to at least one byte. `first`: the prologue has not come yet, which names the failures.
Task<Result<void>> ResponseStream::receive(bool first) {
    if (!early_given_) {
        early_given_ = true;
        bytes_ = early_;
        if (!bytes_.empty()) co_return Nothing{};
    }
    auto got = co_await socket_->recv();
    bytes_ = got.view();
    if (got.n > 0) co_return Nothing{};
    if (first && got.n == -ETIMEDOUT) co_return Failure(Code::first_byte_timeout, "the worker did not begin to answer in time");
    if (first) co_return Failure(Code::reset_before_byte, "the worker left before it began to answer");
    Failure lost(Code::lost_mid_stream, got.n == -ETIMEDOUT ? "the worker fell silent" : "Stream ended before generation completed");
    if (got.n == -ETIMEDOUT) lost->reason = "response_timeout";
    co_return lost;
}

Task<Result<void>> ResponseStream::prologue(uint64_t timeout_ms) {
    socket_->deadline_in(timeout_ms);
    for (;;) {
        TwoPart m;
        if (next(m)) {
            socket_->deadline_in(0);
            if (!m.body.empty()) co_return bad_stream();
            auto said = read_prologue(m.header);
            if (!said) whole_ = true;     // refused: there is nothing to kill
            early_ = std::string(bytes_); // what came with it outlives this turn
            bytes_ = early_;
            co_return said;
        }
        if (reader_.bad()) co_return bad_stream();
        CO_TRY_OK(co_await receive(true));
    }
}

Task<Result<bool>> ResponseStream::read() {
    if (sentinel_) co_return false;
    if (garbage_) co_return bad_stream();
    if (!bytes_.empty()) co_return true;  // came behind the prologue
    uint64_t wait_ms = idle_ms_;
    if (end_) {
        const Instant now = Core::here().now();
        const uint64_t left_ms = end_ > now ? std::max<uint64_t>((end_ - now) / ns_per_ms, 1) : 1;
        wait_ms = wait_ms ? std::min(wait_ms, left_ms) : left_ms;
    }
    socket_->deadline_in(wait_ms);
    auto got = co_await receive(false);
    if (!got && end_ && Core::here().now_exact() >= end_) co_return Failure(Code::deadline, "the answer took longer than allowed");
    if (!got) co_return std::move(got).error();
    co_return true;
}

bool ResponseStream::take(Str& body) {
    if (garbage_ || sentinel_) return false;
    TwoPart m;
    if (!next(m)) {
        garbage_ = reader_.bad();
        return false;
    }
    if (m.header.empty()) {
        body = m.body;
        return true;
    }
    sentinel_ = m.body.empty() && stream_word(m.header) == StreamWord::sentinel;
    garbage_ = !sentinel_;
    return false;
}

Task<void> ResponseStream::finish() {
    socket_->deadline_in(sentinel_ms);
    while (!sentinel_ && !garbage_) {
        Str ignored;
        while (take(ignored)) {}
        if (sentinel_ || garbage_) co_return;
        auto more = co_await receive(false);
        if (!more) co_return;
    }
}

void ResponseStream::stop() {
    if (stopped_ || sentinel_) return;
    stopped_ = true;
    std::string word;
    append_stream_word(word, StreamWord::stop);
    socket_->send(word);
}

Task<Result<std::unique_ptr<ResponseStream>>> call_worker(RequestPlane& plane, CallHome& home, const PlaneAddress& address, const PlaneRequest& ask,
                                                          PlaneTimes times) {
    ExpectedCall call(home, ask.instance_id);
    if (!call.accepted()) co_return Failure(Code::queue_full, "too many answers are expected");
    Core& core = Core::here();
    const uint64_t sent_at_ns = core.clock().wall() * ns_per_ms;
    ControlHeader control;
    control.id = ask.id;
    control.address = home.address();
    control.subject = call.subject();
    control.codec = ask.codec;
    control.metadata.assign(ask.metadata.begin(), ask.metadata.end());
    std::string header, payload, headers;
    append_control_header(header, control);
    if (header.size() > control_header_max) co_return Failure(Code::too_large, "the request's metadata is too long");
    payload.reserve(two_part_prefix + header.size() + ask.body.size());
    append_two_part(payload, header, ask.body);
    JsonWriter w(headers);
    w.object().member("x-endpoint-path", address.path).member("request-id", ask.id).member("x-frontend-send-ts-ns", std::to_string(sent_at_ns));
    for (auto& [name, value] : ask.headers) w.member(name, value);
    w.end_object();
    const Instant end = core.now() + times.prologue_ms * ns_per_ms;
    CO_TRY_OK(co_await plane.send(address, headers, payload));
    std::string().swap(payload);
    auto left_ms = [&]() -> uint64_t { return !times.prologue_ms ? 0 : end > core.now() ? std::max<uint64_t>((end - core.now()) / ns_per_ms, 1) : 1; };
    CO_TRY(ExpectedCall::Called called, co_await call.wait(left_ms()));
    auto stream = std::make_unique<ResponseStream>(std::move(called), times.idle_ms, times.end);
    CO_TRY_OK(co_await stream->prologue(left_ms()));
    co_return stream;
}

}  // namespace weir
