#include "base/task.h"

#include <new>

namespace weir {
namespace {

// Frames up to 4 KB come from free lists by size class, carved from slabs: no heap header, and next to each other. What a
// thread's busiest moment took stays with the thread.
constexpr size_t class_bytes = 16, classes = 256, slab_bytes = 32 * 1024;
struct FreeFrame { FreeFrame* next; };
struct FramePool {
    FreeFrame* free[classes] = {};
    FreeFrame* slabs = nullptr;
    char *at = nullptr, *end = nullptr;
    size_t live = 0;
    void* carve(size_t bytes) {
        if (static_cast<size_t>(end - at) < bytes) {   // the rest of a slab is smaller than one frame: left
            auto* slab = static_cast<FreeFrame*>(::operator new(slab_bytes));
            slab->next = slabs;
            slabs = slab;
            at = reinterpret_cast<char*>(slab) + 16;
            end = reinterpret_cast<char*>(slab) + slab_bytes;
        }
        return std::exchange(at, at + bytes);
    }
    ~FramePool() {
        if (live != 0) return;   // frames of this thread live on elsewhere (a process that ends in the middle)
        while (slabs) ::operator delete(std::exchange(slabs, slabs->next));
    }
};
thread_local FramePool pool;

}  // namespace

void* frame_alloc(size_t bytes) {
    pool.live += bytes;
#ifndef WEIR_SANITIZED   // under a sanitizer every frame is its own heap block, so that a dead frame is seen
    size_t k = (bytes + class_bytes - 1) / class_bytes;
    if (k < classes) {
        if (auto* frame = pool.free[k]) {
            pool.free[k] = frame->next;
            return frame;
        }
        return pool.carve(k * class_bytes);
    }
#endif
    return ::operator new(bytes);
}

void frame_free(void* frame, size_t bytes) {
    pool.live -= bytes;
#ifndef WEIR_SANITIZED
    size_t k = (bytes + class_bytes - 1) / class_bytes;
    if (k < classes) {
        auto* f = static_cast<FreeFrame*>(frame);
        f->next = pool.free[k];
        pool.free[k] = f;
        return;
    }
#endif
    ::operator delete(frame);
}

size_t frames_live_bytes() { return pool.live; }

struct NurseryRoot {
    struct promise_type {
        Nursery::Node node;
        Nursery* owner = nullptr;
        static void* operator new(size_t n) { return frame_alloc(n); }
        static void operator delete(void* p, size_t n) { frame_free(p, n); }
        NurseryRoot get_return_object() { return {std::coroutine_handle<promise_type>::from_promise(*this)}; }
        std::suspend_always initial_suspend() noexcept { return {}; }
        struct Final {
            bool await_ready() noexcept { return false; }
            void await_suspend(std::coroutine_handle<promise_type> h) noexcept {
                h.promise().owner->size_--;
                h.destroy();
            }
            void await_resume() noexcept {}
        };
        Final final_suspend() noexcept { return {}; }
        void return_void() {}
        void unhandled_exception() { owner->exceptions_++; }
    };
    std::coroutine_handle<promise_type> handle;
    static NurseryRoot run(Task<void> child) { co_await child; }
    static void enter(Nursery& nursery, Task<void> child) {
        auto root = run(std::move(child));
        auto& p = root.handle.promise();
        p.owner = &nursery;
        p.node.frame = root.handle;
        nursery.roots_.push_back(p.node);
        nursery.size_++;
        root.handle.resume();
    }
};

void Nursery::spawn(Task<void> child) { NurseryRoot::enter(*this, std::move(child)); }

void Nursery::cancel() {
    while (Node* node = roots_.pop_front()) {
        size_--;
        node->frame.destroy();
    }
}

}  // namespace weir
