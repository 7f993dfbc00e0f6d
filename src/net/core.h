// The reactor of one data core: sockets, timers, ready coroutines, messages from other cores. Everything here belongs to
// one thread unless it says "any thread".
#pragma once
#include <sys/types.h>
#include <sys/uio.h>

#include <array>
#include <atomic>
#include <coroutine>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/limits.h"
#include "base/task.h"
#include "base/wheel.h"

namespace weir {

class Core;

// A suspended coroutine. Lives inside an awaiter; its destructor takes it out of wherever it waits.
// `retry`, when set, runs from the loop just before resuming: false = not ready after all, it parked itself again.
struct Waiter : ListNode {
    std::coroutine_handle<> frame{};
    bool (*retry)(Waiter&) = nullptr;
    Waiter** slot = nullptr;   // the slot that points at us, cleared on destruction
    void park(Waiter*& where) {
        unlink();
        leave();
        where = this;
        slot = &where;
    }
    void leave() {
        if (slot) *slot = nullptr;
        slot = nullptr;
    }
    ~Waiter() { leave(); }
};

// Where readiness comes from: epoll on sockets, or a simulated network on a virtual clock.
class Poller {
public:
    virtual ~Poller() = default;
    // Waits at most `timeout_ms` (-1: no bound) and reports events by calling Watched::on_events.
    virtual void wait(int timeout_ms) = 0;
    virtual void wake() = 0;   // any thread: ends a wait
};

// A file descriptor's owner. `events` are EPOLL* bits; called from the loop while no coroutine runs.
struct Watched {
    virtual ~Watched() = default;
    virtual void on_events(uint32_t events) = 0;
};
class EpollPoller final : public Poller {
public:
    EpollPoller();
    ~EpollPoller() override;
    void wait(int timeout_ms) override;
    void wake() override;
    void watch(int fd, Watched&);                      // edge-triggered, all events, once per fd; closing the fd ends it
    void watch_level(int fd, uint32_t events, Watched&);   // for libraries that want level triggering; call again to change
    void forget(int fd, Watched&);                     // before the owner dies: its pending events are dropped

private:
    struct Wake final : Watched { int fd = -1; void on_events(uint32_t) override; } wake_;
    int epoll_ = -1;
    static constexpr int events_max = 512;
    Watched* batch_[events_max];   // owners of the wait under way; forget() nulls entries
    int batch_at_ = 0, batch_n_ = 0;
};

class Core {
public:
    Core(unsigned index, Clock&, std::unique_ptr<Poller>, uint64_t seed);
    ~Core();
    static Core& here();                       // the core of this thread; asserts that there is one
    static Core* maybe_here();
    struct Enter { explicit Enter(Core&); ~Enter(); Core* before; };   // makes a core current on this thread (tests, main)

    void run();                                // until stop()
    bool turn(int wait_ms_max);                // one turn of the loop; true when anything ran
    void stop();                               // any thread
    bool stopping() const { return stop_.load(std::memory_order_relaxed); }

    Instant now() const { return now_; }       // refreshed once a turn
    Instant now_exact();                       // reads the clock, and refreshes now()
    uint64_t now_ms() const { return now_ / ns_per_ms; }
    Clock& clock() { return clock_; }
    Random& random() { return random_; }
    unsigned index() const { return index_; }
    Poller& poller() { return *poller_; }
    EpollPoller& epoll() { return *epoll_; }   // asserts a real poller

    // Runs `fn` on this core soon. Any thread. False when limits::posts_max messages wait (fn is dropped).
    bool post(std::function<void()> fn);

    void ready(Waiter& waiter) { waiter.leave(); ready_.push_back(waiter); }
    void arm(Timer& timer, uint64_t delay_ms) { wheel_.arm(timer, now_ms() + delay_ms); }
    void disarm(Timer& timer) { wheel_.cancel(timer); }

    // One read lands here; valid until the next read on this core, that is until the next co_await.
    char* read_buffer() { return read_buffer_.get(); }
    static constexpr size_t read_buffer_bytes = limits::read_chunk;
    static constexpr size_t read_padding = 64;          // readable zero bytes may follow (simdjson)
    std::string& write_buffer() { return write_buffer_; }   // scratch of whoever runs; empty it before use, never across co_await

