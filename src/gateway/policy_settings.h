// From options, and Dynamo's policy file, to what policies are made of.
#pragma once
#include "config/config.h"
#include "config/router_policy.h"
#include "policy/policy.h"

namespace weir {

// With --load-aware as Dynamo's preset wants it: policy kv, where prompts count whatever is cached, and no cache is looked at. Else as given.
Config settled(Config);
// Parameters as the options say, and the name. `file`: --router-policy-config, null when there is none; its worker_selection wins.
// Failure: bad_field, not_supported.
Result<PolicyConfig> policy_config(const Config&, const config::RouterPolicy* file = nullptr);

}  // namespace weir
