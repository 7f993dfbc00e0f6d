// Routing keys on top of any policy (SMG's routing key override): a key keeps its worker, new keys go where the policy says.
#pragma once
#include "policy/policy.h"

namespace weir {

std::unique_ptr<Policy> make_sticky(std::unique_ptr<Policy> inner, const PolicyConfig::Manual& config);
// The key without its turn and retry: one trailing "_r<digits>", then one trailing "_t<digits>"; all of it if nothing would be left.
Str conversation_of(Str key);

}  // namespace weir
