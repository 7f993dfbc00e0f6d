// Data parallel ranks by tokens (SMG's --dp-minimum-tokens-scheduler), under any policy.
#pragma once
#include "policy/policy.h"

namespace weir {

// The inner policy's choice gives the worker. Of its eligible ranks the one with the fewest tokens gets the request, the lowest of equals:
// tokens held and waiting as reported, and those booked since; prompt tokens under way while one of the ranks has not reported.
std::unique_ptr<Policy> make_dp_min_tokens(std::unique_ptr<Policy> inner);

}  // namespace weir
