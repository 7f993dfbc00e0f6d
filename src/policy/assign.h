// The worker of a new routing key, by SMG's assignment modes (without `delegate`: the caller has or has not whom to ask).
#pragma once
#include "policy/choose.h"
#include "policy/key_loads.h"

namespace weir {

// loads: needed for min_group.
inline uint32_t assign_worker(PolicyConfig::Manual::Assignment rule, const Slate& slate, const KeyLoads* loads, Random& random) {
    using Rule = PolicyConfig::Manual;
    if (rule != Rule::min_load && rule != Rule::min_group && rule != Rule::delegate)
        return nth_eligible(slate, static_cast<uint32_t>(random.below(eligible_count(slate))));
    Least least;
    each_eligible(slate, [&](uint32_t i) {
        least.offer(i, rule == Rule::min_group ? loads->keys(slate.ranks[i]) : slate.load[i].requests, random);
    });
    return least.index();
}

}  // namespace weir
