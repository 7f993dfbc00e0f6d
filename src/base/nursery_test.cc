#include <gtest/gtest.h>

#include <memory>
#include <stdexcept>
#include <vector>

#include "base/task.h"

namespace weir {
namespace {

struct Stops {
    std::vector<std::coroutine_handle<>> waiting;
    struct Await {
        Stops& stops;
        bool await_ready() const noexcept { return false; }
        void await_suspend(std::coroutine_handle<> h) { stops.waiting.push_back(h); }
        void await_resume() const noexcept {}
    };
    Await here() { return {*this}; }
    void go(size_t i) {
        auto h = waiting.at(i);
        waiting.erase(waiting.begin() + static_cast<ptrdiff_t>(i));
        h.resume();
    }
};

struct Alive {
    int& n;
    explicit Alive(int& n) : n(n) { n++; }
    ~Alive() { n--; }
};

Task<void> child(Stops& stops, int& alive, int rounds) {
    Alive here(alive);
    for (int i = 0; i < rounds; i++) co_await stops.here();
}
Task<void> thrower(Stops& stops, bool late) {
    if (late) co_await stops.here();
    throw std::runtime_error("child");
}

TEST(Nursery, StartsAtOnceAndForgetsWhoFinished) {
    Stops stops;
    int alive = 0;
    Nursery nursery;
    nursery.spawn(child(stops, alive, 0));
    EXPECT_EQ(nursery.size(), 0u);
    nursery.spawn(child(stops, alive, 1));
    nursery.spawn(child(stops, alive, 2));
    EXPECT_EQ(nursery.size(), 2u);
    EXPECT_EQ(alive, 2);
    stops.go(0);
    EXPECT_EQ(nursery.size(), 1u);
    stops.go(0);
    EXPECT_EQ(alive, 1);
    stops.go(0);
    EXPECT_EQ(nursery.size(), 0u);
    EXPECT_EQ(alive, 0);
}

TEST(Nursery, DestructorCancelsItsChildren) {
    size_t frames = frames_live_bytes();
    Stops stops;
    int alive = 0;
    {
        Nursery nursery;
        for (int i = 0; i < 100; i++) nursery.spawn(child(stops, alive, 3));
        EXPECT_EQ(alive, 100);
    }
    EXPECT_EQ(alive, 0);
    EXPECT_EQ(frames_live_bytes(), frames);
}

TEST(Nursery, CanBeUsedAgainAfterCancel) {
    Stops stops;
    int alive = 0;
    Nursery nursery;
    nursery.spawn(child(stops, alive, 1));
    nursery.cancel();
    EXPECT_EQ(alive, 0);
    EXPECT_EQ(nursery.size(), 0u);
    stops.waiting.clear();
    nursery.spawn(child(stops, alive, 1));
    stops.go(0);
    EXPECT_EQ(nursery.size(), 0u);
}

TEST(Nursery, CountsAndDropsExceptions) {
    Stops stops;
    Nursery nursery;
    nursery.spawn(thrower(stops, false));
    EXPECT_EQ(nursery.exceptions(), 1u);
    nursery.spawn(thrower(stops, true));
    EXPECT_EQ(nursery.size(), 1u);
    stops.go(0);
    EXPECT_EQ(nursery.exceptions(), 2u);
    EXPECT_EQ(nursery.size(), 0u);
}

// A child whose locals start further children while they are destroyed: all of them end.
struct SpawnsWhenDestroyed {
    Nursery& nursery;
    Stops& stops;
    int& alive;
    ~SpawnsWhenDestroyed() { nursery.spawn(child(stops, alive, 1)); }
};
Task<void> last_words(Nursery& nursery, Stops& stops, int& alive) {
    SpawnsWhenDestroyed at_end{nursery, stops, alive};
    co_await stops.here();
}
TEST(Nursery, ChildrenStartedDuringCancelEndToo) {
    Stops stops;
    int alive = 0;
    Nursery nursery;
    nursery.spawn(last_words(nursery, stops, alive));
    nursery.cancel();
    EXPECT_EQ(alive, 0);
    EXPECT_EQ(nursery.size(), 0u);
}

}  // namespace
}  // namespace weir
