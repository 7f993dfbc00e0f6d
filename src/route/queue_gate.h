// The router's queue for all cores: one home core keeps it, grants go out as messages.
#pragma once
#include <array>
#include <atomic>
#include <deque>
#include <memory>
#include <unordered_map>

#include "base/task.h"
#include "net/core.h"
#include "route/queue.h"

namespace weir::route {

// What the home core needs to know of the fleet. Called there.
class QueueHome : public QueueRoom {
public:
    virtual uint32_t workers() = 0;              // now, for limits per worker
    virtual uint32_t open() = 0;                 // ranks with room now: as many turns may be out, so that nobody overtakes
};

// Use: place; when every eligible rank is full, or somebody of the class waits already (waiting(cls)): `Turn` from wait(), place again, book; still full: give
// the turn back and wait again with the same `arrived`, which keeps the place. A turn is leave to try, not a reservation.
// Outlives the cores' loops.
class QueueGate final : public QueueLine {
public:
    static constexpr uint32_t turns_max = 256;   // out at the same time
    static constexpr uint64_t tick_ms = 100;     // while anybody waits: expiry, and rooms nobody told of

    struct Ask {                                 // as in Waiting
        uint32_t cls = 0, pinned = Waiting::anywhere, prompt_tokens = 0, cached_tokens = 0, strict_priority = 0;
        double jump_s = 0;
        Instant arrived = 0, due = 0;
    };
    class Turn {                                 // ends when destroyed: the next may try
    public:
        Turn() = default;
        explicit Turn(QueueGate& gate) : gate_(&gate) {}
        Turn(Turn&& o) noexcept : gate_(std::exchange(o.gate_, nullptr)) {}
        Turn& operator=(Turn&& o) noexcept { std::swap(gate_, o.gate_); return *this; }
        ~Turn() { if (gate_) gate_->settled(); }

    private:
        QueueGate* gate_ = nullptr;
    };

    QueueGate(Core& home, QueueSettings settings, QueueHome& fleet)
        : home_(home), fleet_(fleet), queue_(std::move(settings)), counts_(queue_.settings().classes.size()), timer_(*this) {}
    ~QueueGate();
    QueueGate(const QueueGate&) = delete;
    // Any core; to leave is to destroy the task. Failures: queue_full (a limit; detail as QueueRejection), queue_timeout, rate_limited (was
    // due), shed (the home core's inbox is full).
    Task<Result<Turn>> wait(Ask ask);
    // Any core, after a release or a first token. One load when nobody waits.
    void freed() { if (waiting()) kick(); }
    size_t waiting() const { return waiting_.load(std::memory_order_relaxed); }
    struct Count {                               // of a class. Any thread; `received` and `rejected` only grow
        std::atomic<uint64_t> received{0};       // the caller counts
        std::atomic<uint64_t> requests{0}, prompt_tokens{0}, cached_tokens{0};   // from the moment they ask
        std::atomic<uint64_t> queued{0};         // requests that have their place in the order
        std::array<std::atomic<uint64_t>, QueueRejection::kinds> rejected{};
    };
    Count& count(uint32_t cls) { return counts_[cls]; }
    bool waiting(uint32_t cls) const override { return waiting() && counts_[cls].requests.load(std::memory_order_relaxed) != 0; }
    const QueueSettings& settings() const override { return queue_.settings(); }

private:
    struct Ticket;
    struct Leave;
    struct Tick : Timer {
        explicit Tick(QueueGate& g) : gate(g) {}
        QueueGate& gate;
    };
    using TicketRef = std::shared_ptr<Ticket>;
    void join(const TicketRef&);                 // home
    void leave(const TicketRef&);                // home
    void pump();                                 // home
    void tick();                                 // home
    void arm();                                  // home
    void answer(const TicketRef&, Result<void> how, bool turn);   // home
    void settled();
    void kick();

    Core& home_;
    QueueHome& fleet_;
    RouterQueue queue_;
    std::deque<Count> counts_;                   // by class
    std::unordered_map<Waiting*, TicketRef> tickets_;   // those in queue_
    std::atomic<size_t> waiting_{0};
    std::atomic<uint32_t> turns_{0};
    std::atomic<bool> kicked_{false};
    Tick timer_;
};

}  // namespace weir::route
