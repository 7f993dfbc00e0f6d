#include "replay/simulator.h"

#include <time.h>

#include <algorithm>
#include <queue>

#include "kv/block_hash.h"
#include "replay/pool.h"

namespace weir::replay {
namespace {

constexpr Instant epoch = 1'000 * ns_per_s;      // Instant 0 means "none"

uint64_t thread_cpu_ns() {
    timespec t{};
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return static_cast<uint64_t>(t.tv_sec) * ns_per_s + static_cast<uint64_t>(t.tv_nsec);
}

struct Queued final : route::Waiting {
    uint32_t live = 0;
};

struct Live {                                    // a request under way
    uint32_t arrival = 0, worker = 0, pool = 0, generated = 0, cached = 0;
    Instant first = 0, last = 0;
    bool in_use = false, hits_counted = false;
    Booking booking;
    std::unique_ptr<Queued> queued;              // since it waited first; in the queue while it waits
};

class Simulation {
public:
    Simulation(const Workload& workload, const std::vector<Arrival>& arrivals, const Setup& setup)
        : workload_(workload), arrivals_(arrivals), setup_(setup) {}
    void add_pool(std::unique_ptr<Pool> pool) {
        pools_.push_back(std::move(pool));
        wakes_.emplace_back(pools_.back()->workers());
        sinks_.emplace_back();
        for (uint32_t i = 0; i < pools_.back()->workers(); ++i) sinks_.back().push_back({this, static_cast<uint32_t>(pools_.size() - 1), i});
    }
    Result<Figures> run();

private:
    enum Kind : uint8_t { step, transfer, death, comeback, report, refresh, sample };
    struct Due {
        Instant at;
        uint64_t order;                          // equal times: as they were planned
        Kind kind;
        uint32_t pool, who, generation;
        bool operator>(const Due& o) const { return at != o.at ? at > o.at : order > o.order; }
    };
    struct Wake { Instant at = sim::never; uint32_t generation = 0; };
    struct Sink final : sim::EngineSink {
        Sink(Simulation* of, uint32_t pool, uint32_t worker) : of(of), pool(pool), worker(worker) {}
        void on_token(const sim::TokenEvent& e) override { of->token(e); }
        void on_kv(const sim::KvEvent& e) override { of->pools_[pool]->heard(worker, e, of->now_); }
        Simulation* of;
        uint32_t pool, worker;
    };

    void plan(Instant at, Kind kind, uint32_t pool = 0, uint32_t who = 0, uint32_t generation = 0) {
        due_.push({at, order_++, kind, pool, who, generation});
    }
    void handle(const Due&);
    void wake(uint32_t pool, uint32_t worker);
    void arrive(uint32_t arrival);
    void route(uint32_t live, std::optional<uint32_t> turn = {});
    void wait(uint32_t live, const route::Choice& full, const Prepared&);
    void pump();
    bool submit(uint32_t live, const Request&);
    void token(const sim::TokenEvent&);
    void finish(uint32_t live);
    void end_booking(Live&);
    void kill(uint32_t worker);
    void every(Instant at, double ms, Kind kind) { plan(at + static_cast<Instant>(ms * ns_per_ms), kind); }
    Figures figures();

