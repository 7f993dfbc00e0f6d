#include "kv/region.h"

#include <sys/mman.h>

namespace weir::kv {

Region::Region(size_t bytes) : bytes_(bytes) {
    void* p = mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (p == MAP_FAILED) return;
    // Matches touch many pages: huge ones halve their cost. Content is handed out densely, so little of a huge page is wasted.
    if (bytes >= 4u << 20) madvise(p, bytes, MADV_HUGEPAGE);
    data_ = p;
}

Region::~Region() {
    if (data_) munmap(data_, bytes_);
}

}  // namespace weir::kv
