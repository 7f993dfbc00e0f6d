#include "base/assert.h"

#include <cstdio>
#include <cstdlib>

void weir::assert_failed(const char* what, const char* file, int line) {
    std::fprintf(stderr, "weir: broken invariant: %s at %s:%d\n", what, file, line);
    std::abort();
}
