#include "base/arena.h"

#include <algorithm>
#include <cstdlib>

#if defined(__SANITIZE_ADDRESS__)
#include <sanitizer/asan_interface.h>
#endif

namespace weir {

#if defined(__SANITIZE_ADDRESS__)
// Views kept past reset() then fail in tests, though the chunk itself lives on.
void arena_unpoison(void* p, size_t n) { __asan_unpoison_memory_region(p, n); }
static void poison(void* p, size_t n) { __asan_poison_memory_region(p, n); }
#else
static void arena_unpoison(void*, size_t) {}
static void poison(void*, size_t) {}
#endif

static constexpr size_t free_chunks_max = 256;   // per thread: 1 MB

struct ArenaFreeList {
    Arena::Chunk* head = nullptr;
    size_t count = 0;
    ~ArenaFreeList() {
        while (Arena::Chunk* c = head) {
            head = c->next;
            std::free(c);
        }
        count = free_chunks_max;   // a late arena of this thread frees directly
    }
};
static thread_local ArenaFreeList free_list;

Arena::Chunk* Arena::take() {
    if (Chunk* c = free_list.head) {
        free_list.head = c->next;
        --free_list.count;
        return c;
    }
    auto* c = static_cast<Chunk*>(std::malloc(limits::arena_chunk));
    if (!c) throw std::bad_alloc();
    c->size = limits::arena_chunk;
    return c;
}

void Arena::give(Chunk* c) {
    size_t size = c->size;
    arena_unpoison(c, size);
    if (size != limits::arena_chunk || free_list.count >= free_chunks_max) return std::free(c);
    c->next = free_list.head;
    free_list.head = c;
    ++free_list.count;
}

void Arena::use(Chunk* c) {
    at_ = reinterpret_cast<uintptr_t>(c + 1);
    end_ = reinterpret_cast<uintptr_t>(c) + c->size;
    poison(c + 1, c->size - sizeof(Chunk));
}

// Small requests open the next chunk; big ones take memory of their own, so that the chunk in use is still filled.
void* Arena::alloc_slow(size_t n, size_t align) {
    size_t need = n + align + sizeof(Chunk);
    if (need < n) throw std::bad_alloc();
    if (need > limits::arena_chunk / 2) {
        auto* c = static_cast<Chunk*>(std::malloc(need));
        if (!c) throw std::bad_alloc();
        c->size = need;
        c->next = big_;
        big_ = c;
        bytes_ += need;
        return reinterpret_cast<void*>((reinterpret_cast<uintptr_t>(c + 1) + align - 1) & ~(align - 1));
    }
    Chunk* c = take();
    bytes_ += c->size;
    c->next = newest_;
    newest_ = c;
    use(c);
    return alloc(n, align);
}

void Arena::shrink(void* p, size_t reserved, size_t used) {
    auto at = reinterpret_cast<uintptr_t>(p);
    if (at + reserved != at_) return;
    at_ = at + used;
    poison(reinterpret_cast<void*>(at_), reserved - used);
}

std::string_view Arena::concat(std::initializer_list<std::string_view> pieces) {
    size_t n = 0;
    for (auto piece : pieces) n += piece.size();
    if (n == 0) return {};
    char* p = static_cast<char*>(alloc(n, 1));
    char* to = p;
    for (auto piece : pieces) to = std::copy(piece.begin(), piece.end(), to);
    return {p, n};
}

void Arena::reset() {
    for (; big_; ) std::free(std::exchange(big_, big_->next));
    if (!newest_) {
        bytes_ = 0;
        return;
    }
    while (newest_->next) give(std::exchange(newest_, newest_->next));
    bytes_ = newest_->size;
    use(newest_);
}

void Arena::release() {
    reset();
    if (newest_) give(std::exchange(newest_, nullptr));
    at_ = end_ = bytes_ = 0;
}

}  // namespace weir
