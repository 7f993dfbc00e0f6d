// Threads for work that blocks or takes long: files, downloads, model loading, encoding of very long texts. Never for requests themselves.
#pragma once
#include <condition_variable>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <thread>
#include <vector>

#include "net/core.h"

namespace weir {

class Pool {
public:
    Pool(unsigned threads, size_t queue_max);
    ~Pool();                                       // waits for jobs under way; those still queued are dropped unrun
    Pool(const Pool&) = delete;
    bool run(std::function<void()> job);           // any thread. False: the queue is full, or the pool is ending
    void end();                                    // takes no more jobs and drops the queued ones; any thread

private:
    void work();
    const size_t queue_max_;
    std::mutex mutex_;
    std::condition_variable changed_;
    std::deque<std::function<void()>> queue_;      // guarded by mutex_
    bool ending_ = false;                          // guarded by mutex_
    std::vector<std::thread> threads_;
};

// `InPool elsewhere(pool, fn); bool ran = co_await elsewhere;` runs `fn` on a thread of the pool and comes back to this core. False:
// refused, fn did not run. Destroyed while it waits, it leaves the job to end for nobody; so `fn` must own what it touches. Both are
// named because g++ 12 destroys temporaries of a co_await twice.
class InPool {
public:
    InPool(Pool& pool, std::function<void()> fn) : pool_(pool), fn_(std::move(fn)) {}
    InPool(InPool&&) = delete;
    ~InPool() {
        if (shared_) shared_->waiter = nullptr;
    }
    bool await_ready() const noexcept { return false; }
    bool await_suspend(std::coroutine_handle<> h);
    bool await_resume() const noexcept { return shared_ && shared_->done; }

private:
    struct Shared {                                // touched on the home core only
        Core* home = nullptr;
        Waiter* waiter = nullptr;
        bool done = false;
    };
    Pool& pool_;
    std::function<void()> fn_;
    std::shared_ptr<Shared> shared_;
    Waiter waiter_;
};

}  // namespace weir
