// Words of the peers for endpoints and for what went wrong, as their metrics spell them.
#pragma once
#include "base/result.h"
#include "types/call.h"

#include <string_view>

namespace weir {

struct EndpointNames { std::string_view frontend, launch; };   // Dynamo's word, SMG's word; static storage
EndpointNames endpoint_names(Api);
// Empty for success. `status`: towards the client, 0 when unknown; decides where the code alone does not.
EndpointNames error_types(Code, int status);

}  // namespace weir
