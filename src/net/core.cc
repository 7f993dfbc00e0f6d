#include "net/core.h"

#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>

#include "base/assert.h"

namespace weir {
namespace {
thread_local Core* current = nullptr;
}  // namespace

EpollPoller::EpollPoller() : epoll_(epoll_create1(EPOLL_CLOEXEC)) {
    ASSERT(epoll_ >= 0);
    wake_.fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    watch(wake_.fd, wake_);
}

EpollPoller::~EpollPoller() {
    ::close(wake_.fd);
    ::close(epoll_);
}

void EpollPoller::Wake::on_events(uint32_t) {
    uint64_t n;
    while (::read(fd, &n, sizeof n) > 0) {}
}

void EpollPoller::wake() {
    uint64_t one = 1;
    (void)!::write(wake_.fd, &one, sizeof one);
}

void EpollPoller::watch(int fd, Watched& owner) {
    epoll_event e{};
    e.events = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET;
    e.data.ptr = &owner;
    epoll_ctl(epoll_, EPOLL_CTL_ADD, fd, &e);
}

void EpollPoller::watch_level(int fd, uint32_t events, Watched& owner) {
    epoll_event e{};
    e.events = events;
    e.data.ptr = &owner;
    if (epoll_ctl(epoll_, EPOLL_CTL_MOD, fd, &e) != 0) epoll_ctl(epoll_, EPOLL_CTL_ADD, fd, &e);
}

void EpollPoller::forget(int fd, Watched& owner) {
    epoll_ctl(epoll_, EPOLL_CTL_DEL, fd, nullptr);
    for (int i = batch_at_; i < batch_n_; i++)
        if (batch_[i] == &owner) batch_[i] = nullptr;
}

void EpollPoller::wait(int timeout_ms) {
    epoll_event events[events_max];
    batch_n_ = epoll_wait(epoll_, events, events_max, timeout_ms);
    for (int i = 0; i < batch_n_; i++) batch_[i] = static_cast<Watched*>(events[i].data.ptr);
    // No coroutine runs in here: a socket's owner cannot die before its event is delivered. Libraries use forget().
    for (batch_at_ = 0; batch_at_ < batch_n_; batch_at_++)
        if (Watched* w = batch_[batch_at_]) w->on_events(events[batch_at_].events);
    batch_n_ = 0;
}

Core::Core(unsigned index, Clock& clock, std::unique_ptr<Poller> poller, uint64_t seed)
    : index_(index), clock_(clock), poller_(std::move(poller)), epoll_(dynamic_cast<EpollPoller*>(poller_.get())), random_(seed),
      now_(clock.now()), wheel_(clock.now() / ns_per_ms), read_buffer_(new char[read_buffer_bytes + read_padding]()) {
    write_buffer_.reserve(limits::read_chunk * 2);
}

Core::~Core() {
    Enter enter(*this);
    nursery_.cancel();
    afterwards_.cancel();
}

Core& Core::here() {
    ASSERT(current != nullptr);
    return *current;
}
Core* Core::maybe_here() { return current; }
Core::Enter::Enter(Core& core) : before(current) { current = &core; }
Core::Enter::~Enter() { current = before; }

Instant Core::now_exact() { return now_ = clock_.now(); }

bool Core::post(std::function<void()> fn) {
    {
        std::lock_guard lock(posts_mutex_);
        if (posts_.size() >= limits::posts_max) return false;
        posts_.push_back(std::move(fn));
    }
    if (!posted_.exchange(true, std::memory_order_acq_rel)) poller_->wake();
    return true;
}

void Core::stop() {
    stop_.store(true, std::memory_order_relaxed);
    poller_->wake();
}

void Core::drain_posts() {
    if (!posted_.exchange(false, std::memory_order_acq_rel)) return;
    std::vector<std::function<void()>> taken;
    {
        std::lock_guard lock(posts_mutex_);
        taken.swap(posts_);
    }
    for (auto& fn : taken) fn();
}

bool Core::do_afterwards(Task<void> op) {
    if (afterwards_.size() >= limits::afterwards_max) return false;
    afterwards_.spawn(std::move(op));
    return true;
}

bool Core::turn(int wait_ms_max) {
    Enter enter(*this);
    int64_t wait = ready_.empty() && !posted_.load(std::memory_order_relaxed) ? wheel_.next_ms() : 0;
    if (wait < 0 || (wait_ms_max >= 0 && wait > wait_ms_max)) wait = wait_ms_max;
    poller_->wait(static_cast<int>(wait));
    now_ = clock_.now();
    Instant begin = now_;
    wheel_.advance(now_ms());
    drain_posts();
    // Only what is ready now: a coroutine that yields goes into the next turn, behind new events.
    List<Waiter> batch;
    batch.splice(ready_);
    bool ran = false;
    while (Waiter* waiter = batch.pop_front()) {
        ran = true;
        if (waiter->retry && !waiter->retry(*waiter)) continue;
        waiter->frame.resume();
    }
    uint64_t took = clock_.now() - begin;
    ticks.turns++;
    if (took > long_turn_ns) ticks.long_turns++;
    ticks.worst_ns = std::max(ticks.worst_ns, took);
    if (turn_watch.fn) turn_watch.fn(turn_watch.self, took);
    return ran;
}

void Core::run() {
    Enter enter(*this);
    while (!stopping()) turn(-1);
}

void Sleep::await_suspend(std::coroutine_handle<> h) {
    waiter.frame = h;
    fire = [](Timer& t) { Core::here().ready(static_cast<Sleep&>(t).waiter); };
    Core::here().arm(*this, ms);
}

}  // namespace weir
