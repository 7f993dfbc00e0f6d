// A large zeroed array of plain values on huge pages where the system gives them: random look-ups in tables of megabytes then miss the TLB no more.
#pragma once
#include <sys/mman.h>

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <memory>

namespace weir::tok {

template <class T>
class HugeArray {
public:
    HugeArray() = default;
    explicit HugeArray(size_t size) : size_(size) {
        const size_t bytes = size * sizeof(T);
        if (bytes < huge / 2) {
            const size_t whole = (bytes + 63) / 64 * 64;
            data_ = Owned(static_cast<T*>(std::aligned_alloc(64, whole)), Free{});
            if (!data_) std::abort();
        } else {
            data_ = map(bytes);
        }
        std::memset(static_cast<void*>(data_.get()), 0, bytes);    // the pages, now and not in somebody's request
    }
    T* data() { return data_.get(); }
    const T* data() const { return data_.get(); }
    size_t size() const { return size_; }
    T& operator[](size_t i) { return data_.get()[i]; }
    const T& operator[](size_t i) const { return data_.get()[i]; }

private:
    struct Free {
        size_t mapped = 0;
        void operator()(T* p) const {
            if (mapped == 0) std::free(p);
            else munmap(static_cast<void*>(p), mapped);
        }
    };
    using Owned = std::unique_ptr<T, Free>;
    static constexpr size_t huge = size_t(2) << 20;

    // Its own mapping: what malloc gives back has been used in small pages, and stays so. A last page that would be half empty is not huge.
    static Owned map(size_t bytes) {
        const size_t rest = bytes % huge, unit = rest >= huge / 2 ? huge : 4096, size = (bytes + unit - 1) / unit * unit;
        void* got = mmap(nullptr, size + huge, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        if (got == MAP_FAILED) std::abort();
        const auto from = reinterpret_cast<uintptr_t>(got), to = (from + huge - 1) / huge * huge;
        char* const begin = static_cast<char*>(got) + (to - from);
        if (to > from) munmap(got, to - from);
        if (to - from < huge) munmap(begin + size, huge - (to - from));
        madvise(begin, size, MADV_HUGEPAGE);                        // a wish: without it, it is slower
        return Owned(reinterpret_cast<T*>(begin), Free{size});
    }
    Owned data_;
    size_t size_ = 0;
};

}  // namespace weir::tok
