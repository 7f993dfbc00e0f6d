#include "gateway/routings.h"

#include <algorithm>

#include "gateway/launch_settings.h"
#include "gateway/loads.h"
#include "gateway/model_queue.h"
#include "obs/log.h"
#include "policy/policy.h"
#include "route/place.h"

namespace weir {
namespace {

constexpr uint64_t tick_ms = 100;
constexpr unsigned tend_slices = 64;             // of upkeep in one go, before others on that core have their turn
constexpr uint64_t index_share = 4, text_share = 16, active_share = 32;   // of the memory limit: a quarter and so on
constexpr uint32_t block_default = 16;

uint32_t narrow(uint64_t n) { return static_cast<uint32_t>(std::min<uint64_t>(n, UINT32_MAX)); }

PolicyConfig::Manual::Assignment assignment_of(const std::string& name) {
    using M = PolicyConfig::Manual;
    return name == "min_load" ? M::min_load : name == "min_group" ? M::min_group : name == "delegate" ? M::delegate : M::random;
}

}  // namespace

PolicyConfig policy_config(const Config& config) {
    PolicyConfig out;
    const KvConfig& k = config.kv;
    out.name = config.router.policy;
    auto& kv = out.kv;
    kv.overlap_credit = k.overlap_score_weight == 0 ? 0 : k.overlap_credit;   // the old weight sets both
    kv.prefill_load_scale = k.overlap_score_weight != 1 ? k.overlap_score_weight : k.prefill_load_scale;
    kv.credit_decay = k.overlap_credit_decay, kv.request_weight = k.decode_request_weight;
    kv.host_weight = k.host_hit_weight, kv.disk_weight = k.disk_hit_weight, kv.temperature = k.temperature;
    kv.track_prefill = k.track_prefill_tokens, kv.track_active = k.track_active_blocks, kv.load_only = config.router.load_aware;
    const PoliciesConfig& p = config.policies;
    auto& ca = out.cache_aware;
    ca.threshold = p.cache_threshold, ca.spill_rel = p.spill_rel, ca.spill_abs = narrow(p.spill_abs);
    ca.usage_spread = p.token_usage_spread, ca.usage_ceiling = p.token_usage_ceiling;
    ca.overlap_decay = p.overlap_decay, ca.temperature = p.selection_temperature;
    out.prefix_hash = {narrow(p.prefix_tokens), narrow(p.prefix_balance_abs), p.prefix_load_factor};
    out.least_load = {p.least_load_kv_weight, p.least_load_throughput, narrow(p.least_load_prefill), narrow(p.least_load_waiting_max)};
    out.bucket = {p.bucket_adjust_s * 1'000, narrow(p.spill_abs), p.spill_rel};
    out.manual.assignment = assignment_of(p.assignment);
    out.manual.idle_ms = p.sticky_idle_s * 1'000;
    out.sticky = p.routing_key;
    out.dp_min_tokens = p.dp_min_tokens;
    out.power_of_two_requests = config.dialect == Dialect::frontend || p.power_of_two_metric != "expected_wait";
    return out;
}

EventAppliers::EventAppliers(std::vector<Core*> cores, std::shared_ptr<kv::KvIndex> index, std::shared_ptr<kv::TextIndex> text,
                             const kv::PredictionSettings* predictions)
    : index_(std::move(index)), text_(std::move(text)) {
    for (Core* core : cores) {
        auto applier = std::make_unique<Applier>();
        applier->core = core;
        if (index_ && predictions) {
            kv::PredictionSettings share = *predictions;
            share.blocks_max = std::max<uint64_t>(1, share.blocks_max / cores.size());
            applier->predictions = std::make_unique<kv::Predictions>(*index_, share);
        }
        appliers_.push_back(std::move(applier));
    }
}

void EventAppliers::predict(kv::Rank rank, std::span<const uint64_t> local, Instant now) {
    Applier& applier = *appliers_[rank % appliers_.size()];
    if (!applier.predictions || local.empty()) return;
    auto apply = [&applier, rank, now, blocks = std::vector<uint64_t>(local.begin(), local.end())] {
        applier.predictions->predict(rank, blocks, now);
        applier.count();
    };
    if (!applier.core->post(std::move(apply))) dropped_.fetch_add(1, std::memory_order_relaxed);
}

void EventAppliers::Applier::count() {
    blocks.store(predictions->blocks(), std::memory_order_relaxed);
    pruned.store(predictions->pruned(), std::memory_order_relaxed);
    expired.store(predictions->expired(), std::memory_order_relaxed);
}

EventAppliers::Predicted EventAppliers::predicted() const {
    Predicted sum;
    for (auto& a : appliers_) {
        sum.blocks += a->blocks.load(std::memory_order_relaxed);
        sum.pruned += a->pruned.load(std::memory_order_relaxed);
        sum.expired += a->expired.load(std::memory_order_relaxed);
    }
    return sum;
}

Task<void> EventAppliers::look_after(Applier& applier, bool first) {
    for (;;) {
        co_await sleep_ms(tick_ms);
        Instant now = applier.core->now();
        if (applier.predictions) {
            applier.predictions->expire(now);
            applier.count();
        }
        if (!first) continue;
        if (text_) text_->tend(now);
        for (unsigned slice = 0; index_ && slice < tend_slices && index_->tend(); slice++) {}
    }
}

void EventAppliers::start() {
    for (auto& a : appliers_) {
        Applier* applier = a.get();
        bool first = applier == appliers_.front().get();
        (void)applier->core->post([this, applier, first] { applier->core->nursery().spawn(look_after(*applier, first)); });
    }
}

Result<std::unique_ptr<Routings>> Routings::make(const Config& config, uint64_t memory, Core& spare) {
    std::unique_ptr<Routings> r(new Routings());
    r->config_ = launch_settings(config);
    r->home_ = &spare;
    r->policy_ = policy_config(r->config_);
    const PolicyRow* row = find_policy(config.router.policy);
    if (!row) return Failure(Code::not_supported, "not supported yet: policy " + config.router.policy);
    r->policy_name_ = row->name.data();
    r->needs_ = make_policy(r->policy_)->needs();
    const RouterConfig& router = config.router;
    if (router.admission != "none" && !router.busy_decode_blocks && !router.busy_prefill_frac && !router.busy_prefill_tokens)
        LOG_WARN(route, "admission control without a threshold: no worker is ever passed over", {"admission", router.admission});
    const KvConfig& kv = r->config_.kv;
    if (r->needs_ & (need::device | need::lower_tiers | need::predicted)) {
        const uint64_t bytes = kv.index_bytes_max ? kv.index_bytes_max : std::max<uint64_t>(memory / index_share, kv::index_bytes_min);
        TRY(r->index_, kv::KvIndex::make({bytes}));
    }
    if (r->needs_ & need::active && kv.track_active_blocks) {
        TRY(r->active_, kv::ActiveBlocks::make(std::max<uint64_t>(memory / active_share, kv::ActiveBlocks::bytes_min)));
    }
    if (r->needs_ & need::matched) {
        kv::TextIndexSettings text;
        text.bytes_max = std::max<uint64_t>(memory / text_share, 1 << 20);
        text.chars_max = config.policies.tree_size_max;
        text.evict_every_ms = config.policies.eviction_interval_s * 1'000;
        TRY(r->text_, kv::TextIndex::make(text));
    }
    if (router.affinity_ttl_s) {
        route::AffinitySettings sessions;
        sessions.ttl_ms = router.affinity_ttl_s * 1'000;
        sessions.hard = router.affinity_mode != "soft";
        r->affinity_ = std::make_shared<route::Affinity>(sessions);
    } else if (router.affinity_mode == "soft") {
        LOG_WARN(route, "a mode of session affinity without a time to live: sessions are not kept together", {"mode", router.affinity_mode});
    }
    r->overload_ = overload_guard(config);
    if (r->index_ || r->text_) {
        std::vector<Core*> cores{&spare};
        if (std::thread::hardware_concurrency() > 2) {
            cores.clear();
            for (unsigned i = 0; i < kv.event_threads; i++) {
                r->cores_.push_back(std::make_unique<Core>(2'000 + i, system_clock(), std::make_unique<EpollPoller>(), i + 1));
                cores.push_back(r->cores_.back().get());
            }
        }
        kv::PredictionSettings p;
        p.ttl_ms = std::max<uint64_t>(1, static_cast<uint64_t>((kv.events ? kv.predicted_ttl_s.value_or(0) : kv.ttl_s) * 1'000));
        p.blocks_max = kv.tree_size_max;
        p.prune_target_ratio = std::clamp(kv.prune_ratio, 0.01, 1.0);
        const bool predicting = r->index_ && (!kv.events || kv.predicted_ttl_s);
        r->appliers_ = std::make_unique<EventAppliers>(std::move(cores), r->index_, r->text_, predicting ? &p : nullptr);
    }
    auto map = std::make_shared<RoutingMap>();
    map->others = r->make_routing({});
    r->map_ = std::move(map);
    return r;
}

std::shared_ptr<route::Routing> Routings::make_routing(std::string_view model) const {
    auto routing = std::make_shared<route::Routing>();
    routing->whole = make_policy(policy_);
    routing->policy_name = policy_name_;
    routing->index = index_, routing->text = text_, routing->active = active_;
    routing->overload = overload_.get();
    if (affinity_) routing->affinity = std::make_shared<route::Affinity>(*affinity_, model);
    const bool predicting = !config_.kv.events || config_.kv.predicted_ttl_s;
    routing->predictions = index_ && predicting ? appliers_.get() : nullptr;
    routing->assume_reuse = config_.kv.assume_reuse;
    routing->track_prefill = config_.kv.track_prefill_tokens, routing->track_output = config_.kv.track_output_blocks;
    routing->host_weight = config_.kv.host_hit_weight, routing->disk_weight = config_.kv.disk_hit_weight;
    const RouterConfig& r = config_.router;
    routing->busy.decode_blocks_share = static_cast<float>(r.busy_decode_blocks.value_or(route::BusyLimits::off));
    routing->busy.prefill_batch_share = static_cast<float>(r.busy_prefill_frac.value_or(route::BusyLimits::off));
    if (r.busy_prefill_tokens) routing->busy.prefill_tokens = narrow(r.busy_prefill_tokens);
    return routing;
}

// Only where policies go by prompts are the ranks' tokens known, which say when they are full.
bool Routings::queues() const {
    return config_.dialect == Dialect::frontend && config_.router.queue_threshold && config_.kv.track_prefill_tokens &&
           needs_ & (need::device | need::lower_tiers | need::predicted);
}

std::shared_ptr<const RoutingMap> Routings::map() const {
    std::lock_guard lock(mutex_);
    return map_;
}

void Routings::forget(kv::Rank first, uint32_t n) {
    if (index_) index_->remove_ranks(first, n);
    if (text_) text_->remove_ranks(first, n);
}

std::shared_ptr<const RoutingMap> Routings::follow(const FleetViewRef& now) {
    std::lock_guard lock(mutex_);
    std::shared_ptr<RoutingMap> next;
    for (auto& model : now->models()) {
        const RoutingMap& current = next ? *next : *map_;
        if (current.models.contains(model) || current.models.size() >= models_max) continue;
        if (!next) next = std::make_shared<RoutingMap>(*map_);
        auto routing = make_routing(model);
        if (queues() || waits_for_loads(config_)) {
            queues_.push_back(std::make_unique<ModelQueue>(*home_, waits_for_loads(config_) ? load_queue(config_) : queue_settings(config_), model));
            routing->queue = &queues_.back()->gate();
        }
        next->models.emplace(model, std::move(routing));
    }
    for (auto& queue : queues_) queue->fleet_is(now);
    if (next) map_ = std::move(next);
    return map_;
}

uint32_t Routings::block_of(const WorkerView& worker) const {
    if (config_.dialect == Dialect::launch) return worker.block ? worker.block : config_.policies.block_size;
    return config_.kv.block_size ? config_.kv.block_size : worker.block ? worker.block : block_default;
}

void Routings::collect(Metrics& m) {
    if (index_) {
        const kv::IndexStats s = index_->stats();
        auto set = [&](Metric metric, uint64_t n) { m.set(metric, {}, static_cast<double>(n)); };
        m.set(Metric::kv_memberships, {"*"}, static_cast<double>(s.memberships));
        m.set(Metric::kv_entries, {"*"}, static_cast<double>(s.blocks));
        set(Metric::kv_index_bytes, s.bytes);
        set(Metric::kv_index_bytes_max, s.bytes_max);
        const std::pair<const char*, uint64_t> blocks[] = {
            {"stored", s.stored}, {"removed", s.removed}, {"duplicate", s.duplicates}, {"unknown_removed", s.unknown_removed}, {"parked", s.parked},
            {"parked_dropped", s.parked_dropped}, {"evicted_budget", s.evicted_budget}, {"refused", s.refused}};
        for (auto& [what, n] : blocks) m.set(Metric::kv_index_blocks, {what}, static_cast<double>(n));
    }
    if (appliers_) {
        const EventAppliers::Predicted p = appliers_->predicted();
        m.set(Metric::predicted_blocks, {}, static_cast<double>(p.blocks));
        m.set(Metric::predictions, {"expired"}, static_cast<double>(p.expired));
        m.set(Metric::predictions, {"pruned"}, static_cast<double>(p.pruned));
        m.set(Metric::predictions, {"dropped"}, static_cast<double>(appliers_->dropped()));
    }
    if (text_) m.set(Metric::cache_tree_chars, {"*"}, static_cast<double>(text_->stats().chars));
    {
        std::lock_guard lock(mutex_);
        for (auto& queue : queues_)
            m.set(Metric::router_queue_requests, {queue->model(), "default", "decode"}, static_cast<double>(queue->gate().waiting()));
    }
    if (affinity_) {
        m.set(Metric::affinity_sessions, {}, static_cast<double>(affinity_->sessions()));
        m.set(Metric::affinity_evicted, {}, static_cast<double>(affinity_->evicted()));
    }
    if (active_) m.set(Metric::active_bytes, {}, static_cast<double>(active_->bytes()));
}

void Routings::start() {
    for (auto& core : cores_) threads_.emplace_back([c = core.get()] { c->run(); });
    if (appliers_) appliers_->start();
}

void Routings::stop() {
    for (auto& core : cores_) core->stop();
    for (auto& thread : threads_) thread.join();
    threads_.clear();
}

Routings::~Routings() {
    stop();
    for (auto& core : cores_) {
        Core::Enter enter(*core);
        core->nursery().cancel();
    }
}

}  // namespace weir