    Nursery& nursery() { return nursery_; }              // long-lived children: accept loops, connections
    Nursery& afterwards() { return afterwards_; }        // bounded clean-up that must outlive its request
    // Dropped (false) beyond limits::afterwards_max.
    bool do_afterwards(Task<void> op);
    std::atomic<uint32_t> streams{0};                    // open client connections, read by others when they balance accepts

    struct Ticks { uint64_t turns = 0, long_turns = 0, worst_ns = 0; } ticks;
    static constexpr uint64_t long_turn_ns = 5 * ns_per_ms;
    // Called after each turn with its time, the wait left out. Set before run(); null: nobody.
    struct TurnWatch { void (*fn)(void* self, uint64_t ns) = nullptr; void* self = nullptr; } turn_watch;

private:
    void drain_posts();
    unsigned index_;
    Clock& clock_;
    std::unique_ptr<Poller> poller_;
    EpollPoller* epoll_ = nullptr;
    Random random_;
    Instant now_;
    Wheel wheel_;
    List<Waiter> ready_;
    std::unique_ptr<char[]> read_buffer_;
    std::string write_buffer_;
    std::atomic<bool> stop_{false}, posted_{false};
    std::mutex posts_mutex_;
    std::vector<std::function<void()>> posts_;           // guarded by posts_mutex_
    Nursery afterwards_, nursery_;
};

// co_await yield(): goes behind everything that is ready now.
struct Yield {
    Waiter waiter;
    bool await_ready() const noexcept { return false; }
    void await_suspend(std::coroutine_handle<> h) {
        waiter.frame = h;
        Core::here().ready(waiter);
    }
    void await_resume() const noexcept {}
};
inline Yield yield() { return {}; }

// co_await sleep_ms(n)
struct Sleep : Timer {
    explicit Sleep(uint64_t ms) : ms(ms) {}
    uint64_t ms;
    Waiter waiter;
    bool await_ready() const noexcept { return ms == 0; }
    void await_suspend(std::coroutine_handle<> h);
    void await_resume() const noexcept {}
};
inline Sleep sleep_ms(uint64_t ms) { return Sleep(ms); }

// Somebody waits until somebody else (same core) calls notify(). One waiter.
class Signal {
public:
    struct Await {
        Signal& signal;
        Waiter waiter;
        bool await_ready() const noexcept { return signal.set_; }
        void await_suspend(std::coroutine_handle<> h) { waiter.frame = h; waiter.park(signal.waiting_); }
        void await_resume() noexcept { signal.set_ = false; }
    };
    Await wait() { return {*this, {}}; }
    void notify() {
        set_ = true;
        if (waiting_) Core::here().ready(*waiting_);
    }

private:
    friend struct Await;
    bool set_ = false;
    Waiter* waiting_ = nullptr;
};

// co_await race(task, slot): runs the task; when `slot` is made ready first (a client hung up, a limit passed), the task is
// destroyed and nullopt / false comes back.
template <class T>
class Race {
public:
    Race(Task<T>&& task, Waiter*& slot) : task_(std::move(task)), slot_(slot) {}
    bool await_ready() const noexcept { return false; }
    bool await_suspend(std::coroutine_handle<> h) {
        if (task_.start(h)) return false;
        waiter_.frame = h;
        waiter_.park(slot_);
        return true;
    }
    auto await_resume() {
        waiter_.unlink();
        waiter_.leave();
        if constexpr (std::is_void_v<T>) {
            bool finished = task_.done();
            if (finished) task_.take();
            task_.reset();
            return finished;
        } else {
            std::optional<T> out;
            if (task_.done()) out.emplace(task_.take());
            task_.reset();
            return out;
        }
    }

private:
    Task<T> task_;
    Waiter*& slot_;
    Waiter waiter_;
};
template <class T>
Race<T> race(Task<T>&& task, Waiter*& slot) { return Race<T>(std::move(task), slot); }

}  // namespace weir