    const Workload& workload_;
    const std::vector<Arrival>& arrivals_;
    const Setup& setup_;
    std::vector<std::unique_ptr<Pool>> pools_;
    std::vector<std::vector<Wake>> wakes_;
    std::vector<std::vector<Sink>> sinks_;
    std::priority_queue<Due, std::vector<Due>, std::greater<>> due_;
    uint64_t order_ = 0;
    Instant now_ = epoch, last_end_ = epoch;
    std::deque<Live> lives_;
    std::vector<uint32_t> free_, handed_over_;   // handed_over_: prefill is done, off to decode
    size_t under_way_ = 0, next_ = 0;
    std::vector<uint64_t> local_, chained_;
    std::vector<uint32_t> at_workers_;
    Histogram itl_;
    std::vector<double> ttft_ms_;
    uint64_t prompt_tokens_ = 0, cached_tokens_ = 0, generated_ = 0, generated_by_last_ = 0, too_late_ = 0;
    uint64_t decisions_ = 0, decision_ns_ = 0, samples_ = 0;
    double variation_ = 0;
    Figures out_;
    Failure failure_{Code::ok, ""};
    bool failed_ = false;
    bool room_ = false;                          // since somebody asked the queue who may go
};

Result<Figures> Simulation::run() {
    const uint64_t began = thread_cpu_ns();
    every(epoch, 1'000, sample);
    if (setup_.fleet.report_ms > 0) plan(epoch, report);
    if (setup_.faults.stale_load_ms > 0) plan(epoch, refresh);
    for (uint32_t i = 0; i < std::min(setup_.faults.kill, pools_[0]->workers()); ++i)
        plan(epoch + static_cast<Instant>((setup_.faults.kill_at_s + i) * ns_per_s), death, 0, i);
    const auto enough = static_cast<uint64_t>(static_cast<double>(arrivals_.size()) * setup_.give_up_share);
    while ((next_ < arrivals_.size() || under_way_ > 0) && !failed_) {
        const Instant arrival = next_ < arrivals_.size() ? epoch + arrivals_[next_].at : sim::never;
        if (due_.empty() || arrival <= due_.top().at) {
            now_ = arrival;
            arrive(static_cast<uint32_t>(next_++));
            if (next_ == arrivals_.size()) generated_by_last_ = generated_;
        } else {
            const Due event = due_.top();
            due_.pop();
            now_ = event.at;
            handle(event);
        }
        if (room_) pump();
        if (setup_.give_up_ttft_ms > 0 && too_late_ > enough) {
            out_.gave_up = true;
            break;
        }
    }
    if (failed_) return std::move(failure_);
    out_.wall_s = static_cast<double>(thread_cpu_ns() - began) / 1e9;
    return figures();
}

void Simulation::handle(const Due& event) {
    switch (event.kind) {
    case step: {
        if (!pools_[event.pool]->alive(event.who) || wakes_[event.pool][event.who].generation != event.generation) return;
        wakes_[event.pool][event.who].at = sim::never;
        pools_[event.pool]->engine(event.who).advance(now_, sinks_[event.pool][event.who]);
        wake(event.pool, event.who);
        for (const uint32_t live : handed_over_) plan(now_ + static_cast<Instant>(setup_.fleet.transfer_ms * ns_per_ms), transfer, 1, live);
        handed_over_.clear();
        return;
    }
    case transfer: lives_[event.who].pool = event.pool; return route(event.who);
    case death: return kill(event.who);
    case comeback:
        if (auto back = pools_[0]->revive(event.who); !back) failed_ = true, failure_ = std::move(back).error();
        room_ = true;
        return;
    case report:
        for (auto& pool : pools_) pool->report_loads(now_);
        return every(now_, setup_.fleet.report_ms, report);
    case refresh:
        for (auto& pool : pools_) pool->show_loads();
        room_ = true;
        return every(now_, setup_.faults.stale_load_ms, refresh);
    case sample:
        pools_.back()->requests_at_workers(at_workers_);
        variation_ += variation(at_workers_), ++samples_;
        return every(now_, 1'000, sample);
    }
}

// The engine's next step is in the heap exactly once: what was planned before counts no more.
void Simulation::wake(uint32_t pool, uint32_t worker) {
    const Instant at = pools_[pool]->engine(worker).next_event_time();
    Wake& w = wakes_[pool][worker];
    if (at == w.at) return;
    w.at = at;
    ++w.generation;
    if (at != sim::never) plan(std::max(at, now_), step, pool, worker, w.generation);
}

void Simulation::arrive(uint32_t arrival) {
    uint32_t live;
    if (free_.empty()) live = static_cast<uint32_t>(lives_.size()), lives_.emplace_back();
    else live = free_.back(), free_.pop_back();
    lives_[live] = Live{};
    lives_[live].arrival = arrival;
    lives_[live].in_use = true;
    ++under_way_;
    route(live);
}

void Simulation::route(uint32_t live, std::optional<uint32_t> turn) {
    Live& l = lives_[live];
    const Arrival& arrival = arrivals_[l.arrival];
    const Request& request = workload_.requests[arrival.request];
    Pool& pool = *pools_[l.pool];
    expand(workload_, request, arrival.copy, setup_.engine.block_size, local_);
    chained_.resize(local_.size());
    for (size_t i = 0; i < local_.size(); ++i) chained_[i] = i ? kv::chain_hash(chained_[i - 1], local_[i]) : local_[0];
    Prepared prepared;
    prepared.model = model_name;
    prepared.local_hashes = local_, prepared.seq_hashes = chained_;
    prepared.block = static_cast<uint16_t>(setup_.engine.block_size);
    prepared.prompt_tokens = request.prompt_tokens + l.generated;
    prepared.max_out = request.out_tokens - l.generated;
    const uint64_t before = thread_cpu_ns();
    auto choice = pool.place(prepared, now_, turn);
    if (choice && choice->pick.kind == Pick::chosen) {
        l.booking = pool.book(*choice, prepared, now_);
        l.worker = pool.worker_of(*choice);
    }
    decision_ns_ += thread_cpu_ns() - before, ++decisions_;
    if (choice && choice->pick.kind == Pick::wait) return wait(live, *choice, prepared);
    if (!choice || !submit(live, request)) ++out_.refused, finish(live);
}

// As gateway/flow_queue.cc: it keeps its place however often its turn was of no use.
void Simulation::wait(uint32_t live, const route::Choice& full, const Prepared& prepared) {
    Live& l = lives_[live];
    if (!l.queued) {
        ++out_.queued;
        l.queued = std::make_unique<Queued>();
        l.queued->live = live, l.queued->cls = full.queue_class, l.queued->arrived = now_;
    }
    l.queued->prompt_tokens = prepared.prompt_tokens, l.queued->cached_tokens = full.cached_tokens;
    if (pools_[l.pool]->queue()->join(*l.queued, pools_[l.pool]->open_workers(), now_)) ++out_.refused, finish(live);
}

void Simulation::pump() {
    room_ = false;
    for (auto& pool : pools_) {
        route::RouterQueue* queue = pool->queue();
        if (!queue || queue->waiting() == 0) continue;
        queue->freed();
        while (route::Waiting* next = queue->next(pool->room())) {
            const uint32_t live = static_cast<Queued*>(next)->live;
            route(live, next->cls);
            if (next->waits()) break;            // not for it after all
        }
    }
}

bool Simulation::submit(uint32_t live, const Request& request) {
    Live& l = lives_[live];
    Pool& pool = *pools_[l.pool];
    sim::RequestSpec spec;
    spec.id = live;
    spec.block_hashes = local_;
    spec.prompt_tokens = request.prompt_tokens + l.generated;
    if (local_.empty()) spec.tokens.assign(spec.prompt_tokens, static_cast<uint32_t>(l.arrival));   // less than a block: nothing to share
    spec.max_tokens = pools_.size() > 1 && l.pool == 0 ? 1 : request.out_tokens - l.generated;
    spec.seed = mix64(l.arrival);
    spec.user = &l;
    if (!pool.engine(l.worker).submit(std::move(spec), now_)) return false;
    wake(l.pool, l.worker);
    return true;
}

void Simulation::token(const sim::TokenEvent& e) {
    Live& l = *static_cast<Live*>(e.user);
    const auto live = static_cast<uint32_t>(e.id);
    if (!l.hits_counted) {
        l.hits_counted = true;
        l.cached = e.cached_tokens;
        prompt_tokens_ += e.prompt_tokens, cached_tokens_ += e.cached_tokens;
    }
    if (e.index == 0) l.booking.prefill_done(now_), room_ = true;
    if (pools_.size() > 1 && l.pool == 0) {      // the client hears of it from the decode worker
        end_booking(l);
        handed_over_.push_back(live);
        return;
    }
    if (l.first == 0) {
        l.first = now_;
        ttft_ms_.push_back(static_cast<double>(now_ - epoch - arrivals_[l.arrival].at) / 1e6);
        too_late_ += ttft_ms_.back() > setup_.give_up_ttft_ms;
    } else {
        itl_.add(now_ - l.last);
    }
    l.last = now_;
    ++l.generated, ++generated_;
    l.booking.grow(l.generated, now_);
    if (e.finish == sim::Finish::none) return;
    last_end_ = now_;
    ++out_.finished;
    finish(live);
}

// As a gateway would: with what the engine said of the request.
void Simulation::end_booking(Live& l) {
    Outcome outcome;
    outcome.first_byte = l.first != 0, outcome.finished = true;
    outcome.prompt_tokens = workload_.requests[arrivals_[l.arrival].request].prompt_tokens;
    outcome.cached_tokens = l.cached, outcome.out_tokens = l.generated;
    outcome.ttft = l.first ? l.first - epoch - arrivals_[l.arrival].at : 0;
    outcome.end = now_;
    l.booking.release(outcome);
    room_ = true;
}

void Simulation::finish(uint32_t live) {
    Live& l = lives_[live];
    end_booking(l);
    l.in_use = false;
    --under_way_;
    free_.push_back(live);
}

// Requests of the dead worker go elsewhere with what they have generated.
void Simulation::kill(uint32_t worker) {
    if (!pools_[0]->alive(worker)) return;
    pools_[0]->kill(worker, now_);
    wakes_[0][worker] = {sim::never, wakes_[0][worker].generation + 1};
    room_ = true;                                // also for those that wait for somebody who is gone
    if (setup_.faults.down_s > 0) plan(now_ + static_cast<Instant>(setup_.faults.down_s * ns_per_s), comeback, 0, worker);
    for (uint32_t i = 0; i < lives_.size(); ++i) {
        if (!lives_[i].in_use || lives_[i].pool != 0 || lives_[i].worker != worker || !lives_[i].booking) continue;
        lives_[i].booking = Booking();
        ++out_.rerouted;
        route(i);
    }
}

Figures Simulation::figures() {
    for (Live& l : lives_) l.booking = Booking();   // after giving up, some are under way
    Figures out = std::move(out_);
    out.requests = arrivals_.size();
    double sum = 0;
    for (const double ms : ttft_ms_) sum += ms;
    out.ttft_mean_ms = ttft_ms_.empty() ? 0 : sum / static_cast<double>(ttft_ms_.size());
    std::sort(ttft_ms_.begin(), ttft_ms_.end());
    for (int p = 1; p <= 100 && !ttft_ms_.empty(); ++p)
        out.ttft_curve_ms.push_back(ttft_ms_[static_cast<size_t>(std::ceil(p / 100.0 * static_cast<double>(ttft_ms_.size()))) - 1]);
    out.ttft_ms = percentiles(ttft_ms_);
    out.itl_ms = itl_.percentiles_ms();
    out.hit_rate = prompt_tokens_ ? static_cast<double>(cached_tokens_) / static_cast<double>(prompt_tokens_) : 0;
    out.virtual_s = static_cast<double>(last_end_ - epoch) / 1e9;
    const double arriving_s = arrivals_.empty() ? 0 : static_cast<double>(arrivals_.back().at) / 1e9;
    out.throughput_tokens_per_s = arriving_s > 0 ? static_cast<double>(generated_by_last_) / arriving_s : 0;
    out.load_cv = samples_ ? variation_ / static_cast<double>(samples_) : 0;
    out.router_us = decisions_ ? static_cast<double>(decision_ns_) / static_cast<double>(decisions_) / 1e3 : 0;
    for (auto& pool : pools_) {
        out.preemptions += pool->totals().preemptions;
        out.index_bytes += pool->index_bytes(), out.index_blocks += pool->index_blocks(), out.active_bytes += pool->active_bytes();
        out.leaked += pool->leaked();
    }
    return out;
}

Result<std::unique_ptr<Policy>> make_policy(const std::string& name, PolicyConfig config, const char*& row_name) {
    const PolicyRow* row = find_policy(name);
    if (!row) {
        std::string known;
        for (const PolicyRow& r : policy_table()) known += " " + std::string(r.name);
        return Failure(Code::bad_field, "there is no policy '" + name + "'; there are" + known);
    }
    row_name = row->name.data();
    config.name = row->name;
    return row->make(config);
}

}  // namespace

Result<Contestant> parse_contestant(std::string_view text) {
    Contestant out;
    out.name = std::string(text);
    const size_t plus = text.find('+');
    out.whole = std::string(text.substr(0, plus));
    if (plus != std::string_view::npos) out.decode = std::string(text.substr(plus + 1));
    for (const std::string& name : {out.whole, plus == std::string_view::npos ? out.whole : out.decode}) {
        const char* row = nullptr;
        TRY_OK(make_policy(name, {}, row));
    }
    return out;
}

Result<Figures> simulate(const Workload& workload, const std::vector<Arrival>& arrivals, const Contestant& contestant, const Setup& setup) {
    TRY_OK(setup.engine.check());
    Simulation simulation(workload, arrivals, setup);
    const char* row = nullptr;
    const bool apart = setup.fleet.decode > 0;
    for (const Leg::Role role : {apart ? Leg::prefill : Leg::whole, Leg::decode}) {
        if (role == Leg::decode && !apart) break;
        PolicyConfig config = setup.policy;
        sim::EngineParams engine = setup.engine;
        if (role == Leg::prefill) engine.role = sim::EngineParams::prefill;
        if (role == Leg::decode) {
            engine.role = sim::EngineParams::decode;
            config.kv.load_only = true, config.kv.track_prefill = false;
        }
        TRY(auto policy, make_policy(role == Leg::decode && !contestant.decode.empty() ? contestant.decode : contestant.whole, config, row));
        auto pool = std::make_unique<Pool>(setup, role == Leg::decode ? setup.fleet.decode : setup.fleet.workers, role, engine,
                                           std::move(policy), row);
        TRY_OK(pool->start());
        simulation.add_pool(std::move(pool));
    }
    TRY(Figures figures, simulation.run());
    figures.policy = contestant.name;
    return figures;
}

}  // namespace weir::replay
