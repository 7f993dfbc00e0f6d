// Simulated workers of one kind, and what routes requests to them: the objects a gateway has, fed by engines that are models.
#pragma once
#include <deque>
#include <memory>

#include "base/clock.h"
#include "fleet/fleet.h"
#include "kv/predictions.h"
#include "replay/simulator.h"
#include "route/booking.h"
#include "route/place.h"
#include "sim/engine_model.h"

namespace weir::replay {

inline constexpr std::string_view model_name = "replayed";

// One thread. Workers are 0 .. workers-1, whatever slots and numbers the fleet gives them.
class Pool {
public:
    Pool(const Setup&, uint32_t workers, Leg::Role, sim::EngineParams, std::unique_ptr<Policy>, const char* policy_name);
    Result<void> start();                             // fills fleet and index; not_supported, bad_field

    // `turn`: it waited in that class of the queue. The choice may be to wait, for who has not waited and for who has.
    Result<route::Choice> place(const Prepared&, Instant now, std::optional<uint32_t> turn = {});
    route::RouterQueue* queue() { return queue_.get(); }   // null: nobody waits
    route::QueueRoom& room() { return line_; }
    uint32_t open_workers() const { return static_cast<uint32_t>(view_->workers()); }
    Booking book(const route::Choice&, const Prepared&, Instant now);
    sim::EngineModel& engine(uint32_t worker) { return *engines_[worker]; }
    const sim::EngineModel* engine_at(uint32_t worker) const { return engines_[worker].get(); }
    bool alive(uint32_t worker) const { return engines_[worker] != nullptr; }
    uint32_t workers() const { return static_cast<uint32_t>(engines_.size()); }
    uint32_t needs() const { return route::needs_of(*routing_); }

    void heard(uint32_t worker, const sim::KvEvent&, Instant now);   // an event leaves the engine; it may get lost, and arrives later
    void kill(uint32_t worker, Instant now);          // engine and blocks are gone; bookings are the caller's
    Result<void> revive(uint32_t worker);             // with an empty cache
    uint32_t worker_of(const route::Choice& choice) const { return worker_at_[choice.at.worker->slot]; }
    void show_loads();                                // with stale loads: what is true now is what policies see from now on
    void report_loads(Instant now);

    // Work at the workers now, for the spread; a dead one is left out.
    void requests_at_workers(std::vector<uint32_t>& out) const;
    sim::EngineTotals totals() const;
    uint64_t index_bytes() const;
    uint64_t index_blocks() const;
    uint64_t active_bytes() const;
    uint64_t leaked();                                // what cells still count

private:
    struct Change {                                   // a KV event under way
        Instant at;
        kv::Rank rank;
        sim::KvEvent::Kind kind;
        uint64_t parent;
        std::vector<kv::Block> blocks;
    };
    struct Predicted final : route::PredictionSink {
        void predict(kv::Rank rank, uint32_t, std::span<const uint64_t> local, Instant now) override { into->predict(rank, local, now); }
        std::unique_ptr<kv::Predictions> into;
    };
    // What choosing asks of the queue, and the queue of the fleet: as gateway/model_queue.h.
    struct Line final : route::QueueLine, route::QueueRoom {
        explicit Line(Pool& of) : of(of) {}
        const route::QueueSettings& settings() const override { return of.queue_->settings(); }
        bool waiting(uint32_t cls) const override { return of.queue_->stats(cls).requests != 0; }
        bool room(const route::Waiting& w) override;
        Pool& of;
    };
    void publish(FleetViewRef);
    void apply_due(Instant now);
    uint32_t number(uint32_t worker) const { return registry_.number_of(slots_[worker]); }   // of its cell

    const Setup& setup_;
    Leg::Role role_;
    sim::EngineParams engine_params_;
    std::vector<std::unique_ptr<sim::EngineModel>> engines_;
    std::vector<WorkerSlot> slots_;                   // of a worker
    std::vector<uint32_t> worker_at_;                 // of a slot
    std::vector<uint64_t> generated_;                 // tokens of a worker, as of its last report
    Instant reported_at_ = 0;
    sim::EngineTotals of_the_dead_;
    ManualClock clock_;                               // of the registry, which waits before it uses a number again
    uint32_t cells_used_ = 0;
    LoadCells cells_, shown_;                         // shown_: with stale loads, what policies read
    Registry registry_;
    FleetViewRef view_;
    std::vector<FleetViewRef> kept_;                  // older ones
    bool started_ = false;
    std::shared_ptr<route::Routing> routing_;
    std::unique_ptr<route::RouterQueue> queue_;
    Line line_{*this};
    Predicted predicted_;
    route::Scratch scratch_;
    Random random_, losses_;
    std::deque<Change> under_way_;
    std::vector<std::vector<kv::Block>> spare_;
};

}  // namespace weir::replay
