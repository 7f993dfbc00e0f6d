// Memory of one request: a list of chunks, freed all at once. The first chunk comes from a free list of the thread.
#pragma once
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <initializer_list>
#include <new>
#include <span>
#include <string_view>
#include <type_traits>
#include <utility>

#include "base/limits.h"

namespace weir {

// One thread. Never runs destructors: only trivially destructible things go in. Nothing is allocated before first use.
// Growth is bounded by the caller (body limits); bytes() says how much is held.
class Arena {
public:
    Arena() = default;
    ~Arena() { release(); }
    Arena(Arena&& other) noexcept { swap(other); }
    Arena& operator=(Arena&& other) noexcept { release(); swap(other); return *this; }

    void* alloc(size_t n, size_t align = alignof(std::max_align_t)) {
        uintptr_t p = (at_ + align - 1) & ~(align - 1);
        if (p + n > end_ || at_ == 0) return alloc_slow(n, align);
        at_ = p + n;
        return unpoison(reinterpret_cast<void*>(p), n);
    }
    std::string_view copy(std::string_view text) {
        if (text.empty()) return {};
        char* p = static_cast<char*>(alloc(text.size(), 1));
        std::memcpy(p, text.data(), text.size());
        return {p, text.size()};
    }
    std::string_view concat(std::initializer_list<std::string_view> pieces);
    template <class T, class... Args>
    T* make(Args&&... args) {
        static_assert(std::is_trivially_destructible_v<T>);
        return new (alloc(sizeof(T), alignof(T))) T{std::forward<Args>(args)...};
    }
    template <class T>
    std::span<T> copy_span(std::span<const T> from) {
        static_assert(std::is_trivially_destructible_v<T>);
        if (from.empty()) return {};
        T* p = static_cast<T*>(alloc(from.size_bytes(), alignof(T)));
        for (size_t i = 0; i < from.size(); ++i) new (p + i) T(from[i]);
        return {p, from.size()};
    }
    // Gives back the unused end of the newest allocation, if `p` of `reserved` bytes is that one.
    void shrink(void* p, size_t reserved, size_t used);

    void reset();                    // everything allocated is dead; the first chunk is kept
    void release();                  // ... and given back
    size_t bytes() const { return bytes_; }   // held, in chunks

private:
    struct Chunk { Chunk* next; size_t size; };   // size: of the whole chunk, this header included
    void* alloc_slow(size_t n, size_t align);
    void use(Chunk*);
    static void* unpoison(void* p, size_t n);
    static Chunk* take();
    static void give(Chunk*);
    void swap(Arena& o) noexcept {
        std::swap(at_, o.at_); std::swap(end_, o.end_); std::swap(newest_, o.newest_);
        std::swap(big_, o.big_); std::swap(bytes_, o.bytes_);
    }
    uintptr_t at_ = 0, end_ = 0;
    Chunk* newest_ = nullptr;        // standard chunks; the list ends with the first one
    Chunk* big_ = nullptr;           // chunks of one allocation each
    size_t bytes_ = 0;
    friend struct ArenaFreeList;
};

// Builds a span in an arena when its length is not known before. T: trivially destructible and copyable.
template <class T>
class SpanBuilder {
public:
    explicit SpanBuilder(Arena& arena) : arena_(arena) {}
    T& push(T value) {
        if (size_ == cap_) grow();
        return *new (data_ + size_++) T(std::move(value));
    }
    size_t size() const { return size_; }
    T& back() { return data_[size_ - 1]; }
    std::span<T> take() {
        if (cap_ > size_) arena_.shrink(data_, cap_ * sizeof(T), size_ * sizeof(T));
        return {std::exchange(data_, nullptr), (cap_ = 0, std::exchange(size_, 0))};
    }

private:
    void grow() {
        static_assert(std::is_trivially_destructible_v<T> && std::is_trivially_copyable_v<T>);
        size_t cap = cap_ ? cap_ * 2 : 8;
        T* data = static_cast<T*>(arena_.alloc(cap * sizeof(T), alignof(T)));
        if (size_) std::memcpy(static_cast<void*>(data), data_, size_ * sizeof(T));
        data_ = data;
        cap_ = cap;
    }
    Arena& arena_;
    T* data_ = nullptr;
    size_t size_ = 0, cap_ = 0;
};

#if defined(__SANITIZE_ADDRESS__)
void arena_unpoison(void* p, size_t n);
inline void* Arena::unpoison(void* p, size_t n) {
    arena_unpoison(p, n);
    return p;
}
#else
inline void* Arena::unpoison(void* p, size_t) { return p; }
#endif

}  // namespace weir
