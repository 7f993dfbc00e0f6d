#include "gateway/model_queue.h"

#include <algorithm>
#include <bit>

namespace weir {
namespace {

template <class F>
void each_serving(const FleetView& fleet, const std::string& model, F&& f) {
    const std::vector<uint64_t>* serving = fleet.serving(model);
    if (!serving) return;
    for (size_t word = 0; word < serving->size(); word++)
        for (uint64_t bits = (*serving)[word]; bits; bits &= bits - 1) f(fleet.ranks()[word * 64 + static_cast<size_t>(std::countr_zero(bits))]);
}

route::QueueOrder order_of(const std::string& name) {
    return name == "wspt" ? route::QueueOrder::wspt : name == "lcfs" ? route::QueueOrder::lcfs : route::QueueOrder::fcfs;
}

// Families and buckets of a profile as indices of its classes; the profile is complete (config/router_policy.h).
void take_profile(const config::PolicyProfile& profile, route::QueueSettings& out) {
    out.classes.clear(), out.uncached_from.clear(), out.families.clear();
    for (const auto& bucket : profile.buckets) out.uncached_from.push_back(bucket.from);
    out.families.push_back({profile.default_family, std::vector<uint32_t>(profile.buckets.size())});   // the first is for who names none
    for (const config::PolicyClass& c : profile.classes) {
        route::QueueClass made;
        made.name = c.name, made.order = order_of(c.queue_policy), made.quantum = c.quantum, made.by_name = c.family.empty();
        made.threshold.batch_share = c.busy_frac.value_or(-1);
        if (c.busy_tokens) made.threshold.tokens = *c.busy_tokens;
        made.requests_per_worker = c.requests_per_worker, made.tokens_per_worker = c.tokens_per_worker, made.cached_per_worker = c.cached_per_worker;
        if (!c.family.empty()) {
            auto family = std::ranges::find(out.families, c.family, &route::QueueFamily::name);
            if (family == out.families.end()) family = out.families.insert(family, {c.family, std::vector<uint32_t>(profile.buckets.size())});
            const auto bucket = std::ranges::find(profile.buckets, c.bucket, &config::PolicyProfile::Bucket::name) - profile.buckets.begin();
            family->classes[static_cast<size_t>(bucket)] = static_cast<uint32_t>(out.classes.size());
        }
        out.classes.push_back(std::move(made));
    }
}

}  // namespace

route::QueueSettings queue_settings(const Config& config, const config::RouterPolicy* policy, const std::string& model) {
    route::QueueSettings out;
    out.wait_max_ms = config.limits.request_ms;
    if (const config::PolicyProfile* profile = policy ? policy->profile_of(model) : nullptr) {
        take_profile(*profile, out);
        return out;
    }
    out.classes.front().order = order_of(config.router.queue_policy);
    out.classes.front().threshold.batch_share = config.router.queue_threshold.value_or(-1);
    return out;
}

void ModelQueue::collect(Metrics& m) {
    constexpr const char* reasons[] = {"request_limit", "raw_isl_token_limit", "cached_token_limit", "queue_limit"};   // Dynamo's words; the last is ours
    static_assert(std::size(reasons) == route::QueueRejection::kinds);
    const auto& classes = gate_.settings().classes;
    for (uint32_t i = 0; i < classes.size(); i++) {
        auto& count = gate_.count(i);
        const auto read = [](const std::atomic<uint64_t>& n) { return static_cast<double>(n.load(std::memory_order_relaxed)); };
        m.set(Metric::router_queue_requests, {model_, classes[i].name, "decode"}, read(count.queued));
        m.set(Metric::router_queue_tokens, {model_, classes[i].name, "decode"}, read(count.prompt_tokens));
        m.set(Metric::router_queue_cached, {model_, classes[i].name, "decode"}, read(count.cached_tokens));
        m.set(Metric::router_received, {model_, classes[i].name, "decode"}, read(count.received));
        for (size_t k = 0; k < std::size(reasons); k++)
            m.set(Metric::router_backpressure, {model_, classes[i].name, reasons[k], "decode"}, read(count.rejected[k]));
    }
}

void ModelQueue::fleet_is(FleetViewRef view) {
    {
        std::lock_guard lock(mutex_);
        view_ = std::move(view);
    }
    gate_.freed();
}

FleetViewRef ModelQueue::view() const {
    std::lock_guard lock(mutex_);
    return view_;
}

bool ModelQueue::room(const route::Waiting& w) {
    const FleetViewRef fleet = view();
    const route::QueueThreshold& threshold = gate_.settings().classes[w.cls].threshold;
    if (w.pinned != route::Waiting::anywhere) {
        const uint32_t i = fleet->index_of(w.pinned);
        return i == FleetView::nowhere || !route::full(fleet->ranks()[i], threshold);
    }
    const std::vector<uint64_t>* serving = fleet->serving(model_);
    return !serving || route::any_room(*fleet, threshold, *serving);
}

uint32_t ModelQueue::workers() {
    const FleetViewRef fleet = view();
    uint32_t n = 0;
    const WorkerView* last = nullptr;
    each_serving(*fleet, model_, [&](const RankRef& r) {     // ranks of a worker stand together
        n += r.worker != last;
        last = r.worker;
    });
    return n;
}

uint32_t ModelQueue::open() {
    const FleetViewRef fleet = view();
    uint32_t ranks = 0, open = 0;
    const auto& classes = gate_.settings().classes;
    each_serving(*fleet, model_, [&](const RankRef& r) {
        ranks++;
        open += std::ranges::any_of(classes, [&](const route::QueueClass& c) { return c.threshold.set() && !route::full(r, c.threshold); });
    });
    return ranks ? open : 1;
}

}  // namespace weir
