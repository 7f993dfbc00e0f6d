#include "gateway/loads.h"

#include "obs/log.h"
#include "policy/policy.h"

namespace weir {

bool loads_wanted(const Config& config, uint32_t needs) {
    if (config.dialect != Dialect::launch) return false;
    const PoliciesConfig& p = config.policies;
    return !p.load_off || p.engine_metrics || p.overload || needs & need::load;
}

std::unique_ptr<route::OverloadGuard> overload_guard(const Config& config) {
    const PoliciesConfig& p = config.policies;
    if (config.dialect != Dialect::launch || !p.overload) return nullptr;
    auto guard = std::make_unique<route::OverloadGuard>();
    guard->limits = {static_cast<uint32_t>(p.overload_waiting), static_cast<float>(p.overload_usage)};
    guard->shed = p.overload_shed;
    guard->retry_after_s = static_cast<uint32_t>(p.load_interval_s);
    return guard;
}

Loads::Loads(const PoliciesConfig& config, Core& ctl, LoadCells& cells, ClientPool& pool, Metrics& metrics, route::OverloadGuard* guard)
    : cells_(cells), metrics_(metrics), guard_(guard),
      monitor_(ctl, cells, pool, {.interval_ms = config.load_interval_s * 1'000},
               [this](const FleetView::Entry& entry, const Result<RankLoads>& loads) { told(entry, loads); }) {}

void Loads::follow(const FleetViewRef& view) {
    auto gone = [&](const auto& kept) { return !view->entry(kept.first); };
    std::erase_if(overloaded_, [&](const auto& kept) {
        if (gone(kept) && kept.second) guard_->workers.fetch_sub(1, std::memory_order_relaxed);
        return gone(kept);
    });
    {
        std::lock_guard lock(mutex_);
        std::erase_if(shown_, gone);
    }
    monitor_.follow(view);
}

void Loads::told(const FleetView::Entry& entry, const Result<RankLoads>& loads) {
    metrics_.add(metrics_.series(Metric::load_polls, {entry.spec.url, "poll"}));
    judge(entry);
    std::lock_guard lock(mutex_);
    const bool knew = shown_.contains(entry.view.slot);
    if (loads) {
        if (!knew) LOG_DEBUG(fleet, "the worker tells its load", {"worker", entry.spec.url}, {"ranks", loads->size()});
        shown_[entry.view.slot] = {entry.spec.url, entry.spec.models, *loads};
        return;
    }
    metrics_.add(metrics_.series(Metric::load_failures, {entry.spec.url}));
    if (knew) LOG_WARN(fleet, "the worker's load is not known any more", {"worker", entry.spec.url}, {"why", loads.error()->message});
    else LOG_DEBUG(fleet, "the worker does not tell its load", {"worker", entry.spec.url}, {"why", loads.error()->message});
    shown_.erase(entry.view.slot);
}

void Loads::judge(const FleetView::Entry& entry) {
    if (!guard_) return;
    bool over = false;
    for (uint32_t i = 0; i < entry.view.ranks; i++) over = over || route::overloaded(cells_.at(entry.number + i), guard_->limits);
    bool& was = overloaded_[entry.view.slot];
    if (over && !was) guard_->workers.fetch_add(1, std::memory_order_relaxed);
    if (!over && was) guard_->workers.fetch_sub(1, std::memory_order_relaxed);
    was = over;
}

void Loads::collect(Metrics& m) {
    for (Metric metric : {Metric::engine_running, Metric::engine_waiting, Metric::engine_usage, Metric::engine_tok_s, Metric::engine_hit_rate})
        m.hide(metric);
    std::lock_guard lock(mutex_);
    for (auto& [slot, shown] : shown_)
        for (const std::string& model : shown.models)
            for (const RankLoad& load : shown.ranks) {
                const std::string rank = std::to_string(load.rank);
                auto set = [&](Metric metric, double value) { m.set(metric, {rank, model, shown.worker}, value); };
                set(Metric::engine_running, load.running);
                set(Metric::engine_waiting, load.waiting);
                if (load.usage) set(Metric::engine_usage, *load.usage);
                if (load.tok_s) set(Metric::engine_tok_s, *load.tok_s);
                if (load.hit_rate) set(Metric::engine_hit_rate, *load.hit_rate);
            }
    if (!guard_) return;
    m.set(Metric::overload_shed, {"selection"}, static_cast<double>(guard_->shed_total.load(std::memory_order_relaxed)));
    m.set(Metric::overload_fallback, {"selection"}, static_cast<double>(guard_->fallback_total.load(std::memory_order_relaxed)));
    m.set(Metric::workers_overloaded, {}, guard_->workers.load(std::memory_order_relaxed));
}

}  // namespace weir
