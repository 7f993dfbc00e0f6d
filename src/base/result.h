// A value or a Failure. `Failure` is one owned pointer, so a Result<T> in a coroutine frame costs 8 bytes beside T.
#pragma once
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <utility>

namespace weir {

// What went wrong, in the gateway's own words. Only api/ knows how a dialect spells a Code (api/error_body.h),
// only dispatch/ knows which Codes may be tried on another worker.
enum class Code : uint8_t {
    ok,
    bad_json, bad_field, missing_field, unsupported_field, bad_content_type, bad_request,
    too_large, too_many_headers, uri_too_long, request_timeout, route_unknown, method_not_allowed,
    unauthenticated, forbidden,
    model_unknown, no_worker, not_ready, draining, queue_full, shed, rate_limited, queue_timeout,
    connect_failed, reset_before_byte, ack_error, first_byte_timeout, deadline, engine_status, engine_garbage,
    lost_mid_stream, incomplete, cancelled, not_supported, internal,
};
const char* name(Code);

struct FailureBody {
    Code code = Code::internal;
    std::string message;           // may be shown to a client: our own words, field names, model names they sent
    std::string param;             // the request field at fault, dotted path; empty when there is none
    std::string reason;            // finer than code, for dialects that name it ("empty_array"); may be empty
    std::string detail;            // for the log only: addresses, library texts
    uint32_t retry_after_s = 0;    // 0: none
    int upstream_status = 0;       // engine_status: what the engine answered
    std::string upstream_body;     // engine_status: its body, at most limits::error_body_max
    std::string upstream_headers;  // engine_status: "name: value\r\n" lines, end-to-end ones
};

class Failure {
public:
    Failure(Code code, std::string message, std::string param = {});
    FailureBody& operator*() { return *body_; }
    const FailureBody& operator*() const { return *body_; }
    FailureBody* operator->() { return body_.get(); }
    const FailureBody* operator->() const { return body_.get(); }
    explicit operator bool() const { return body_ != nullptr; }   // false only after being moved from
    Failure& detail(std::string text) & { body_->detail = std::move(text); return *this; }
    Failure&& detail(std::string text) && { body_->detail = std::move(text); return std::move(*this); }

private:
    template <class T>
    friend class Result;
    Failure() = default;
    std::unique_ptr<FailureBody> body_;
};

struct Nothing {};

template <class T>
class [[nodiscard]] Result {
public:
    Result(T value) : value_(std::move(value)) {}
    Result(Failure failure) : failure_(std::move(failure)) {}
    explicit operator bool() const { return value_.has_value(); }
    T& operator*() & { return *value_; }
    const T& operator*() const& { return *value_; }
    T&& operator*() && { return std::move(*value_); }
    T* operator->() { return &*value_; }
    const T* operator->() const { return &*value_; }
    Failure& error() & { return failure_; }
    const Failure& error() const& { return failure_; }
    Failure&& error() && { return std::move(failure_); }

private:
    std::optional<T> value_;
    Failure failure_;
};

template <>
class [[nodiscard]] Result<void> {
public:
    Result() = default;
    Result(Nothing) {}
    Result(Failure failure) : failed_(true), failure_(std::move(failure)) {}
    explicit operator bool() const { return !failed_; }
    Failure& error() & { return failure_; }
    const Failure& error() const& { return failure_; }
    Failure&& error() && { return std::move(failure_); }

private:
    bool failed_ = false;
    Failure failure_;
};

}  // namespace weir

// `TRY(auto x, f())`: x = value, or leave the enclosing function with the failure. CO_TRY is its form in a coroutine
// (the awaited expression stands alone in a statement: g++ 12 miscompiles co_await inside larger constructs).
#define WEIR_CAT_(a, b) a##b
#define WEIR_CAT(a, b) WEIR_CAT_(a, b)
#define WEIR_TRY_(tmp, decl, expr, ret) \
    auto tmp = (expr);                  \
    if (!tmp) ret std::move(tmp).error(); \
    decl = *std::move(tmp)
#define TRY(decl, expr) WEIR_TRY_(WEIR_CAT(try_, __LINE__), decl, expr, return)
#define CO_TRY(decl, expr) WEIR_TRY_(WEIR_CAT(try_, __LINE__), decl, expr, co_return)
// The same for a Result<void>: leave with its failure, or go on.
#define WEIR_TRY_OK_(tmp, expr, ret) \
    do {                             \
        auto tmp = (expr);           \
        if (!tmp) ret std::move(tmp).error(); \
    } while (0)
#define TRY_OK(expr) WEIR_TRY_OK_(WEIR_CAT(try_, __LINE__), expr, return)
#define CO_TRY_OK(expr) WEIR_TRY_OK_(WEIR_CAT(try_, __LINE__), expr, co_return)
