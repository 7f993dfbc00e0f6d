#include "tests/sim/sim_world.h"

#include <algorithm>

namespace weir::sim {
namespace {

constexpr uint64_t turns_max = 2'000'000, run_ms_max = 30 * 60'000, drain_ms_max = 10 * 60'000;
constexpr size_t workers_n = 3, trace_max = 400;

template <class T, size_t N>
T one_of(Random& r, const T (&of)[N]) { return of[r.below(N)]; }

Metrics& shared_metrics() {   // counters of many runs; nothing of a run depends on them
    static Metrics metrics(1);
    return metrics;
}

}  // namespace

Options draw_options(Random& r) {
    Options o;
    o.fault_percent = one_of<uint64_t>(r, {0, 0, 20, 60});
    o.leave_percent = one_of<uint64_t>(r, {0, 0, 20, 50});
    o.refuse_percent = one_of<uint64_t>(r, {0, 0, 0, 30});
    o.destroy_per_10k = one_of<uint64_t>(r, {0, 0, 0, 40});
    o.big_answers = r.below(4) == 0;
    o.tight_budget = r.below(8) == 0;
    o.clients = 1 + static_cast<unsigned>(r.below(5));
    o.weather.delay_us_max = one_of<uint64_t>(r, {10, 500, 5'000, 20'000});
    o.weather.capacity = one_of<size_t>(r, {1'000, 8'000, 64'000, 256'000});
    o.weather.pieces_max = 1 + static_cast<uint32_t>(r.below(6));
    o.weather.short_io = r.below(4) != 0;
    o.flow.api.dialect = r.below(2) ? Dialect::frontend : Dialect::launch;
    o.flow.api.body_max = r.below(8) ? 64u << 20 : 2'000;
    o.flow.request_id_headers = {"x-request-id"};
    o.flow.sse_keepalive_ms = one_of<uint64_t>(r, {0, 5, 50});
    o.flow.first_byte_ms = one_of<uint64_t>(r, {0, 1'000});
    o.flow.idle_ms = one_of<uint64_t>(r, {0, 1'000});
    o.flow.total_ms = one_of<uint64_t>(r, {0, 0, 0, 2'000});
    o.flow.path = r.below(2) ? FlowOptions::Path::forward : FlowOptions::Path::events;
    o.flow.connect_attempts_max = 1 + static_cast<unsigned>(r.below(3));
    auto policies = policy_table();
    do o.policy = policies[r.below(policies.size())].name;
    while (o.policy == "direct");   // nobody here names a worker
    return o;
}

World::World(uint64_t seed)
    : net(clock, seed ^ 0x5eed), random(seed), options(draw_options(random)), metrics_(shared_metrics()),
      core_(0, clock, std::make_unique<SimPoller>(net), seed ^ 0xc0de) {
    Random crowd(seed ^ 0x9e0e);   // its own, so that runs without a queue are what they were
    if (crowd.below(4) == 0) options.requests_max = 1 + static_cast<uint32_t>(crowd.below(2));
}

World::~World() = default;

void World::violation(std::string what) {
    trace("VIOLATION " + what);
    violations_.push_back(std::move(what));
}

void World::trace(std::string what) {
    if (trace_.size() >= trace_max) trace_.pop_front();
    trace_.push_back(std::to_string((net.now() - 1'000 * ns_per_s) / 1'000) + " us: " + std::move(what));
}

std::string World::traces() const {
    std::string out;
    for (auto& line : trace_) out += line + "\n";
    return out;
}

const Ask& World::new_ask() {
    Ask& a = asks_.emplace_back();
    a.id = static_cast<int>(asks_.size());
    uint64_t dice = random.below(10);
    a.kind = dice < 6 ? Kind::chat : dice < 9 ? Kind::completions : Kind::embeddings;
    a.stream = a.kind != Kind::embeddings && random.below(3) > 0;
    a.usage = a.stream && random.below(2);
    std::string text = a.name() + std::string(random.below(4) ? random.below(40) : random.below(6'000), 'p');
    a.body = "{\"model\":\"m\",";
    if (a.kind == Kind::chat) a.body += "\"messages\":[{\"role\":\"user\",\"content\":\"" + text + "\"}]";
    else a.body += std::string(a.kind == Kind::embeddings ? "\"input\"" : "\"prompt\"") + ":\"" + text + "\"";
    if (a.stream) a.body += ",\"stream\":true";
    if (a.usage) a.body += ",\"stream_options\":{\"include_usage\":true}";
    if (a.kind != Kind::embeddings && random.below(2)) a.body += ",\"temperature\":0.5,\"max_tokens\":64";
    a.body += "}";
    by_name_[a.name()] = &a;
    return a;
}

const Ask* World::ask(const std::string& id) const {
    auto it = by_name_.find(id);
    return it == by_name_.end() ? nullptr : it->second;
}

std::pair<std::unique_ptr<SimTransport>, const Served*> World::dial_gateway() {
    auto [near, far] = net.connect(options.weather);
    Served& served = served_.emplace_back();
    served.nursery.spawn(serve_http1(std::move(far), *flow_, limits, draining_));
    return {std::move(near), &served};
}

Task<Result<std::unique_ptr<Transport>>> World::connect(void* self, const Target& target) {
    World& w = *static_cast<World*>(self);
    if (w.random.below(2)) co_await sleep_ms(1 + w.random.below(20));
    if (w.random.below(100) < w.options.refuse_percent) {
        w.refused_++;
        co_return Failure(Code::connect_failed, "the worker could not be reached");
    }
    auto [near, far] = w.net.connect(w.options.weather);
    SimEngine& engine = w.engines_[target.slot];
    engine.connections.spawn(engine.serve(std::move(far)));
    co_return std::unique_ptr<Transport>(std::move(near));
}

void World::destroy(Options::Victim victim) {
    disturbed_ = true;
    counts.destroyed++;
    if (victim == Options::worker) {
        SimEngine& e = engines_[random.below(engines_.size())];
        trace("a worker crashes");
        crashing = true;
        e.connections.cancel();
        crashing = false;
        silent_closes++;
        return;
    }
    auto pick = [&](auto& list) { return std::next(list.begin(), static_cast<long>(random.below(list.size()))); };
    if (victim == Options::client) {
        trace("a client crashes");
        pick(clients_)->cancel();
    } else if (!served_.empty()) {
        trace("a connection's tasks are destroyed");
        auto served = pick(served_);
        served->destroyed = true;
        served->nursery.cancel();
    }
}

void World::turn() {
    turns_++;
    core_.turn(-1);
    if (options.destroy_at == turns_) destroy(options.victim);
    if (options.destroy_per_10k && random.below(10'000) < options.destroy_per_10k) destroy(static_cast<Options::Victim>(random.below(Options::victims)));
}

void World::run_until_idle(uint64_t bound_ms, bool clients_too) {
    Instant end = net.now() + bound_ms * ns_per_ms;
    for (;;) {
        bool busy = false;
        for (auto& c : clients_) busy |= c.size() > 0;
        if (!clients_too) {
            for (auto& s : served_) busy |= s.nursery.size() > 0;
            for (auto& e : engines_) busy |= e.connections.size() > 0;
            busy |= net.open() > 0 || !net.quiet();
        }
        if (!busy) return;
        uint64_t before = turns_;
        turn();
        // Nothing flies, nothing is armed: nobody will ever wake whoever still waits.
        bool stuck = net.quiet() && net.last_wait_ms() == -1;
        if (stuck && (core_.turn(0), net.quiet() && net.last_wait_ms() == -1)) return violation("everybody waits and nothing will come");
        if (turns_ > turns_max || net.now() > end) return violation("no end after " + std::to_string(before) + " turns");
    }
}

void World::check_end() {
    for (auto& s : served_)
        if (s.nursery.size()) violation("a connection outlived its client");
    for (auto& s : served_)
        if (s.nursery.exceptions()) violation("an exception left a connection");
    if (net.open()) violation(std::to_string(net.open()) + " transports are open");
    if (state_->pool.idle()) violation("idle connections outlived their time");
    if (state_->active.load()) violation(std::to_string(state_->active.load()) + " requests are counted as active");
    for (auto& r : state_->fleet->ranks())
        if (uint32_t n = r.cell->requests.load()) violation("a load cell stands at " + std::to_string(n));
    if (queue_ && queue_->gate.waiting()) violation(std::to_string(queue_->gate.waiting()) + " requests wait in the queue");
    if (bodies_.used()) violation(std::to_string(bodies_.used()) + " bytes of the body budget are taken");
    if (core_.nursery().size() || core_.afterwards().size()) violation("the core's nurseries are not empty");
    core_.turn(0);
    for (int i = 0; i < 600 && net.last_wait_ms() != -1; i++) core_.turn(-1);   // timers of idle sweeps and cascades run out
    if (net.last_wait_ms() != -1) violation("a timer stays armed");
    for (auto& [id, t] : told_) {
        if (t.heard > 1) violation("rq-" + std::to_string(id) + " was sent to workers " + std::to_string(t.heard) + " times");
        auto left = left_at_.find(id);
        if (left == left_at_.end() || !t.noticed || t.poisoned || limits.allow_half_close || disturbed_) continue;
        Instant since = std::max(left->second, t.stalled);
        if (t.noticed > since + (100'000 + 3 * options.weather.delay_us_max) * 1'000)
           
            violation("the worker of rq-" + std::to_string(id) + " learned " +
                      std::to_string((t.noticed - since) / ns_per_ms) + " ms late that the client left");
    }
}

const std::vector<std::string>& World::run() {
    limits.bodies = &bodies_;
    limits.allow_half_close = random.below(4) == 0;
    if (options.tight_budget) bodies_.set_limit(8'000);
    UpstreamLimits up;
    state_ = std::make_unique<CoreState>(core_, up, metrics_, nullptr);
    state_->pool.connect_through(&World::connect, this);
    Registry registry(cells_, nullptr, false, [this](FleetViewRef view) { state_->fleet = std::move(view); });
    for (size_t i = 0; i < workers_n; i++) {
        engines_.emplace_back(*this, static_cast<int>(i));
        WorkerSpec spec;
        spec.url = "http://worker-" + std::to_string(i) + ":8000";
        spec.models = {"m"};
        spec.ready = true;
        if (!registry.add(std::move(spec))) violation("a worker was refused");
    }
    auto routes = api::Routes::make(options.flow.api, {});
    const PolicyRow& policy = *find_policy(options.policy);
    std::shared_ptr<route::Routing> routing = route::only(policy.make({options.policy}), policy.name.data());
    if (options.requests_max) {
        routing = route::only(std::make_unique<FewAtATime>(options.requests_max, counts.queued), "few_at_a_time");
        queue_ = std::make_unique<SimQueue>(core_, state_->fleet, options.requests_max, options.flow.total_ms);
        routing->queue = &queue_->gate;
    }
    flow_ = std::make_unique<Flow>(options.flow, *routes, std::move(routing), metrics_, draining_);
    flow_->add_core(state_.get());
    for (unsigned i = 0; i < options.clients; i++) {
        scripts_.emplace_back(*this, static_cast<int>(i));
        clients_.emplace_back().spawn(scripts_.back().run());
    }
    run_until_idle(run_ms_max, true);
    run_until_idle(drain_ms_max, false);
    for (auto& got : got_) judge(got);
    check_end();
    counts.resumes_most = turns_;
    return violations_;
}

// --- judging ---

bool World::explained(const Ask& ask) const {
    auto it = told_.find(ask.id);
    bool heard = it != told_.end() && it->second.heard > 0;
    if (heard && (!harmless(it->second.fault) || it->second.crashed)) return true;
    if (!heard && (refused_ || silent_closes)) return true;
    return options.tight_budget || options.flow.total_ms || options.flow.api.body_max < ask.body.size();
}

void World::check_request(const Ask& ask, const std::string& method, const std::string& path, const std::string& body) {
    static const char* const paths[] = {"/v1/chat/completions", "/v1/completions", "/v1/embeddings"};
    if (method != "POST" || path != paths[static_cast<size_t>(ask.kind)]) violation("a worker was asked for " + method + " " + path);
    std::string wrong = compare_request(ask, body, options.flow.path == FlowOptions::Path::forward);
    if (!wrong.empty()) violation("the worker got another request for " + ask.name() + ": " + wrong);
}

void World::judge(const Got& got) {
    const Answer& answer = got.answer;
    bool reset = got.over->destroyed;
    for (const Ask* other : got.beside) reset |= other != got.ask && explained(*other);
    if (got.ask && extras && !told_[got.ask->id].heard) return;   // it may have met bytes that were another's
    counts.continued += answer.interim > 0;
    std::string wrong;
    if (answer.bad) {
        wrong = "the framing of the answer is broken";
    } else if (got.ask) {
        wrong = judge_answer(*got.ask, told_[got.ask->id], answer, reset || explained(*got.ask), options.flow, counts);
    } else if (!answer.complete) {
        if (!reset) wrong = "no whole answer from the gateway itself";
    } else if (got.status == 0) {
        counts.wrong++;
        if (answer.status < 400 || answer.status > 505 || !answer.closes) wrong = "a wrong request was answered with " + std::to_string(answer.status);
    } else {
        counts.own++;
        if (answer.status != got.status && !(options.tight_budget && answer.status >= 429)) wrong = "status " + std::to_string(answer.status);
    }
    if (wrong.empty()) return;
    violation((got.ask ? got.ask->name() : "an own answer") + ": " + wrong + "\n  head: " + answer.head + "\n  body: " + answer.body.substr(0, 2'000));
}

}  // namespace weir::sim
