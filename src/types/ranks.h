// How many ranks there may be at once: numbers of ranks (RankRef::number) are below it, and every array over ranks goes so far.
#pragma once
#include <cstdint>

namespace weir {
inline constexpr uint32_t ranks_max = 65'536;
}
