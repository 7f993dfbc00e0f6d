// Asks for a cache line early. A macro-like function: g++ 12 drops calls of functions that do nothing but prefetch, unless they are inlined
// before it looks; so everything down to __builtin_prefetch is always_inline.
#pragma once
#include <cstddef>

namespace weir::kv {

[[gnu::always_inline]] inline void prefetch_line(const void* p) { __builtin_prefetch(p); }
[[gnu::always_inline]] inline void prefetch_bytes(const void* p, size_t n) {
    for (size_t at = 0; at < n; at += 64) __builtin_prefetch(static_cast<const char*>(p) + at);
}

}  // namespace weir::kv
