#include "gateway/routings.h"

#include <algorithm>

#include "config/load.h"
#include "gateway/launch_settings.h"
#include "gateway/loads.h"
#include "gateway/model_queue.h"
#include "obs/log.h"
#include "policy/policy.h"
#include "route/place.h"
#include "types/ranks.h"

namespace weir {
namespace {

constexpr uint64_t index_share = 4, text_share = 16, active_share = 32;   // of the memory limit: a quarter and so on
constexpr uint32_t block_default = 16;
static_assert(LoadCells::ranks_max == ranks_max && kv::ranks_max == ranks_max, "a rank's number is good for every array over ranks");

uint32_t narrow(uint64_t n) { return static_cast<uint32_t>(std::min<uint64_t>(n, UINT32_MAX)); }

}  // namespace

Result<std::unique_ptr<Routings>> Routings::make(const Config& config, uint64_t memory, Core& spare) {
    std::unique_ptr<Routings> r(new Routings());
    r->config_ = launch_settings(settled(config));
    r->home_ = &spare;
    TRY_OK(r->read_policy_file());
    TRY(r->policy_, policy_config(r->config_, r->file_ ? &*r->file_ : nullptr));
    r->policy_name_ = r->policy_.name.data();
    r->needs_ = make_policy(r->policy_)->needs();
    const RouterConfig& router = config.router;
    if (router.admission != "none" && !router.busy_decode_blocks && !router.busy_prefill_frac && !router.busy_prefill_tokens)
        LOG_WARN(route, "admission control without a threshold: no worker is ever passed over", {"admission", router.admission});
    TRY_OK(r->make_structures(memory));
    if (router.affinity_ttl_s) {
        route::AffinitySettings sessions;
        sessions.ttl_ms = router.affinity_ttl_s * 1'000;
        sessions.hard = router.affinity_mode != "soft";
        r->affinity_ = std::make_shared<route::Affinity>(sessions);
    } else if (router.affinity_mode == "soft") {
        LOG_WARN(route, "a mode of session affinity without a time to live: sessions are not kept together", {"mode", router.affinity_mode});
    }
    r->overload_ = overload_guard(config);
    r->make_appliers(spare);
    auto map = std::make_shared<RoutingMap>();
    map->others = r->make_routing({});
    r->map_ = std::move(map);
    return r;
}

Result<void> Routings::read_policy_file() {
    const std::string& path = config_.router.policy_file;
    if (path.empty()) return Nothing{};
    auto text = config::read_whole_file(path);
    if (!text) return Failure(Code::bad_field, "--router-policy-config: " + text.error()->message);
    auto read = config::read_router_policy(*text, path);
    if (!read) return Failure(Code::bad_field, "--router-policy-config: " + read.error()->message);
    file_ = std::move(*read);
    for (const std::string& note : file_->notes) LOG_WARN(route, "the policy file says what has no effect", {"what", note});
    if ((file_->root || !file_->models.empty()) && config_.router.policy != "kv" && config_.router.policy != "soonest" && config_.router.policy != "default")
        LOG_WARN(route, "classes of the router's queue need a policy that goes by prompts: nobody will wait", {"policy", config_.router.policy});
    return Nothing{};
}

Result<void> Routings::make_structures(uint64_t memory) {
    const KvConfig& kv = config_.kv;
    if (needs_ & (need::device | need::lower_tiers | need::predicted)) {
        const uint64_t bytes = kv.index_bytes_max ? kv.index_bytes_max : std::max<uint64_t>(memory / index_share, kv::index_bytes_min);
        TRY(index_, kv::KvIndex::make({bytes}));
    }
    if (needs_ & need::active && kv.track_active_blocks) {
        TRY(active_, kv::ActiveBlocks::make(std::max<uint64_t>(memory / active_share, kv::ActiveBlocks::bytes_min)));
    }
    if (needs_ & need::matched) {
        kv::TextIndexSettings text;
        text.bytes_max = std::max<uint64_t>(memory / text_share, 1 << 20);
        text.chars_max = config_.policies.tree_size_max;
        text.evict_every_ms = config_.policies.eviction_interval_s * 1'000;
        TRY(text_, kv::TextIndex::make(text));
    }
    return Nothing{};
}

void Routings::make_appliers(Core& spare) {
    if (!index_ && !text_) return;
    std::vector<Core*> cores{&spare};
    const KvConfig& kv = config_.kv;
    if (std::thread::hardware_concurrency() > 2) {
        cores.clear();
        for (unsigned i = 0; i < kv.event_threads; i++) {
            cores_.push_back(std::make_unique<Core>(2'000 + i, system_clock(), std::make_unique<EpollPoller>(), i + 1));
            cores.push_back(cores_.back().get());
        }
    }
    kv::PredictionSettings p;
    p.ttl_ms = std::max<uint64_t>(1, static_cast<uint64_t>((kv.events ? kv.predicted_ttl_s.value_or(0) : kv.ttl_s) * 1'000));
    p.blocks_max = kv.tree_size_max;
    p.prune_target_ratio = std::clamp(kv.prune_ratio, 0.01, 1.0);
    appliers_ = std::make_unique<EventAppliers>(std::move(cores), index_, text_, predicting() ? &p : nullptr, kv.approximate_policy == "lru");
}

std::shared_ptr<route::Routing> Routings::make_routing(const std::string& model) {
    auto routing = std::make_shared<route::Routing>();
    routing->whole = make_policy(policy_);
    routing->policy_name = policy_name_;
    routing->index = index_, routing->text = text_, routing->active = active_;
    routing->overload = overload_.get();
    if (affinity_) routing->affinity = std::make_shared<route::Affinity>(*affinity_, model);
    routing->predictions = predicting() ? appliers_.get() : nullptr;
    routing->assume_reuse = config_.kv.assume_reuse;
    routing->track_prefill = config_.kv.track_prefill_tokens, routing->track_output = config_.kv.track_output_blocks;
    routing->host_weight = policy_.kv.host_weight, routing->disk_weight = policy_.kv.disk_weight;
    const RouterConfig& r = config_.router;
    routing->busy.decode_blocks_share = static_cast<float>(r.busy_decode_blocks.value_or(route::BusyLimits::off));
    routing->busy.prefill_batch_share = static_cast<float>(r.busy_prefill_frac.value_or(route::BusyLimits::off));
    if (r.busy_prefill_tokens) routing->busy.prefill_tokens = narrow(r.busy_prefill_tokens);
    if (model.empty() || !may_queue()) return routing;
    route::QueueSettings queue = waits_for_loads(config_) ? load_queue(config_) : queue_settings(config_, file_ ? &*file_ : nullptr, model);
    if (!queue.waits()) return routing;
    queues_.push_back(std::make_unique<ModelQueue>(*home_, std::move(queue), model));
    routing->queue = &queues_.back()->gate();
    routing->line = routing->queue;
    return routing;
}

// Only where policies go by prompts are the ranks' tokens known, which say when they are full.
bool Routings::may_queue() const {
    if (waits_for_loads(config_)) return true;
    constexpr uint32_t by_prompt = need::device | need::lower_tiers | need::predicted | need::active;
    return config_.dialect == Dialect::frontend && config_.kv.track_prefill_tokens && needs_ & by_prompt;
}

std::shared_ptr<const RoutingMap> Routings::map() const {
    std::lock_guard lock(mutex_);
    return map_;
}

void Routings::forget(kv::Rank first, uint32_t n) {
    if (index_) index_->remove_ranks(first, n);
    if (text_) text_->remove_ranks(first, n);
    if (appliers_) appliers_->forget(first, n);
}

std::shared_ptr<const RoutingMap> Routings::follow(const FleetViewRef& now) {
    std::lock_guard lock(mutex_);
    std::shared_ptr<RoutingMap> next;
    for (auto& model : now->models()) {
        const RoutingMap& current = next ? *next : *map_;
        if (current.models.contains(model) || current.models.size() >= models_max) continue;
        if (!next) next = std::make_shared<RoutingMap>(*map_);
        next->models.emplace(model, make_routing(model));
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
        m.set(Metric::predictions, {"evicted"}, static_cast<double>(p.evicted));
        m.set(Metric::predictions, {"dropped"}, static_cast<double>(appliers_->dropped()));
    }
    if (text_) m.set(Metric::cache_tree_chars, {"*"}, static_cast<double>(text_->stats().chars));
    {
        std::lock_guard lock(mutex_);
        for (auto& queue : queues_) queue->collect(m);
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
