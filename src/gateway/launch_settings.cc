#include "gateway/launch_settings.h"

#include <algorithm>

namespace weir {
namespace {

constexpr double tokens_ttl_s = 3'600;           // nobody's cache holds what nobody asked for in an hour
constexpr double tokens_kept = 0.95;             // of the bound, once it is reached
constexpr uint32_t waiting_max = 100;            // SMG's --queue-size and --queue-timeout-secs where they are not given
constexpr uint64_t wait_max_ms = 60'000;

}  // namespace

Config launch_settings(Config config) {
    if (config.dialect != Dialect::launch || config.router.policy != "cache_aware" || config.discovery.demo_engines) return config;
    config.kv.events = false;
    config.kv.ttl_s = tokens_ttl_s, config.kv.prune_ratio = tokens_kept;
    config.kv.tree_size_max = std::max<uint64_t>(1, config.policies.tree_size_max / config.policies.block_size);
    return config;
}

bool waits_for_loads(const Config& config) {
    return config.dialect == Dialect::launch && config.router.policy == "least_load" && config.policies.least_load_waiting_max != 0;
}

route::QueueSettings load_queue(const Config& config) {
    route::QueueSettings out;
    out.classes.front().threshold.waiting = static_cast<uint32_t>(std::min<uint64_t>(config.policies.least_load_waiting_max, UINT32_MAX));
    out.waiting_max = waiting_max;
    out.wait_max_ms = wait_max_ms;
    return out;
}

}  // namespace weir
