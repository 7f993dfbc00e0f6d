#include "gateway/routing_metrics.h"

#include <algorithm>

namespace weir {
namespace {

// The words of our policies, as SMG spells them in its metrics. No entry: by our own word.
struct Word { Str policy, why, smg; };
constexpr Word words[] = {
    {"cache_aware", "was sent this before", "tree_match"},
    {"cache_aware", "holds most", "tree_match"},
    {"cache_aware", "holders are busy", "spill"},
    {"cache_aware", "no match", "expected_wait_fallback"},
    {"manual", "pinned", "occupied_hit"},
    {"manual", "pinned ones are not eligible: assigned", "occupied_miss"},
    {"manual", "assigned", "vacant"},
    {"manual", "no key", "no_routing_id"},
    {"consistent_hashing", "routing key", "routing_key_hit"},
    {"consistent_hashing", "target", "target_worker_hit"},
    {"consistent_hashing", "no key: drawn", "random_fallback"},
};

struct Policies { Str policy; Metric metric; };
constexpr Policies counted[] = {
    {"cache_aware", Metric::cache_aware_branch}, {"manual", Metric::manual_branch},
    {"consistent_hashing", Metric::hashing_branch}, {"prefix_hash", Metric::prefix_hash_branch},
};

Str smg_word(Str policy, Str why) {
    for (auto& w : words)
        if (w.policy == policy && w.why == why) return w.smg;
    return why;
}

}  // namespace

RoutingMetrics::Branch& RoutingMetrics::branch(const char* policy, const char* why) {
    for (auto& b : branches_)
        if (b.why == why && b.policy == policy) return b;
    Branch made{policy, why, all_.series(Metric::router_decisions, {policy, why}), {}, false};
    for (auto& c : counted)
        if (c.policy == policy) made.smg = all_.series(c.metric, {smg_word(policy, why)}), made.in_smg = true;
    return branches_.emplace_back(made);
}

void RoutingMetrics::chose(const char* policy, Str model, const route::Question& q, const route::Choice& choice, const Slate& slate, uint64_t took_ns) {
    Branch& b = branch(policy, choice.pick.why);
    cells_.add(b.series);
    if (b.in_smg) cells_.add(b.smg);
    for (size_t i = 0; i < route::rejects_n; i++)
        if (choice.rejects.counts[i]) cells_.add(all_.series(Metric::router_rejects, {route::name(static_cast<route::Reject>(i))}), choice.rejects.counts[i]);
    if (policy_of(q.routing, q.role)->needs() == 0) return;
    cells_.observe(all_.series(Metric::router_place_seconds, {}), took_ns);
    constexpr double whole = 1e9;
    if (slate.prompt_tokens && slate.block) {
        cells_.observe(all_.series(Metric::kv_hit_rate, {}), static_cast<uint64_t>(whole * choice.cached_tokens / slate.prompt_tokens));
        cells_.add(all_.series(Metric::kv_selected_cached, {model}), choice.cached_tokens);
        uint32_t most = 0;
        for (size_t i = 0; i < slate.device.size(); i++)
            if (slate.may(i)) most = std::max(most, slate.device[i]);
        if (most > choice.overlap.device) cells_.add(all_.series(Metric::kv_non_max, {"decode"}));
    }
    if (b.in_smg && Str(policy) == "cache_aware") {
        const double known = slate.prompt_chars ? static_cast<double>(choice.matched_chars) / slate.prompt_chars
                             : slate.prompt_tokens ? static_cast<double>(choice.cached_tokens) / slate.prompt_tokens : 0;
        cells_.observe(all_.series(Metric::cache_aware_match, {}), static_cast<uint64_t>(whole * std::min(known, 1.0)));
    }
}

}  // namespace weir
