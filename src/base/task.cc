#include "base/task.h"

#include <new>

namespace weir {
namespace {

constexpr size_t class_bytes = 64, classes = 64;   // frames up to 4 KB are pooled
struct FreeFrame { FreeFrame* next; };
struct FramePool {
    FreeFrame* free[classes] = {};
    size_t live = 0;
    ~FramePool() {
        for (auto*& head : free)
            while (head) {
                auto* frame = head;
                head = frame->next;
                ::operator delete(frame);
            }
    }
};
thread_local FramePool pool;

}  // namespace

void* frame_alloc(size_t bytes) {
    size_t k = (bytes + class_bytes - 1) / class_bytes;
    pool.live += bytes;
#ifndef WEIR_SANITIZED   // under a sanitizer every frame is its own heap block, so that a dead frame is seen
    if (k < classes) {
        if (auto* frame = pool.free[k]) {
            pool.free[k] = frame->next;
            return frame;
        }
        return ::operator new(k * class_bytes);
    }
#endif
    (void)k;
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
