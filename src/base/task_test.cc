#include "base/task.h"

#include <gtest/gtest.h>

#include <memory>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

namespace weir {
namespace {

// Where a coroutine of these tests stops until the test goes on with it.
struct Stop {
    std::coroutine_handle<> waiting{};
    struct Await {
        Stop& stop;
        bool await_ready() const noexcept { return false; }
        void await_suspend(std::coroutine_handle<> h) { stop.waiting = h; }
        void await_resume() const noexcept {}
        ~Await() { stop.waiting = {}; }
    };
    Await here() { return {*this}; }
    void go() { std::exchange(waiting, {}).resume(); }
};

struct Counted {
    static inline int made = 0, alive = 0;
    Counted() { made++, alive++; }
    Counted(const Counted&) { made++, alive++; }
    ~Counted() { alive--; }
};

// Runs a task without anybody awaiting it.
template <class T>
bool start(Task<T>& task) { return task.start(std::noop_coroutine()); }

Task<int> at_once(int n) { co_return n; }
Task<void> mark(bool& ran) {
    ran = true;
    co_return;
}
Task<int> after(Stop& stop, int n) {
    co_await stop.here();
    co_return n;
}

TEST(Task, DoesNothingBeforeItIsAwaited) {
    bool ran = false;
    {
        Task<void> never = mark(ran);
    }
    EXPECT_FALSE(ran);
    Task<void> task = mark(ran);
    EXPECT_TRUE(start(task));
    EXPECT_TRUE(ran);
}

TEST(Task, FinishesInlineOrFromTheLoop) {
    Task<int> quick = at_once(7);
    EXPECT_TRUE(start(quick));
    EXPECT_EQ(quick.take(), 7);
    Stop stop;
    Task<int> slow = after(stop, 8);
    EXPECT_FALSE(start(slow));
    EXPECT_FALSE(slow.done());
    stop.go();
    EXPECT_TRUE(slow.done());
    EXPECT_EQ(slow.take(), 8);
}

Task<long> sum_of(int n) {
    long sum = 0;
    for (int i = 0; i < n; i++) sum += co_await at_once(i);
    co_return sum;
}
TEST(Task, AMillionAwaitsThatFinishAtOnceNeedNoStack) {
    Task<long> task = sum_of(1'000'000);
    ASSERT_TRUE(start(task));
    EXPECT_EQ(task.take(), 499'999'500'000);
}

Task<int> nested(Stop& stop, int depth) {
    if (depth == 0) {
        co_await stop.here();
        co_return 0;
    }
    int below = co_await nested(stop, depth - 1);
    co_return below + 1;
}
TEST(Task, ResumesAndDestroysADeepChain) {
    Stop stop;
    Task<int> task = nested(stop, 500);
    EXPECT_FALSE(start(task));
    stop.go();
    EXPECT_EQ(task.take(), 500);
    Task<int> dropped = nested(stop, 500);
    EXPECT_FALSE(start(dropped));
    dropped.reset();
    EXPECT_FALSE(stop.waiting);
}

Task<Counted> leaf(Stop& stop, Counted parameter) {
    Counted local;
    co_await stop.here();
    Counted later = parameter;
    co_await stop.here();
    co_return later;
}
Task<void> branch(Stop& stop, Counted by_value) {
    Counted before;
    auto first = std::make_unique<Counted>(co_await leaf(stop, by_value));
    co_await stop.here();
    Counted second = co_await leaf(stop, *first);
    std::vector<Counted> many(3);
    co_await stop.here();
}
Task<void> root(Stop& stop) {
    Counted local;
    co_await branch(stop, local);
    co_await branch(stop, Counted());
}

TEST(Task, DestroyedAtAnySuspensionDropsEveryLocalOnce) {
    Counted::made = Counted::alive = 0;
    size_t frames = frames_live_bytes();
    bool whole = false;
    int points = 0;
    for (; !whole; points++) {
        Stop stop;
        Task<void> task = root(stop);
        whole = start(task);
        for (int i = 0; i < points && !whole; i++) {
            stop.go();
            whole = task.done();
        }
        if (!whole) {
            EXPECT_GT(Counted::alive, 0);
        }
        task.reset();
        EXPECT_EQ(Counted::alive, 0) << "destroyed after " << points;
        EXPECT_EQ(frames_live_bytes(), frames) << "destroyed after " << points;
    }
    EXPECT_EQ(points, 13);   // two branches of six stops each, and the run to the end
    EXPECT_GT(Counted::made, 100);
}

Task<int> throws_after(Stop& stop) {
    Counted local;
    co_await stop.here();
    throw std::runtime_error("late");
}
Task<int> throws_at_once() {
    throw std::runtime_error("early");
    co_return 0;
}
Task<std::string> catches(Stop& stop) {
    std::string said;
    try {
        co_await throws_at_once();
    } catch (const std::runtime_error& e) {
        said = e.what();
    }
    try {
        co_await throws_after(stop);
    } catch (const std::runtime_error& e) {
        said += std::string(" ") + e.what();
    }
    co_return said;
}
TEST(Task, ExceptionsReachWhoAwaits) {
    Counted::alive = 0;
    Stop stop;
    Task<std::string> task = catches(stop);
    EXPECT_FALSE(start(task));
    stop.go();
    ASSERT_TRUE(task.done());
    EXPECT_EQ(task.take(), "early late");
    EXPECT_EQ(Counted::alive, 0);
    Task<int> alone = throws_at_once();
    EXPECT_TRUE(start(alone));
    EXPECT_THROW(alone.take(), std::runtime_error);
}

TEST(Task, MovesWithItsFrame) {
    Stop stop;
    Task<int> a = after(stop, 1), b = after(stop, 2);
    EXPECT_TRUE(static_cast<bool>(a));
    a = std::move(b);
    EXPECT_FALSE(static_cast<bool>(b));   // NOLINT: a moved-from task is empty
    EXPECT_FALSE(start(a));
    Task<int> c = std::move(a);
    Task<int>& same = c;
    c = std::move(same);
    stop.go();
    EXPECT_EQ(c.take(), 2);
}

Task<std::unique_ptr<int>> make_owned(int n) { co_return std::make_unique<int>(n); }
TEST(Task, GivesMoveOnlyValues) {
    auto task = make_owned(5);
    ASSERT_TRUE(start(task));
    EXPECT_EQ(*task.take(), 5);
}

TEST(FramePool, AFreedFrameIsUsedAgain) {
#ifdef WEIR_SANITIZED
    GTEST_SKIP() << "under a sanitizer every frame is a heap block of its own";
#endif
    size_t before = frames_live_bytes();
    void* a = frame_alloc(200);
    void* b = frame_alloc(200);
    EXPECT_NE(a, b);
    EXPECT_EQ(frames_live_bytes(), before + 400);
    frame_free(a, 200);
    EXPECT_EQ(frame_alloc(195), a);   // the same class of 32 bytes
    frame_free(a, 195);
    frame_free(b, 200);
    EXPECT_EQ(frames_live_bytes(), before);
}

TEST(FramePool, EverySizeIsWhole) {   // ASan and valgrind see an overlap, so does this
    std::vector<std::pair<unsigned char*, size_t>> frames;
    for (size_t n = 1; n <= 6'000; n += 37) {
        auto* p = static_cast<unsigned char*>(frame_alloc(n));
        std::fill_n(p, n, static_cast<unsigned char>(n % 251));
        frames.push_back({p, n});
    }
    for (auto [p, n] : frames) {
        EXPECT_EQ(reinterpret_cast<uintptr_t>(p) % alignof(std::max_align_t), 0u);
        for (size_t i = 0; i < n; i++) ASSERT_EQ(p[i], n % 251);
        frame_free(p, n);
    }
}

TEST(FramePool, EachThreadHasItsOwn) {
    size_t here = frames_live_bytes();
    std::thread([] {
        EXPECT_EQ(frames_live_bytes(), 0u);
        Task<int> task = at_once(1);
        EXPECT_GT(frames_live_bytes(), 0u);
    }).join();
    EXPECT_EQ(frames_live_bytes(), here);
}

}  // namespace
}  // namespace weir
