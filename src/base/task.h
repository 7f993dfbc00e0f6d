// Coroutines of weir. Task: lazy, move-only, awaited at most once, never changes core. Destroying a Task destroys its
// suspended chain, children first: that is how work is cancelled (see docs/traps.md for what g++ 12 does not forgive).
#pragma once
#include <coroutine>
#include <cstddef>
#include <exception>
#include <optional>
#include <utility>

#include "base/list.h"

namespace weir {

void* frame_alloc(size_t bytes);             // per-thread size classes of 16 B, freed on the thread that took it; plain heap under a sanitizer
void frame_free(void* frame, size_t bytes);
size_t frames_live_bytes();                  // this thread's frames in use, for the bench and for tests

namespace detail {
struct PromiseBase {
    std::coroutine_handle<> cont{};
    std::exception_ptr error{};
    bool done = false, inline_start = false;

    static void* operator new(size_t n) { return frame_alloc(n); }
    static void operator delete(void* p, size_t n) { frame_free(p, n); }

    // No symmetric transfer: g++ 12.2 turns it into real recursion at -O0 and under ASan. The child runs inside the
    // parent's await_suspend; only a child that really suspended resumes its parent from here, that is from the loop.
    struct Final {
        bool await_ready() noexcept { return false; }
        template <class P>
        void await_suspend(std::coroutine_handle<P> h) noexcept {
            PromiseBase& p = h.promise();
            p.done = true;
            if (!p.inline_start && p.cont) p.cont.resume();   // may destroy this frame: touch nothing after
        }
        void await_resume() noexcept {}
    };
    std::suspend_always initial_suspend() noexcept { return {}; }
    Final final_suspend() noexcept { return {}; }
    void unhandled_exception() { error = std::current_exception(); }
};

template <class T>
struct Promise : PromiseBase {
    std::optional<T> value;
    template <class U>
    void return_value(U&& v) { value.emplace(std::forward<U>(v)); }
    T take() {
        if (error) std::rethrow_exception(error);
        return std::move(*value);
    }
};
template <>
struct Promise<void> : PromiseBase {
    void return_void() {}
    void take() {
        if (error) std::rethrow_exception(error);
    }
};
}  // namespace detail

template <class T = void>
class [[nodiscard]] Task {
public:
    struct promise_type : detail::Promise<T> {
        Task get_return_object() { return Task(std::coroutine_handle<promise_type>::from_promise(*this)); }
    };
    Task() = default;
    Task(Task&& o) noexcept : handle_(std::exchange(o.handle_, {})) {}
    Task& operator=(Task&& o) noexcept {
        if (this != &o) {
            reset();
            handle_ = std::exchange(o.handle_, {});
        }
        return *this;
    }
    ~Task() { reset(); }
    void reset() {
        if (handle_) std::exchange(handle_, {}).destroy();
    }
    explicit operator bool() const { return static_cast<bool>(handle_); }

    // Awaiting: runs the child at once; no suspension when it finishes without one.
    bool await_ready() const noexcept { return false; }
    bool await_suspend(std::coroutine_handle<> parent) { return !start(parent); }
    T await_resume() { return handle_.promise().take(); }

    // For combinators only: starts the child; true when it finished at once. `parent` is resumed from the loop otherwise.
    bool start(std::coroutine_handle<> parent) {
        auto& p = handle_.promise();
        p.cont = parent;
        p.inline_start = true;
        handle_.resume();
        p.inline_start = false;
        return p.done;
    }
    bool done() const { return handle_.promise().done; }
    T take() { return handle_.promise().take(); }

private:
    explicit Task(std::coroutine_handle<promise_type> h) : handle_(h) {}
    std::coroutine_handle<promise_type> handle_{};
};

// Owns running children. The destructor cancels them. Only the loop's own code (not a child) may call cancel().
class Nursery {
public:
    Nursery() = default;
    Nursery(const Nursery&) = delete;
    ~Nursery() { cancel(); }
    // Starts the child now. It is destroyed when it finishes. An exception that leaves it is counted and dropped.
    void spawn(Task<void> child);
    void cancel();
    size_t size() const { return size_; }
    size_t exceptions() const { return exceptions_; }

private:
    friend struct NurseryRoot;
    struct Node : ListNode { std::coroutine_handle<> frame; };
    List<Node> roots_;
    size_t size_ = 0, exceptions_ = 0;
};

}  // namespace weir
