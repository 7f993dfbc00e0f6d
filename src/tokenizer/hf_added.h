// The ids that the reference gives added tokens when it reads a tokenizer.json: those of the file count only as far as they agree.
#pragma once
#include <vector>

#include "tokenizer/spec.h"

namespace weir::tok {

// Drops what the reference passes over, and sets each token's id.
void settle_added(std::vector<AddedToken>& added, const ModelSpec& model);

}  // namespace weir::tok
