// ASSERT: our own mistakes, checked in release too, end the process. A malformed request is never an assert.
#pragma once

namespace weir {
[[noreturn]] void assert_failed(const char* what, const char* file, int line);
}
#define ASSERT(x) \
    do { if (!(x)) [[unlikely]] ::weir::assert_failed(#x, __FILE__, __LINE__); } while (0)
