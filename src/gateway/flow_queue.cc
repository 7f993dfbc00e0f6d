// While every rank that a request may go to is full, it waits in the router's queue.
#include <algorithm>
#include <bit>

#include "gateway/flow_streaming.h"
#include "route/queue_gate.h"

namespace weir {
namespace {

constexpr uint64_t retry_ms = 10;   // between two tries of a request whose own ranks are full while others are not

// The number of the one rank that is eligible, else `anywhere`.
uint32_t only_rank(const route::Choice& full, std::span<const uint64_t> eligible, const FleetView& fleet) {
    if (full.candidates != 1) return route::Waiting::anywhere;
    for (size_t word = 0; word < eligible.size(); word++)
        if (eligible[word]) return fleet.ranks()[word * 64 + static_cast<size_t>(std::countr_zero(eligible[word]))].number;
    return route::Waiting::anywhere;
}

}  // namespace

// Returns with the turn, which the caller gives back once it has booked. `out.fleet` is the newest then; the body is held.
Task<Result<route::Choice>> Flow::wait_for_turn(HttpExchange& http, RequestScope& scope, CoreState& here, route::Routing& routing,
                                                const Prepared& prepared, RouteAsk& ask, Attempt attempt, Streaming& out, route::Choice full,
                                                route::QueueGate::Turn& turn) {
    const uint32_t first_lane = only_rank(full, here.scratch.eligible(), *out.fleet);
    if (!http.hold()) co_return Failure(Code::shed, "the gateway's budget for request bodies is used up");
    out.booking = {};   // of the attempt before: it must not keep its rank full
    const Instant began = here.core.now();
    const Hints& hints = ask.hints;
    route::QueueGate::Ask how;
    how.cls = full.queue_class;
    how.pinned = first_lane;
    how.prompt_tokens = prepared.prompt_tokens;
    how.strict_priority = hints.strict_priority;
    how.jump_s = static_cast<double>(hints.priority_jump_s);
    how.arrived = http.received;
    for (;;) {
        how.cached_tokens = full.cached_tokens;
        Result<route::QueueGate::Turn> got = co_await routing.queue->wait(how);
        if (!got) co_return std::move(got).error();
        turn = std::move(*got);
        out.fleet = here.fleet;
        ask.queued_ns = here.core.now() - began;
        route::Question question{prepared, *out.fleet, routing, Leg::whole, attempt.tried, here.core.now(), route::Question::Queue::turn, how.cls};
        Result<route::Choice> choice = choose(scope, here, question, ask, attempt.number);
        if (!choice || choice->at) co_return choice;
        full = *choice;
        how.pinned = only_rank(full, here.scratch.eligible(), *out.fleet);
        turn = {};
        co_await sleep_ms(retry_ms);
    }
}

}  // namespace weir
