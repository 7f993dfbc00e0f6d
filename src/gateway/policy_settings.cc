#include "gateway/policy_settings.h"

#include <algorithm>

namespace weir {
namespace {

uint32_t narrow(uint64_t n) { return static_cast<uint32_t>(std::min<uint64_t>(n, UINT32_MAX)); }

PolicyConfig::Manual::Assignment assignment_of(const std::string& name) {
    using M = PolicyConfig::Manual;
    return name == "min_load" ? M::min_load : name == "min_group" ? M::min_group : name == "delegate" ? M::delegate : M::random;
}

struct Parameter { const char* name; double* to; double most; };

Result<void> take_parameters(const config::RouterPolicy& file, std::initializer_list<Parameter> known) {
    for (const auto& [name, value] : file.parameters) {
        const auto at = std::ranges::find_if(known, [&, n = &name](const Parameter& p) { return *n == p.name; });
        if (at == known.end()) return Failure(Code::bad_field, "worker_selection: " + file.selection + " has no parameter '" + name + "'");
        if (value > at->most) return Failure(Code::bad_field, "worker_selection: " + name + " is at most " + std::to_string(at->most));
        *at->to = value;
    }
    return Nothing{};
}

// How the policy file wants workers to be chosen.
Result<void> select_by_file(const config::RouterPolicy& file, PolicyConfig& out) {
    if (file.selection.empty() || file.selection == "default") return Nothing{};
    if (out.name != "kv") return Failure(Code::bad_field, "worker_selection in --router-policy-config needs --router-mode kv");
    auto& kv = out.kv;
    constexpr double any = 1e9;
    if (file.selection == "dynamo-default-cost-fn")
        return take_parameters(file, {{"overlap_score_credit", &kv.overlap_credit, any}, {"overlap_score_credit_decay", &kv.credit_decay, any},
                                      {"prefill_load_scale", &kv.prefill_load_scale, any}, {"decode_active_request_weight", &kv.request_weight, any},
                                      {"host_cache_hit_weight", &kv.host_weight, 1}, {"disk_cache_hit_weight", &kv.disk_weight, 1},
                                      {"shared_cache_multiplier", &kv.shared_multiplier, 1}, {"router_temperature", &kv.temperature, any}});
    if (file.selection != "dynamo-two-tier-cost-fn")
        return Failure(Code::bad_field, "worker_selection: type '" + file.selection +
                                            "' is not there; there are dynamo-default-cost-fn and dynamo-two-tier-cost-fn");
    out.name = "two_tier";
    double spill = out.two_tier.spill_abs;
    TRY_OK(take_parameters(file, {{"cache_threshold", &out.two_tier.threshold, 1}, {"balance_abs_threshold", &spill, 4e9},
                                  {"balance_rel_threshold", &out.two_tier.spill_rel, any}}));
    if (out.two_tier.spill_rel < 1) return Failure(Code::bad_field, "worker_selection: balance_rel_threshold is at least 1");
    out.two_tier.spill_abs = static_cast<uint32_t>(spill);
    return Nothing{};
}

}  // namespace

Config settled(Config config) {
    if (!config.router.load_aware) return config;
    config.router.policy = "kv";
    config.kv.overlap_credit = 0;
    config.kv.events = true, config.kv.predicted_ttl_s.reset();   // nothing is predicted
    config.kv.assume_reuse = false;
    config.kv.track_active_blocks = config.kv.track_prefill_tokens = true;
    return config;
}

Result<PolicyConfig> policy_config(const Config& given, const config::RouterPolicy* file) {
    const Config config = settled(given);
    PolicyConfig out;
    const KvConfig& k = config.kv;
    const PolicyRow* row = find_policy(config.router.policy);
    if (!row) return Failure(Code::not_supported, "not supported yet: policy " + config.router.policy);
    out.name = row->name;
    auto& kv = out.kv;
    kv.overlap_credit = k.overlap_score_weight == 0 ? 0 : k.overlap_credit;   // the old weight sets both
    kv.prefill_load_scale = k.overlap_score_weight != 1 ? k.overlap_score_weight : k.prefill_load_scale;
    kv.credit_decay = k.overlap_credit_decay, kv.request_weight = k.decode_request_weight;
    kv.host_weight = k.host_hit_weight, kv.disk_weight = k.disk_hit_weight, kv.temperature = k.temperature;
    kv.track_prefill = k.track_prefill_tokens, kv.track_active = k.track_active_blocks;
    kv.shared_multiplier = k.shared_multiplier.value_or(0);
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
    if (file) TRY_OK(select_by_file(*file, out));
    return out;
}

}  // namespace weir
