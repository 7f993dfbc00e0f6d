#include <bit>

#include "base/assert.h"
#include "policy/dp_min_tokens.h"
#include "policy/sticky.h"

namespace weir {
namespace {
constexpr PolicyRow rows[] = {
    {"soonest", make_soonest, "where the first token is expected soonest; needs no tuning"},
    {"default", make_soonest, "soonest"},
    {"round_robin", make_round_robin, "each worker in turn, over all cores"},
    {"random", make_random, "any worker, evenly"},
    {"power_of_two", make_power_of_two, "the less loaded of two workers drawn at random"},
    {"kv", make_kv, "the fewest blocks to compute and under way, less what is cached (Dynamo's cost)"},
    {"two_tier", make_two_tier, "the least loaded while loads differ much, else who holds the prompt (Dynamo's)"},
    {"least_loaded", make_least_loaded, "the fewest requests under way"},
    {"device_aware_weighted", make_device_aware_weighted, "CPU workers and others by throughput, then the fewest requests"},
    {"direct", make_direct, "the worker the request names"},
    {"cache_aware", make_cache_aware, "who holds or was sent the prompt, unless busy (SMG's)"},
    {"least_load", make_least_load, "the shortest expected wait"},
    {"passthrough", make_passthrough, "always the first"},
    {"consistent_hashing", make_consistent_hashing, "the owner of the routing key on a ring of workers"},
    {"prefix_hash", make_prefix_hash, "the owner of the prompt's start on the ring, unless busy"},
    {"bucket", make_bucket, "prompts of like size together, sizes shared out evenly"},
    {"manual", make_manual, "each routing key stays with its worker"},
};

bool same_name(std::string_view a, std::string_view b) {
    if (a.size() != b.size()) return false;
    for (size_t i = 0; i < a.size(); i++)
        if (a[i] != b[i] && !(a[i] == '-' && b[i] == '_')) return false;
    return true;
}
}  // namespace

std::span<const PolicyRow> policy_table() { return rows; }

const PolicyRow* find_policy(std::string_view name) {
    for (auto& row : rows)
        if (same_name(name, row.name)) return &row;
    return nullptr;
}

std::unique_ptr<Policy> make_policy(const PolicyConfig& config) {
    auto* row = find_policy(config.name);
    if (!row) return nullptr;
    auto policy = row->make(config);
    bool has_keys = row->make == make_consistent_hashing || row->make == make_manual;
    if (config.sticky && !has_keys) policy = make_sticky(std::move(policy), config.manual);
    return config.dp_min_tokens ? make_dp_min_tokens(std::move(policy)) : std::move(policy);
}

uint32_t eligible_count(const Slate& slate) {
    uint32_t n = 0;
    for (size_t word = 0; word * 64 < slate.ranks.size(); word++) n += static_cast<uint32_t>(std::popcount(slate.eligible[word]));
    return n;
}

uint32_t nth_eligible(const Slate& slate, uint32_t n) {
    for (size_t word = 0; word * 64 < slate.ranks.size(); word++) {
        uint64_t bits = slate.eligible[word];
        uint32_t here = static_cast<uint32_t>(std::popcount(bits));
        if (n >= here) {
            n -= here;
            continue;
        }
        while (n--) bits &= bits - 1;
        return static_cast<uint32_t>(word * 64) + static_cast<uint32_t>(std::countr_zero(bits));
    }
    ASSERT(!"fewer eligible ranks than asked for");
}

}  // namespace weir
