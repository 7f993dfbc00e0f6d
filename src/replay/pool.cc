#include "replay/pool.h"

#include <algorithm>

namespace weir::replay {
namespace {

constexpr auto relaxed = std::memory_order_relaxed;

void copy_loads(const LoadCell& from, LoadCell& to) {
    to.requests.store(from.requests.load(relaxed), relaxed);
    to.prefill_tokens.store(from.prefill_tokens.load(relaxed), relaxed);
    to.active_blocks.store(from.active_blocks.load(relaxed), relaxed);
    to.out_blocks_q8.store(from.out_blocks_q8.load(relaxed), relaxed);
    to.out_expected_q8.store(from.out_expected_q8.load(relaxed), relaxed);
    to.streams.store(from.streams.load(relaxed), relaxed);
    to.context_tokens.store(from.context_tokens.load(relaxed), relaxed);
    to.since_requests.store(from.since_requests.load(relaxed), relaxed);
    to.since_tokens.store(from.since_tokens.load(relaxed), relaxed);
}

}  // namespace

Pool::Pool(const Setup& setup, uint32_t workers, Leg::Role role, sim::EngineParams engine, std::unique_ptr<Policy> policy,
           const char* policy_name)
    : setup_(setup), role_(role), engine_params_(engine), engines_(workers), slots_(workers), generated_(workers),
      registry_(setup.faults.stale_load_ms > 0 ? shown_ : cells_, nullptr, false, [this](FleetViewRef view) { publish(std::move(view)); }, clock_),
      routing_(route::only(std::move(policy), policy_name)), random_(setup.seed), losses_(setup.seed ^ 0x10557) {}

Result<void> Pool::start() {
    Result<void> added;
    registry_.together([&] {
        for (uint32_t i = 0; i < workers() && added; ++i) added = revive(i);
    });
    TRY_OK(std::move(added));
    registry_.on_ranks_gone([this](uint32_t first, uint32_t n) {
        if (routing_->index) routing_->index->remove_ranks(first, n);
    });
    if (needs() & (need::device | need::lower_tiers | need::predicted)) {
        kv::IndexSettings settings;
        settings.bytes_max = setup_.index.bytes_max;
        TRY(auto index, kv::KvIndex::make(settings));
        routing_->index = std::move(index);
        double ttl = setup_.index.predicted_ttl_ms;
        if (!setup_.index.events && ttl <= 0) ttl = 120'000;
        if (ttl > 0) {
            kv::PredictionSettings predictions;
            predictions.ttl_ms = static_cast<uint64_t>(std::max(1.0, ttl));
            predicted_.into = std::make_unique<kv::Predictions>(*routing_->index, predictions);
            routing_->predictions = &predicted_;
        }
    }
    if (needs() & need::active) {
        TRY(auto active, kv::ActiveBlocks::make(setup_.index.bytes_max));
        routing_->active = std::move(active);
    }
    if (setup_.queue && role_ != Leg::decode && needs() & (need::device | need::lower_tiers | need::predicted | need::active)) {
        queue_ = std::make_unique<route::RouterQueue>(*setup_.queue);
        routing_->line = &line_;
    }
    routing_->track_output = setup_.follow_output;
    started_ = true;
    return Nothing{};
}

void Pool::publish(FleetViewRef view) {
    if (started_) kept_.push_back(std::move(view_));   // bookings point into it
    view_ = std::move(view);
}

Result<void> Pool::revive(uint32_t worker) {
    WorkerSpec spec;
    spec.url = "http://worker-" + std::to_string(worker) + ":1";
    spec.models = {std::string(model_name)};
    spec.ready = true;
    spec.roles = role_ == Leg::prefill ? role::prefill : role_ == Leg::decode ? role::decode : role::whole;
    spec.block = engine_params_.block_size, spec.kv_blocks = engine_params_.num_blocks;
    spec.batch_tokens = engine_params_.max_num_batched_tokens, spec.max_seqs = engine_params_.max_num_seqs;
    TRY(slots_[worker], registry_.add(std::move(spec)));
    engines_[worker] = std::make_unique<sim::EngineModel>(engine_params_);
    generated_[worker] = 0;
    if (slots_[worker] >= worker_at_.size()) worker_at_.resize(slots_[worker] + 1);
    worker_at_[slots_[worker]] = worker;
    cells_used_ = std::max(cells_used_, number(worker) + 1);
    return Nothing{};
}

bool Pool::Line::room(const route::Waiting& w) {
    const std::vector<uint64_t>* serving = of.view_->serving(model_name);
    return !serving || route::any_room(*of.view_, settings().classes[w.cls].threshold, *serving);
}

Result<route::Choice> Pool::place(const Prepared& request, Instant now, std::optional<uint32_t> turn) {
    clock_.now_ns = now;
    apply_due(now);
    using Queue = route::Question::Queue;
    const route::Question question{request, *view_, *routing_, role_, {}, now, !queue_ ? Queue::never : turn ? Queue::turn : Queue::join, turn.value_or(0)};
    return route::place(question, scratch_, random_);
}

Booking Pool::book(const route::Choice& choice, const Prepared& request, Instant now) {
    RankRef at = choice.at;
    at.cell = &cells_.at(at.number);
    Booking booking = route::book(request, at, choice.cached_tokens, *routing_, now, role_);
    route::remember({request, *view_, *routing_, role_, {}, now}, choice);
    return booking;
}

void Pool::heard(uint32_t worker, const sim::KvEvent& event, Instant now) {
    if (!routing_->index || !setup_.index.events) return;
    if (setup_.faults.event_loss > 0 && losses_.unit() < setup_.faults.event_loss) return;
    Change change{now + static_cast<Instant>(setup_.faults.event_lag_ms * ns_per_ms), number(worker), event.kind, event.parent, {}};
    if (!spare_.empty()) change.blocks = std::move(spare_.back()), spare_.pop_back();
    for (size_t i = 0; i < event.chained.size(); ++i)
        change.blocks.push_back({event.chained[i], event.local.empty() ? 0 : event.local[i]});
    under_way_.push_back(std::move(change));
}

void Pool::apply_due(Instant now) {
    std::vector<uint64_t> names;
    for (; !under_way_.empty() && under_way_.front().at <= now; under_way_.pop_front()) {
        Change& c = under_way_.front();
        switch (c.kind) {
        case sim::KvEvent::stored: routing_->index->stored(c.rank, kv::Tier::device, c.parent ? &c.parent : nullptr, c.blocks); break;
        case sim::KvEvent::cleared: routing_->index->cleared(c.rank); break;
        case sim::KvEvent::removed:
            names.clear();
            for (const kv::Block& b : c.blocks) names.push_back(b.name);
            routing_->index->removed(c.rank, kv::Tier::device, names);
        }
        c.blocks.clear();
        spare_.push_back(std::move(c.blocks));
    }
    if (predicted_.into) predicted_.into->expire(now);
}

void Pool::kill(uint32_t worker, Instant now) {
    clock_.now_ns = now;
    of_the_dead_ += engines_[worker]->totals();
    engines_[worker].reset();
    std::erase_if(under_way_, [&](const Change& c) { return c.rank == number(worker); });
    registry_.remove(slots_[worker]);
}

void Pool::show_loads() {
    for (uint32_t i = 0; i < workers(); ++i)
        if (alive(i)) copy_loads(cells_.at(number(i)), shown_.at(number(i)));
}

void Pool::report_loads(Instant now) {
    LoadCells& seen = setup_.faults.stale_load_ms > 0 ? shown_ : cells_;
    for (uint32_t i = 0; i < workers(); ++i) {
        if (!alive(i)) continue;
        const sim::EngineLoad load = engines_[i]->load();
        LoadReport report;
        report.waiting = load.waiting, report.running = load.running;
        report.waiting_tokens = static_cast<uint32_t>(std::min<uint64_t>(engines_[i]->waiting_tokens(), UINT32_MAX));
        const uint64_t made = engines_[i]->totals().generated_tokens;
        if (now > reported_at_) report.tok_s = static_cast<uint32_t>((made - std::exchange(generated_[i], made)) * ns_per_s / (now - reported_at_));
        report.kv_used = load.blocks_in_use, report.kv_total = load.blocks_total;
        seen.report(number(i), report, now);
    }
    reported_at_ = now;
}

void Pool::requests_at_workers(std::vector<uint32_t>& out) const {
    out.clear();
    for (const auto& engine : engines_)
        if (engine) out.push_back(engine->running() + engine->waiting());
}

sim::EngineTotals Pool::totals() const {
    sim::EngineTotals sum = of_the_dead_;
    for (const auto& engine : engines_)
        if (engine) sum += engine->totals();
    return sum;
}

uint64_t Pool::index_bytes() const { return routing_->index ? routing_->index->stats().bytes : 0; }
uint64_t Pool::index_blocks() const { return routing_->index ? routing_->index->stats().memberships : 0; }
uint64_t Pool::active_bytes() const { return routing_->active ? routing_->active->bytes() : 0; }

uint64_t Pool::leaked() {
    uint64_t sum = 0;
    for (uint32_t i = 0; i < cells_used_; ++i) {
        const LoadCell& c = cells_.at(i);
        sum += c.requests.load(relaxed) + c.prefill_tokens.load(relaxed) + c.active_blocks.load(relaxed) + c.context_tokens.load(relaxed) +
               c.out_blocks_q8.load(relaxed) + c.out_expected_q8.load(relaxed) + c.streams.load(relaxed);
    }
    return sum;
}

}  // namespace weir::replay
