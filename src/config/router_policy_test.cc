#include "config/router_policy.h"

#include <gtest/gtest.h>

namespace weir::config {
namespace {

constexpr const char* profile = R"(
default_policy_family: standard
uncached_isl_buckets: [{min_tokens: 0, bucket: cached}, {min_tokens: 3072, bucket: uncached}]
policy_classes:
  - {name: a, policy_family: standard, cache_bucket: cached, quantum: 8, queue_policy: wspt, prefill_busy_threshold_frac: 1.5}
  - {name: b, policy_family: standard, cache_bucket: uncached, quantum: 1, prefill_busy_threshold: 100, request_queue_limit_per_worker: 3,
     raw_isl_token_queue_limit_per_worker: 4, cached_token_queue_limit_per_worker: 0}
  - {name: own, quantum: 2, queue_policy: lcfs}
)";

TEST(RouterPolicy, ClassesAndSelection) {
    auto read = read_router_policy(std::string(profile) + R"(
models:
  big:
    default_policy_family: f
    uncached_isl_buckets: [{min_tokens: 0, bucket: all}]
    policy_classes: [{name: x, policy_family: f, cache_bucket: all, quantum: 1}]
worker_selection:
  aggregated: mine
  decode: mine
  prefill: default
  instances: [{name: mine, type: dynamo-two-tier-cost-fn, parameters: {cache_threshold: 0.25}}]
)", "f.yaml");
    ASSERT_TRUE(read) << read.error()->message;
    const PolicyProfile& root = *read->profile_of("other");
    ASSERT_EQ(root.classes.size(), 3u);
    const PolicyClass &a = root.classes[0], &b = root.classes[1], &own = root.classes[2];
    EXPECT_EQ(a.queue_policy + b.queue_policy + own.queue_policy, "wsptfcfslcfs");
    EXPECT_EQ(a.busy_frac, 1.5);
    EXPECT_EQ(a.quantum, 8u);
    EXPECT_FALSE(a.busy_tokens || a.requests_per_worker || b.busy_frac);
    EXPECT_EQ(b.busy_tokens, 100u);
    EXPECT_EQ(b.requests_per_worker, 3u);
    EXPECT_EQ(b.tokens_per_worker, 4u);
    EXPECT_EQ(b.cached_per_worker, 0u);
    EXPECT_TRUE(own.family.empty());
    EXPECT_EQ(root.buckets[1].from, 3072u);
    EXPECT_EQ(read->profile_of("big")->classes.front().name, "x");
    EXPECT_EQ(read->selection, "dynamo-two-tier-cost-fn");
    EXPECT_EQ(read->parameters.at("cache_threshold"), 0.25);
    EXPECT_EQ(read->notes.size(), 1u);   // decode
}

TEST(RouterPolicy, MistakesAreNamed) {
    const std::string head = "default_policy_family: s\nuncached_isl_buckets: [{min_tokens: 0, bucket: b}]\npolicy_classes:\n";
    const std::pair<std::string, const char*> wrong[] = {
        {"{}", "neither a profile"},
        {"- 1", "must be a map"},
        {"a: [", "f.yaml: "},
        {"colour: red", "unknown member 'colour'"},
        {"default_policy_family: s", "needs uncached_isl_buckets"},
        {head + "  - {name: c, policy_family: s, cache_bucket: b, quantum: 0}", "policy_classes[0] needs a quantum"},
        {head + "  - {name: c, policy_family: s, cache_bucket: b}", "needs a quantum"},
        {head + "  - {name: c, policy_family: s, quantum: 1}", "or neither"},
        {head + "  - {name: c, policy_family: s, cache_bucket: z, quantum: 1}", "unknown cache_bucket 'z'"},
        {head + "  - {name: c/d, policy_family: s, cache_bucket: b, quantum: 1}", "must match"},
        {head + "  - {name: c, quantum: 1}", "'s' has no class"},
        {head + "  - {name: c, policy_family: s, cache_bucket: b, quantum: 1, queue_policy: edf}", "fcfs, wspt or lcfs"},
        {head + "  - {name: c, policy_family: s, cache_bucket: b, quantum: 1, prefill_busy_threshold_frac: -1}", "is not a number from 0"},
        {head + "  - {name: c, policy_family: s, cache_bucket: b, quantum: 1}\n  - {name: c, quantum: 1}", "is there twice"},
        {head + "  - {name: c, policy_family: s, cache_bucket: b, quantum: 1}\n  - {name: s, quantum: 1}", "has the name of a family"},
        {head + "  - {name: c, policy_family: s, cache_bucket: b, quantum: 1}\n  - {name: d, policy_family: s, cache_bucket: b, quantum: 1}", "second"},
        {"default_policy_family: s\nuncached_isl_buckets: [{min_tokens: 1, bucket: b}]\npolicy_classes: [{name: a, quantum: 1}]", "begin at 0"},
        {"worker_selection: {}", "names no instance"},
        {"worker_selection: {aggregated: x}", "aggregated names 'x'"},
        {"worker_selection: {instances: [{name: default, type: t}]}", "built-in"},
        {"worker_selection: {instances: [{name: a, type: t, parameters: {k: v}}]}", "'v' is not a number"},
    };
    for (const auto& [text, why] : wrong) {
        auto read = read_router_policy(text, "f.yaml");
        ASSERT_FALSE(read) << text;
        EXPECT_NE(read.error()->message.find(why), std::string::npos) << text << "\n" << read.error()->message;
    }
    std::string two = std::string(profile);
    two.replace(two.find("cache_bucket: uncached"), 22, "cache_bucket: cached");
    EXPECT_FALSE(read_router_policy(two, "f"));
}

}  // namespace
}  // namespace weir::config
