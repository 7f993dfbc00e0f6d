// Each option about routing is in what routes: a value that is read and goes nowhere would be found here.
#include "gateway/policy_settings.h"

#include <gtest/gtest.h>

#include <thread>

#include "config/load.h"
#include "gateway/model_queue.h"
#include "gateway/routings.h"
#include "kv/matcher.h"

namespace weir {
namespace {

using Argv = std::vector<std::string>;

Config config_of(Command command, Argv argv) {
    if (command == Command::frontend) argv.insert(argv.begin(), {"--discovery-backend", "mem"});
    auto loaded = config::load({command, std::move(argv), {}, nullptr});
    EXPECT_TRUE(loaded) << (loaded ? "" : loaded.error()->message);
    return loaded ? loaded->config : Config{};
}

struct Case {
    Argv argv;
    bool (*there)(const PolicyConfig&);
};
using P = PolicyConfig;
const Case frontend[] = {
    {{"--router-mode", "kv"}, [](const P& p) { return p.name == "kv"; }},
    {{"--router-mode", "default"}, [](const P& p) { return p.name == "default"; }},
    {{"--load-aware"}, [](const P& p) { return p.name == "kv" && p.kv.overlap_credit == 0; }},
    {{"--router-kv-overlap-score-weight", "0.5"}, [](const P& p) { return p.kv.prefill_load_scale == 0.5 && p.kv.overlap_credit == 1; }},
    {{"--kv-overlap-score-weight", "0"}, [](const P& p) { return p.kv.prefill_load_scale == 0 && p.kv.overlap_credit == 0; }},
    {{"--router-kv-overlap-score-credit", "7"}, [](const P& p) { return p.kv.overlap_credit == 7; }},
    {{"--router-kv-overlap-score-credit-decay", "7"}, [](const P& p) { return p.kv.credit_decay == 7; }},
    {{"--router-prefill-load-scale", "7"}, [](const P& p) { return p.kv.prefill_load_scale == 7; }},
    {{"--router-decode-active-request-weight", "7"}, [](const P& p) { return p.kv.request_weight == 7; }},
    {{"--router-host-cache-hit-weight", "0.5"}, [](const P& p) { return p.kv.host_weight == 0.5; }},
    {{"--router-disk-cache-hit-weight", "0.5"}, [](const P& p) { return p.kv.disk_weight == 0.5; }},
    {{"--shared-cache-multiplier", "0.5"}, [](const P& p) { return p.kv.shared_multiplier == 0.5; }},
    {{"--router-temperature", "7"}, [](const P& p) { return p.kv.temperature == 7; }},
    {{"--no-router-track-prefill-tokens"}, [](const P& p) { return !p.kv.track_prefill; }},
    {{"--no-router-track-active-blocks"}, [](const P& p) { return !p.kv.track_active; }},
};
const Case launch[] = {
    {{"--policy", "manual"}, [](const P& p) { return p.name == "manual"; }},
    {{"--cache-threshold", "0.4"}, [](const P& p) { return p.cache_aware.threshold == 0.4; }},
    {{"--balance-abs-threshold", "7"}, [](const P& p) { return p.cache_aware.spill_abs == 7 && p.bucket.spill_abs == 7; }},
    {{"--balance-rel-threshold", "2"}, [](const P& p) { return p.cache_aware.spill_rel == 2 && p.bucket.spill_rel == 2; }},
    {{"--balance-token-usage-threshold", "0.5"}, [](const P& p) { return p.cache_aware.usage_spread == 0.5; }},
    {{"--overload-token-usage-threshold", "0.5"}, [](const P& p) { return p.cache_aware.usage_ceiling == 0.5; }},
    {{"--selection-temperature", "2"}, [](const P& p) { return p.cache_aware.temperature == 2; }},
    {{"--overlap-decay", "2"}, [](const P& p) { return p.cache_aware.overlap_decay == 2; }},
    {{"--prefix-token-count", "7"}, [](const P& p) { return p.prefix_hash.tokens == 7; }},
    {{"--prefix-hash-load-factor", "2"}, [](const P& p) { return p.prefix_hash.load_factor == 2; }},
    {{"--prefix-hash-balance-abs-threshold", "7"}, [](const P& p) { return p.prefix_hash.balance_abs == 7; }},
    {{"--least-load-kv-pressure-weight", "2"}, [](const P& p) { return p.least_load.kv_weight_s == 2; }},
    {{"--least-load-default-throughput", "7"}, [](const P& p) { return p.least_load.throughput == 7; }},
    {{"--least-load-mean-prefill-tokens", "7"}, [](const P& p) { return p.least_load.prefill == 7; }},
    {{"--least-load-max-waiting-requests", "7"}, [](const P& p) { return p.least_load.waiting_max == 7; }},
    {{"--power-of-two-load-metric", "requests"}, [](const P& p) { return p.power_of_two_requests; }},
    {{"--bucket-adjust-interval-secs", "7"}, [](const P& p) { return p.bucket.adjust_ms == 7'000; }},
    {{"--assignment-mode", "min_load"}, [](const P& p) { return p.manual.assignment == P::Manual::min_load; }},
    {{"--max-idle-secs", "7"}, [](const P& p) { return p.manual.idle_ms == 7'000; }},
    {{"--routing-key-override"}, [](const P& p) { return p.sticky; }},
    {{"--dp-minimum-tokens-scheduler"}, [](const P& p) { return p.dp_min_tokens; }},
};

TEST(PolicySettings, EveryParameterReachesThePolicy) {
    for (const auto& [command, cases] : {std::pair{Command::frontend, std::span<const Case>(frontend)}, {Command::launch, launch}})
        for (const Case& c : cases) {
            SCOPED_TRACE(c.argv.front());
            EXPECT_FALSE(c.there(*policy_config(config_of(command, {})))) << "the default";
            EXPECT_TRUE(c.there(*policy_config(config_of(command, c.argv))));
        }
}

struct RoutingsTest : testing::Test {
    Core spare{0, system_clock(), std::make_unique<EpollPoller>(), 1};
    std::unique_ptr<Routings> routings;
    const route::Routing& of(Argv argv) {
        argv.insert(argv.begin(), {"--router-mode", "kv"});
        Core::Enter enter(spare);
        auto made = Routings::make(config_of(Command::frontend, std::move(argv)), 64 << 20, spare);
        EXPECT_TRUE(made) << (made ? "" : made.error()->message);
        routings = std::move(*made);
        return *routings->map()->others;
    }
};

TEST_F(RoutingsTest, EveryAccountCanBeSwitched) {
    const route::Routing& plain = of({});
    EXPECT_TRUE(plain.index && plain.active && plain.assume_reuse && plain.track_prefill && !plain.track_output && !plain.predictions && !plain.affinity);
    EXPECT_EQ(plain.busy.decode_blocks_share, route::BusyLimits::off);
    EXPECT_EQ(plain.host_weight, 0.75);
    EXPECT_FALSE(of({"--no-router-assume-kv-reuse"}).assume_reuse);
    EXPECT_FALSE(of({"--no-router-track-active-blocks"}).active);
    EXPECT_FALSE(of({"--no-router-track-prefill-tokens"}).track_prefill);
    EXPECT_TRUE(of({"--router-track-output-blocks"}).track_output);
    EXPECT_TRUE(of({"--no-router-kv-events"}).predictions);
    EXPECT_TRUE(of({"--router-predicted-ttl-secs", "7"}).predictions);
    EXPECT_TRUE(of({"--router-session-affinity-ttl-secs", "7"}).affinity->hard());
    EXPECT_FALSE(of({"--router-session-affinity-ttl-secs", "7", "--router-session-affinity-mode", "soft"}).affinity->hard());
    EXPECT_EQ(of({"--router-host-cache-hit-weight", "0.5"}).host_weight, 0.5);
    EXPECT_EQ(of({"--router-disk-cache-hit-weight", "0.5"}).disk_weight, 0.5);
    EXPECT_EQ(of({"--active-decode-blocks-threshold", "0.5"}).busy.decode_blocks_share, 0.5f);
    EXPECT_EQ(of({"--active-prefill-tokens-threshold", "7"}).busy.prefill_tokens, 7u);
    EXPECT_EQ(of({"--active-prefill-tokens-threshold-frac", "7"}).busy.prefill_batch_share, 7.f);
    of({"--router-index-max-bytes", "2M"});
    EXPECT_EQ(routings->index()->stats().bytes_max, 2u << 20);
    of({"--router-event-threads", "7"});
    EXPECT_EQ(routings->appliers()->threads(), std::thread::hardware_concurrency() > 2 ? 7u : 1u);
    WorkerView worker;
    worker.block = 32;
    EXPECT_EQ(routings->block_of(worker), 32u);
    of({"--kv-cache-block-size", "7"});
    EXPECT_EQ(routings->block_of(worker), 7u);
    EXPECT_FALSE(of({"--load-aware"}).index) << "no cache is looked at";
    EXPECT_FALSE(of({"--router-kv-overlap-score-credit", "0"}).index);
}

// What is sent goes when a rank's cache would be full of newer blocks; a rank of unknown size keeps it for its time.
TEST_F(RoutingsTest, RetentionByCapacity) {
    of({"--no-router-kv-events", "--router-approximate-cache-policy", "lru"});
    if (routings->appliers()->threads() > 1) GTEST_SKIP() << "appliers have threads of their own here";
    std::vector<uint64_t> a(40), b(40);
    for (uint64_t i = 0; i < 40; i++) a[i] = i + 1, b[i] = i + 1'000;
    auto& sink = *routings->map()->others->predictions;
    for (const auto* prompt : {&a, &b})
        for (auto [rank, capacity] : {std::pair{0u, 48u}, {1u, 0u}}) sink.predict(rank, capacity, *prompt, 1'000 * ns_per_s);
    for (int i = 0; i < 3; i++) spare.turn(0);
    kv::Matcher matcher(*routings->index());
    uint32_t held[2] = {};
    for (const auto& o : matcher.match(a)) held[o.rank] += o.predicted;
    EXPECT_LE(held[0], 8u);
    EXPECT_EQ(held[1], 40u);
    EXPECT_GT(routings->appliers()->predicted().evicted, 0u);
}

TEST(PolicySettings, ClassesOfThePolicyFile) {
    auto file = config::read_router_policy(R"(
default_policy_family: chat
uncached_isl_buckets: [{min_tokens: 0, bucket: small}, {min_tokens: 100, bucket: large}]
policy_classes:
  - {name: batch, policy_family: batch, cache_bucket: small, quantum: 1}
  - {name: batch-large, policy_family: batch, cache_bucket: large, quantum: 2, queue_policy: lcfs, cached_token_queue_limit_per_worker: 5}
  - {name: chat, policy_family: chat, cache_bucket: small, quantum: 3, prefill_busy_threshold: 7, request_queue_limit_per_worker: 3}
  - {name: chat-large, policy_family: chat, cache_bucket: large, quantum: 4, queue_policy: wspt, prefill_busy_threshold_frac: 0.5,
     raw_isl_token_queue_limit_per_worker: 4}
  - {name: vip, quantum: 9}
)", "f");
    ASSERT_TRUE(file) << file.error()->message;
    const Config config = config_of(Command::frontend, {"--router-queue-threshold", "3", "--router-queue-policy", "wspt"});
    const route::QueueSettings s = queue_settings(config, &*file, "m");
    EXPECT_EQ(s.classes[s.class_of("", 99)].name, "chat");
    EXPECT_EQ(s.classes[s.class_of("nobody", 100)].name, "chat-large");
    EXPECT_EQ(s.classes[s.class_of("batch", 5)].name, "batch");
    EXPECT_EQ(s.classes[s.class_of("batch", 500)].name, "batch-large");
    EXPECT_EQ(s.classes[s.class_of("chat-large", 5)].name, "chat") << "no name of a class";
    EXPECT_EQ(s.classes[s.class_of("vip", 5)].name, "vip");
    EXPECT_EQ(s.classes[1].order, route::QueueOrder::lcfs);
    EXPECT_EQ(s.classes[3].order, route::QueueOrder::wspt);
    EXPECT_EQ(s.classes[2].threshold.tokens, 7u);
    EXPECT_EQ(s.classes[3].threshold.batch_share, 0.5);
    EXPECT_EQ(s.classes[4].quantum, 9u);
    EXPECT_FALSE(s.classes[4].threshold.set());
    EXPECT_EQ(s.classes[2].requests_per_worker, 3u);
    EXPECT_EQ(s.classes[3].tokens_per_worker, 4u);
    EXPECT_EQ(s.classes[1].cached_per_worker, 5u);
    EXPECT_TRUE(s.waits());
    const route::QueueSettings plain = queue_settings(config, nullptr, "m");
    EXPECT_EQ(plain.classes.front().threshold.batch_share, 3);
    EXPECT_EQ(plain.classes.front().order, route::QueueOrder::wspt);
    EXPECT_FALSE(queue_settings(config_of(Command::frontend, {"--router-queue-threshold", "None"}), nullptr, "m").waits());
}

TEST(PolicySettings, SelectionOfThePolicyFile) {
    const Config kv = config_of(Command::frontend, {"--router-mode", "kv"}), other = config_of(Command::frontend, {});
    auto chosen = [](const Config& config, const std::string& type, const std::string& parameters) {
        auto file = config::read_router_policy("worker_selection: {aggregated: a, instances: [{name: a, type: " + type + ", parameters: {" + parameters + "}}]}", "f");
        EXPECT_TRUE(file);
        return policy_config(config, &*file);
    };
    auto cost = chosen(kv, "dynamo-default-cost-fn",
                       "overlap_score_credit: 2, overlap_score_credit_decay: 3, prefill_load_scale: 4, decode_active_request_weight: 5, "
                       "host_cache_hit_weight: 0.1, disk_cache_hit_weight: 0.2, shared_cache_multiplier: 0.3, router_temperature: 6");
    ASSERT_TRUE(cost);
    EXPECT_EQ(cost->name, "kv");
    EXPECT_EQ(cost->kv.overlap_credit + cost->kv.credit_decay * 10 + cost->kv.prefill_load_scale * 100 + cost->kv.request_weight * 1'000, 5'432);
    EXPECT_EQ(cost->kv.host_weight, 0.1);
    EXPECT_EQ(cost->kv.disk_weight, 0.2);
    EXPECT_EQ(cost->kv.shared_multiplier, 0.3);
    EXPECT_EQ(cost->kv.temperature, 6);
    auto tiers = chosen(kv, "dynamo-two-tier-cost-fn", "cache_threshold: 0.25, balance_abs_threshold: 7, balance_rel_threshold: 2");
    ASSERT_TRUE(tiers);
    EXPECT_EQ(tiers->name, "two_tier");
    EXPECT_EQ(tiers->two_tier.threshold, 0.25);
    EXPECT_EQ(tiers->two_tier.spill_abs, 7u);
    EXPECT_EQ(tiers->two_tier.spill_rel, 2);
    EXPECT_FALSE(chosen(other, "dynamo-two-tier-cost-fn", "")) << "needs --router-mode kv";
    EXPECT_FALSE(chosen(kv, "thunderagent", ""));
    EXPECT_FALSE(chosen(kv, "dynamo-two-tier-cost-fn", "colour: 1"));
    EXPECT_FALSE(chosen(kv, "dynamo-two-tier-cost-fn", "cache_threshold: 2"));
    EXPECT_FALSE(chosen(kv, "dynamo-two-tier-cost-fn", "balance_rel_threshold: 0.5"));
}

}  // namespace
}  // namespace weir
