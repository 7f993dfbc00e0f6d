// What SMG's flags come to in the terms of the structures that route.
#pragma once
#include "config/config.h"
#include "route/queue.h"

namespace weir {

// frontend: as given. launch: workers behind HTTP send no KV events, so where tokens are known cache_aware goes by what was routed, within
// --max-tree-size.
Config launch_settings(Config config);

// least_load with --least-load-max-waiting-requests: requests wait here while every worker has as many waiting as it may.
bool waits_for_loads(const Config&);
route::QueueSettings load_queue(const Config&);

}  // namespace weir
