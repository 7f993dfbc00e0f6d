// Ids of a text: immutable, shared by whoever needs them, on any thread.
#pragma once
#include <cstdint>
#include <memory>
#include <vector>

namespace weir {

using TokenIds = std::shared_ptr<const std::vector<uint32_t>>;

}  // namespace weir
