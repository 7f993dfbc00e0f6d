// Upper bounds of the histograms, in native units (nanoseconds or counts). The peers' bounds are kept, dashboards rely on them.
#pragma once
#include <cstdint>
#include <span>
#include <string_view>

namespace weir {

inline constexpr size_t buckets_max = 64;
std::span<const uint64_t> metric_buckets(std::string_view name);   // asserts that the name is known; "none" is empty

}  // namespace weir
