// The data parallel rank in a request's body, where engines look for it.
#pragma once
#include <string>

#include "types/doc.h"

namespace weir {

// The body, a valid JSON object, with "data_parallel_rank" at its end; one that the client wrote is left out. Other bodies: as they are.
std::string with_dp_rank(Str body, uint32_t rank);

}  // namespace weir
