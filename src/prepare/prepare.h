// Call -> Prepared: what routing and engines need beyond the body. Tokens, templates and hashes join here.
#pragma once
#include "types/prepared.h"

namespace weir::prepare {

// `forward`: the bytes go to the engine as they came, so nothing that needs the decoded messages is done.
Prepared run(const Call& call, bool forward);

}  // namespace weir::prepare
