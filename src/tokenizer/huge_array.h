// A large zeroed array of plain values on huge pages where the system gives them: random look-ups in tables of megabytes then miss the TLB no more.
#pragma once
#include <sys/mman.h>

#include <cstddef>
#include <cstdlib>
#include <cstring>
#include <memory>

namespace weir::tok {

template <class T>
class HugeArray {
public:
    HugeArray() = default;
    explicit HugeArray(size_t size) : size_(size) {
        constexpr size_t huge = size_t(2) << 20;
        const size_t bytes = size * sizeof(T), unit = bytes >= huge ? huge : 64;
        const size_t whole = (bytes + unit - 1) / unit * unit;
        data_.reset(static_cast<T*>(std::aligned_alloc(unit, whole)));
        if (!data_) std::abort();
        if (unit == huge) madvise(data_.get(), whole, MADV_HUGEPAGE);    // a wish: without it, it is slower
        std::memset(static_cast<void*>(data_.get()), 0, bytes);
    }
    T* data() { return data_.get(); }
    size_t size() const { return size_; }
    T& operator[](size_t i) { return data_.get()[i]; }
    const T& operator[](size_t i) const { return data_.get()[i]; }

private:
    struct Free {
        void operator()(T* p) const { std::free(p); }
    };
    std::unique_ptr<T, Free> data_;
    size_t size_ = 0;
};

}  // namespace weir::tok
