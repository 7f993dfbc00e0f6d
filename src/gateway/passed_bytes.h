// Reads along while an answer is relayed untouched: usage for metrics, the pace of streamed events.
#pragma once
#include "dispatch/relay.h"
#include "gateway/request_scope.h"
#include "route/booking.h"
#include "wire/usage_tail.h"

namespace weir {

class PassedBytes final : public dispatch::Observer {
public:
    void watch(RequestScope& scope, Booking& booking) { scope_ = &scope, booking_ = &booking; }
    void passed(std::string_view bytes, Instant read_at) override {
        tail_.feed(bytes);
        if (!scope_->streaming()) return;
        uint32_t n = events_in(bytes);
        scope_->tokens(read_at, n);
        if (n && booking_->follows()) {
            booking_->prefill_done(read_at);
            booking_->grow(out_ += n, read_at);
        }
    }
    void settle(RequestScope& scope) const {
        if (tail_.found()) scope.usage(tail_.usage().prompt, tail_.usage().completion, tail_.usage().cached);
    }

private:
    // Data events that begin in these bytes; "[DONE]" is none. An event is a token, near enough, until usage says better.
    static uint32_t events_in(std::string_view bytes) {
        uint32_t n = 0;
        for (size_t at = 0; (at = bytes.find("data: {", at)) != std::string_view::npos; at += 7)
            if (at == 0 || bytes[at - 1] == '\n') n++;
        return n;
    }
    RequestScope* scope_ = nullptr;
    Booking* booking_ = nullptr;
    uint32_t out_ = 0;
    UsageTail tail_;
};

}  // namespace weir
