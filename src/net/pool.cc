#include "net/pool.h"

#include <sched.h>

namespace weir {

Pool::Pool(unsigned threads, size_t queue_max) : queue_max_(queue_max) {
    for (unsigned i = 0; i < threads; i++) threads_.emplace_back([this] { work(); });
}

Pool::~Pool() {
    end();
    for (auto& thread : threads_) thread.join();
}

void Pool::end() {
    std::deque<std::function<void()>> dropped;     // dies outside the lock
    std::lock_guard lock(mutex_);
    ending_ = true;
    dropped.swap(queue_);
    changed_.notify_all();
}

bool Pool::run(std::function<void()> job) {
    std::lock_guard lock(mutex_);
    if (ending_ || queue_.size() >= queue_max_) return false;
    queue_.push_back(std::move(job));
    changed_.notify_one();
    return true;
}

void Pool::work() {
    for (;;) {
        std::function<void()> job;
        {
            std::unique_lock lock(mutex_);
            changed_.wait(lock, [this] { return ending_ || !queue_.empty(); });
            if (queue_.empty()) return;
            job = std::move(queue_.front());
            queue_.pop_front();
        }
        job();
    }
}

bool InPool::await_suspend(std::coroutine_handle<> h) {
    shared_ = std::make_shared<Shared>();
    shared_->home = &Core::here();
    shared_->waiter = &waiter_;
    waiter_.frame = h;
    bool taken = pool_.run([shared = shared_, fn = std::move(fn_)]() mutable {
        fn();
        fn = nullptr;                              // what it owns dies here, not on the core
        Core* home = shared->home;
        std::function<void()> back = [shared = std::move(shared)] {
            shared->done = true;
            if (shared->waiter) shared->home->ready(*shared->waiter);
        };
        while (!home->post(back)) sched_yield();   // its queue is full: it is being worked off
    });
    if (!taken) shared_->waiter = nullptr;
    return taken;
}

}  // namespace weir
