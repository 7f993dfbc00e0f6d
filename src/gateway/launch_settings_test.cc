#include "gateway/launch_settings.h"

#include <gtest/gtest.h>

#include "gateway/loads.h"
#include "policy/policy.h"

namespace weir {
namespace {

Config launch(const char* policy) {
    Config config;
    config.dialect = Dialect::launch;
    config.router.policy = policy;
    return config;
}

TEST(LaunchSettings, CacheAwareGoesByWhatWasRouted) {
    Config config = launch("cache_aware");
    config.policies.tree_size_max = 1'000, config.policies.block_size = 16;
    const Config out = launch_settings(config);
    EXPECT_FALSE(out.kv.events);
    EXPECT_EQ(out.kv.tree_size_max, 62u) << "tokens in blocks";
    EXPECT_EQ(out.kv.ttl_s, 3'600);
    config.policies.tree_size_max = 1;
    EXPECT_EQ(launch_settings(config).kv.tree_size_max, 1u);
    config.discovery.demo_engines = 1;
    EXPECT_TRUE(launch_settings(config).kv.events) << "they tell what they hold";
}

TEST(LaunchSettings, OthersAsTheyAre) {
    EXPECT_TRUE(launch_settings(launch("prefix_hash")).kv.events);
    Config config = launch("cache_aware");
    config.dialect = Dialect::frontend;
    EXPECT_TRUE(launch_settings(config).kv.events);
}

TEST(LaunchSettings, OnlyLeastLoadWithACapWaits) {
    Config config = launch("least_load");
    EXPECT_FALSE(waits_for_loads(config));
    config.policies.least_load_waiting_max = 3;
    EXPECT_TRUE(waits_for_loads(config));
    const route::QueueSettings queue = load_queue(config);
    EXPECT_EQ(queue.classes.front().threshold.waiting, 3u);
    EXPECT_EQ(queue.waiting_max, 100u);
    EXPECT_EQ(queue.wait_max_ms, 60'000u);
    config.router.policy = "power_of_two";
    EXPECT_FALSE(waits_for_loads(config));
}

TEST(LaunchSettings, WhoWantsLoads) {
    Config config = launch("round_robin");
    EXPECT_TRUE(loads_wanted(config, 0)) << "unless they are off";
    config.policies.load_off = true;
    EXPECT_TRUE(loads_wanted(config, 0)) << "overload protection";
    config.policies.overload = false;
    EXPECT_FALSE(loads_wanted(config, 0));
    EXPECT_EQ(overload_guard(config), nullptr);
    EXPECT_TRUE(loads_wanted(config, need::load));
    config.policies.engine_metrics = true;
    EXPECT_TRUE(loads_wanted(config, 0));
    config.dialect = Dialect::frontend;
    EXPECT_FALSE(loads_wanted(config, need::load));
    config.policies.overload = true;
    EXPECT_EQ(overload_guard(config), nullptr);
}

TEST(LaunchSettings, OverloadAsConfigured) {
    Config config = launch("round_robin");
    config.policies.overload_waiting = 5, config.policies.overload_usage = 0.5, config.policies.overload_shed = true, config.policies.load_interval_s = 7;
    const auto guard = overload_guard(config);
    ASSERT_TRUE(guard);
    EXPECT_EQ(guard->limits.waiting, 5u);
    EXPECT_EQ(guard->limits.usage, 0.5f);
    EXPECT_TRUE(guard->shed);
    EXPECT_EQ(guard->retry_after_s, 7u);
}

}  // namespace
}  // namespace weir
