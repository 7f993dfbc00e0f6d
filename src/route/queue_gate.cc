#include "route/queue_gate.h"

#include <algorithm>

namespace weir::route {

// `waiting` belongs to the home core, the rest to the asking one, but `gone`.
struct QueueGate::Ticket {
    Waiting waiting;
    Core* core = nullptr;
    std::atomic<bool> gone{false};               // nobody waits for the answer any more
    enum Place : uint8_t { asked, queued, left };
    std::atomic<Place> place{asked};             // of Count::queued: whoever comes second undoes it
    bool answered = false;
    bool turn = false;                           // came with the answer, and was not taken yet
    Result<void> how;
    Waiter* parked = nullptr;

    struct Park {
        Ticket& ticket;
        Waiter waiter;
        bool await_ready() const noexcept { return ticket.answered; }
        void await_suspend(std::coroutine_handle<> h) {
            waiter.frame = h;
            waiter.park(ticket.parked);
        }
        void await_resume() const noexcept {}
    };
};

// What ends a wait, also when its task is destroyed.
struct QueueGate::Leave {
    QueueGate& gate;
    TicketRef ticket;
    Count& count;
    const uint32_t prompt, cached;
    Leave(QueueGate& g, TicketRef t)
        : gate(g), ticket(std::move(t)), count(gate.counts_[ticket->waiting.cls]), prompt(ticket->waiting.prompt_tokens),
          cached(ticket->waiting.cached_tokens) {
        count.requests.fetch_add(1, std::memory_order_relaxed);
        count.prompt_tokens.fetch_add(prompt, std::memory_order_relaxed);
        count.cached_tokens.fetch_add(cached, std::memory_order_relaxed);
        gate.waiting_.fetch_add(1, std::memory_order_relaxed);
    }
    Leave(const Leave&) = delete;
    ~Leave() {
        gate.waiting_.fetch_sub(1, std::memory_order_relaxed);
        count.requests.fetch_sub(1, std::memory_order_relaxed);
        count.prompt_tokens.fetch_sub(prompt, std::memory_order_relaxed);
        count.cached_tokens.fetch_sub(cached, std::memory_order_relaxed);
        if (ticket->place.exchange(Ticket::left) == Ticket::queued) count.queued.fetch_sub(1, std::memory_order_relaxed);
        if (ticket->turn) gate.settled();
        if (ticket->answered) return;
        ticket->gone.store(true, std::memory_order_release);       // enough if the message is not taken
        gate.home_.post([&g = gate, t = ticket] { g.leave(t); });
    }
};

QueueGate::~QueueGate() {
    for (auto& [waiting, ticket] : tickets_) queue_.leave(*waiting);
}

Task<Result<QueueGate::Turn>> QueueGate::wait(Ask ask) {
    auto ticket = std::make_shared<Ticket>();
    ticket->core = &Core::here();
    Waiting& w = ticket->waiting;
    w.cls = ask.cls, w.pinned = ask.pinned, w.prompt_tokens = ask.prompt_tokens, w.cached_tokens = ask.cached_tokens;
    w.strict_priority = ask.strict_priority, w.jump_s = ask.jump_s, w.arrived = ask.arrived, w.due = ask.due;
    Leave leave(*this, ticket);
    if (!home_.post([this, ticket] { join(ticket); })) {
        ticket->answered = true;
        co_return Failure(Code::shed, "Service temporarily overloaded");
    }
    Ticket::Park park{*ticket, {}};
    co_await park;
    if (!ticket->how) co_return std::move(ticket->how).error();
    ticket->turn = false;
    co_return Turn(*this);
}

void QueueGate::join(const TicketRef& ticket) {
    if (ticket->gone.load(std::memory_order_acquire)) return;
    if (auto rejected = queue_.join(ticket->waiting, fleet_.workers(), home_.now())) {
        counts_[ticket->waiting.cls].rejected[rejected->kind].fetch_add(1, std::memory_order_relaxed);
        return answer(ticket, rejected->failure(), false);
    }
    tickets_.emplace(&ticket->waiting, ticket);
    std::atomic<uint64_t>& queued = counts_[ticket->waiting.cls].queued;
    queued.fetch_add(1, std::memory_order_relaxed);
    Ticket::Place was = Ticket::asked;
    if (!ticket->place.compare_exchange_strong(was, Ticket::queued)) queued.fetch_sub(1, std::memory_order_relaxed);
    arm();
    pump();
}

void QueueGate::leave(const TicketRef& ticket) {
    if (!tickets_.erase(&ticket->waiting)) return;                 // answered meanwhile: the answer finds nobody
    queue_.leave(ticket->waiting);
}

void QueueGate::answer(const TicketRef& ticket, Result<void> how, bool turn) {
    auto shared = std::make_shared<Result<void>>(std::move(how));
    const bool sent = ticket->core->post([this, ticket, shared, turn] {
        if (ticket->gone.load(std::memory_order_relaxed)) {
            if (turn) settled();
            return;
        }
        ticket->answered = true;
        ticket->turn = turn;
        ticket->how = std::move(*shared);
        if (ticket->parked) Core::here().ready(*ticket->parked);
    });
    if (sent) return;
    if (turn) turns_.fetch_sub(1, std::memory_order_relaxed);      // its core is drowning: it keeps its place, until the next tick
    if (!queue_.join(ticket->waiting, fleet_.workers(), home_.now())) tickets_.emplace(&ticket->waiting, ticket);
}

void QueueGate::pump() {
    if (queue_.waiting() == 0) return;
    const uint32_t most = std::min(turns_max, fleet_.open());
    while (turns_.load(std::memory_order_relaxed) < most) {
        Waiting* next = queue_.next(fleet_);
        if (!next) return;
        auto node = tickets_.extract(next);
        const TicketRef ticket = std::move(node.mapped());
        if (ticket->gone.load(std::memory_order_acquire)) continue;
        turns_.fetch_add(1, std::memory_order_relaxed);
        answer(ticket, {}, true);
        if (ticket->waiting.waits()) return;
    }
}

void QueueGate::tick() {
    const Instant now = home_.now();
    for (RouterQueue::Expired e; (e = queue_.expire(now)).who;) {
        auto node = tickets_.extract(e.who);
        answer(node.mapped(), e.due ? Failure(Code::rate_limited, "the request could not be sent to a worker in its time")
                                    : Failure(Code::queue_timeout, "no worker had room for the request in time"), false);
        if (e.who->waits()) break;
    }
    queue_.freed();
    pump();
    arm();
}

void QueueGate::arm() {
    if (timer_.linked() || queue_.waiting() == 0) return;
    timer_.fire = [](Timer& t) { static_cast<Tick&>(t).gate.tick(); };
    home_.arm(timer_, tick_ms);
}

void QueueGate::settled() {
    turns_.fetch_sub(1, std::memory_order_relaxed);
    freed();
}

void QueueGate::kick() {
    if (kicked_.exchange(true, std::memory_order_acq_rel)) return;
    const bool sent = home_.post([this] {
        kicked_.store(false, std::memory_order_release);
        queue_.freed();
        pump();
    });
    if (!sent) kicked_.store(false, std::memory_order_release);    // the tick will do it
}

}  // namespace weir::route
