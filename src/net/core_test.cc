#include "net/core.h"

#include <gtest/gtest.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <map>
#include <stdexcept>
#include <string>
#include <thread>

namespace weir {
namespace {

// No sockets: waiting moves the virtual clock to the moment the core asked for.
struct FakePoller final : Poller {
    explicit FakePoller(ManualClock& clock) : clock(clock) {}
    void wait(int timeout_ms) override {
        waits++;
        last_timeout = timeout_ms;
        if (timeout_ms > 0) clock.advance_ms(static_cast<uint64_t>(timeout_ms));
    }
    void wake() override { wakes++; }
    ManualClock& clock;
    int waits = 0, last_timeout = 0;
    std::atomic<int> wakes{0};
};

struct VirtualCore : testing::Test {
    ManualClock clock;
    FakePoller* poller = new FakePoller(clock);
    Core core{0, clock, std::unique_ptr<Poller>(poller), 1};
    Core::Enter enter{core};
    Nursery tasks;
    std::string said;
    Instant begin = clock.now();
    uint64_t passed_ms() const { return (clock.now() - begin) / ns_per_ms; }
    void turns(int n) {
        for (int i = 0; i < n; i++) core.turn(0);
    }
    void run_ms(uint64_t ms) {
        for (Instant end = clock.now() + ms * ns_per_ms; clock.now() < end;)
            core.turn(static_cast<int>((end - clock.now()) / ns_per_ms));
    }
};

Task<void> say_after(uint64_t ms, std::string what, std::string& said) {
    co_await sleep_ms(ms);
    said += what;
}
Task<void> say_turns(std::string what, int n, std::string& said) {
    for (int i = 0; i < n; i++) {
        said += what;
        co_await yield();
    }
}

TEST_F(VirtualCore, TimersFireInTheirOrderAndTheLoopWaitsForTheNextOne) {
    tasks.spawn(say_after(30, "c", said));
    tasks.spawn(say_after(10, "a", said));
    tasks.spawn(say_after(20, "b", said));
    tasks.spawn(say_after(0, "now", said));
    EXPECT_EQ(said, "now");
    core.turn(-1);
    EXPECT_EQ(poller->last_timeout, 10);
    EXPECT_EQ(said, "nowa");
    core.turn(-1);
    core.turn(-1);
    EXPECT_EQ(said, "nowabc");
    EXPECT_EQ(passed_ms(), 30u);
    core.turn(-1);
    EXPECT_EQ(poller->last_timeout, -1) << "nothing armed: wait for ever";
}

TEST_F(VirtualCore, ADestroyedSleepIsGone) {
    tasks.spawn(say_after(10, "a", said));
    tasks.cancel();
    run_ms(50);
    EXPECT_EQ(said, "");
}

TEST_F(VirtualCore, ASleepDestroyedBetweenItsTimerAndItsTurnIsGone) {
    Nursery other;
    struct Cancel : Timer { Nursery* victims; } cancel;
    cancel.victims = &tasks;
    cancel.fire = [](Timer& t) { static_cast<Cancel&>(t).victims->cancel(); };
    tasks.spawn(say_after(10, "a", said));   // its timer fires first and makes it ready
    core.arm(cancel, 10);
    other.spawn(say_after(10, "b", said));
    run_ms(20);
    EXPECT_EQ(said, "b");
}

TEST_F(VirtualCore, YieldGoesBehindEverybodyElse) {
    tasks.spawn(say_turns("a", 3, said));
    tasks.spawn(say_turns("b", 3, said));
    EXPECT_EQ(said, "ab");
    core.turn(0);
    EXPECT_EQ(said, "abab");
    core.turn(0);
    EXPECT_EQ(said, "ababab");
    EXPECT_EQ(poller->waits, 2);
}

TEST_F(VirtualCore, TheLoopDoesNotSleepWhileSomebodyIsReady) {
    tasks.spawn(say_turns("a", 2, said));
    core.turn(-1);
    EXPECT_EQ(poller->last_timeout, 0);
}

TEST_F(VirtualCore, TimeIsReadOnceATurn) {
    Instant now = core.now();
    clock.advance_ms(5);
    EXPECT_EQ(core.now(), now);
    EXPECT_EQ(core.now_exact(), now + 5 * ns_per_ms);
    EXPECT_EQ(core.now(), now + 5 * ns_per_ms);
}

TEST_F(VirtualCore, PostedWorkRunsInOrderAndWakesOnce) {
    for (int i = 0; i < 3; i++) EXPECT_TRUE(core.post([this, i] { said += std::to_string(i); }));
    EXPECT_EQ(poller->wakes, 1);
    core.post([this] { core.post([this] { said += "later"; }); });
    core.turn(-1);
    EXPECT_EQ(said, "012");
    EXPECT_EQ(poller->last_timeout, 0);
    core.turn(-1);
    EXPECT_EQ(said, "012later");
}

TEST_F(VirtualCore, PostsAreBounded) {
    size_t ran = 0, accepted = 0;
    auto token = std::make_shared<int>(0);
    while (core.post([&ran, token] { ran++; })) accepted++;
    EXPECT_EQ(accepted, limits::posts_max);
    EXPECT_EQ(token.use_count(), static_cast<long>(accepted) + 1) << "a refused message is dropped";
    core.turn(0);
    EXPECT_EQ(ran, limits::posts_max);
    EXPECT_EQ(token.use_count(), 1);
    EXPECT_TRUE(core.post([] {}));
}

TEST_F(VirtualCore, CleanUpsAreBounded) {
    for (size_t i = 0; i < limits::afterwards_max; i++) ASSERT_TRUE(core.do_afterwards(say_after(10, "", said)));
    EXPECT_FALSE(core.do_afterwards(say_after(10, "beyond", said)));
    EXPECT_EQ(core.afterwards().size(), limits::afterwards_max);
    run_ms(11);
    EXPECT_EQ(core.afterwards().size(), 0u);
    EXPECT_TRUE(core.do_afterwards(say_after(1, "again", said)));
    run_ms(2);
    EXPECT_EQ(said, "again");
}

Task<void> wait_for(Signal& signal, std::string& said) {
    for (;;) {
        co_await signal.wait();
        said += "!";
    }
}
TEST_F(VirtualCore, SignalRemembersOneNotice) {
    Signal signal;
    signal.notify();
    signal.notify();
    tasks.spawn(wait_for(signal, said));
    EXPECT_EQ(said, "!");
    signal.notify();
    EXPECT_EQ(said, "!") << "resumed from the loop, not from notify()";
    core.turn(0);
    EXPECT_EQ(said, "!!");
    tasks.cancel();
    signal.notify();   // nobody waits any more
    turns(2);
    EXPECT_EQ(said, "!!");
}

TEST_F(VirtualCore, LongTurnsAreCounted) {
    core.post([this] { clock.advance_ms(4); });
    core.turn(0);
    EXPECT_EQ(core.ticks.long_turns, 0u);
    core.post([this] { clock.advance_ms(9); });
    core.turn(0);
    EXPECT_EQ(core.ticks.long_turns, 1u);
    EXPECT_EQ(core.ticks.worst_ns, 9 * ns_per_ms);
    EXPECT_EQ(core.ticks.turns, 2u);
}

// --- race ---

struct Alive {
    int& n;
    explicit Alive(int& n) : n(n) { n++; }
    ~Alive() { n--; }
};
Task<int> answer_after(uint64_t ms, int& alive) {
    Alive here(alive);
    co_await sleep_ms(ms);
    co_return 42;
}
Task<int> throws_after(uint64_t ms) {
    co_await sleep_ms(ms);
    throw std::runtime_error("child");
}
Task<void> compete(uint64_t ms, Waiter*& slot, int& alive, std::string& said) {
    auto got = co_await race(answer_after(ms, alive), slot);
    said += got ? std::to_string(*got) : std::string("lost");
    said += alive ? " child left" : "";
}
Task<void> compete_void(uint64_t ms, Waiter*& slot, std::string& said) {
    bool finished = co_await race(say_after(ms, "child ", said), slot);
    said += finished ? "won" : "lost";
}

TEST_F(VirtualCore, RaceWonByTheChild) {
    Waiter* slot = nullptr;
    int alive = 0;
    tasks.spawn(compete(0, slot, alive, said));
    EXPECT_EQ(said, "42");
    tasks.spawn(compete(10, slot, alive, said));
    EXPECT_NE(slot, nullptr);
    run_ms(11);
    EXPECT_EQ(said, "4242");
    EXPECT_EQ(slot, nullptr) << "nobody waits in the slot after the race";
    tasks.spawn(compete_void(1, slot, said));
    run_ms(2);
    EXPECT_EQ(said, "4242child won");
}

TEST_F(VirtualCore, RaceWonByTheSlot) {
    Waiter* slot = nullptr;
    int alive = 0;
    tasks.spawn(compete(10, slot, alive, said));
    core.ready(*slot);
    EXPECT_EQ(slot, nullptr);
    core.turn(0);
    EXPECT_EQ(said, "lost");
    EXPECT_EQ(alive, 0);
    tasks.spawn(compete_void(10, slot, said));
    core.ready(*slot);
    run_ms(20);
    EXPECT_EQ(said, "lostlost");
}

TEST_F(VirtualCore, RaceWithBothInOneTurn) {
    int alive = 0;
    for (bool slot_first : {false, true}) {
        said.clear();
        Waiter* slot = nullptr;
        struct Hit : Timer { Waiter** slot; } hit;
        hit.slot = &slot;
        hit.fire = [](Timer& t) {
            if (auto& slot = *static_cast<Hit&>(t).slot) Core::here().ready(*slot);
        };
        if (slot_first) core.arm(hit, 10);
        tasks.spawn(compete(10, slot, alive, said));
        if (!slot_first) core.arm(hit, 10);
        run_ms(20);
        EXPECT_EQ(said, slot_first ? "lost" : "42");
        EXPECT_EQ(alive, 0);
        EXPECT_EQ(tasks.size(), 0u);
    }
}

TEST_F(VirtualCore, RaceDestroyedWhileItWaits) {
    Waiter* slot = nullptr;
    int alive = 0;
    tasks.spawn(compete(10, slot, alive, said));
    EXPECT_EQ(alive, 1);
    tasks.cancel();
    EXPECT_EQ(alive, 0);
    EXPECT_EQ(slot, nullptr);
    tasks.spawn(compete(10, slot, alive, said));
    core.ready(*slot);   // ready, and destroyed before its turn
    tasks.cancel();
    run_ms(20);
    EXPECT_EQ(said, "");
}

Task<void> compete_throw(Waiter*& slot, std::string& said) {
    try {
        auto got = co_await race(throws_after(1), slot);
        said += got ? "value" : "lost";
    } catch (const std::runtime_error& e) {
        said += e.what();
    }
}
TEST_F(VirtualCore, RaceHandsOnTheChildsException) {
    Waiter* slot = nullptr;
    tasks.spawn(compete_throw(slot, said));
    run_ms(2);
    EXPECT_EQ(said, "child");
    EXPECT_EQ(slot, nullptr);
}

// A waiter with `retry` that is not ready after all parks itself again and keeps its place.
struct Thrice : Waiter {
    Waiter*& where;
    int left = 3;
    explicit Thrice(Waiter*& where) : where(where) {
        retry = [](Waiter& w) {
            auto& t = static_cast<Thrice&>(w);
            if (--t.left == 0) return true;
            t.park(t.where);
            return false;
        };
    }
    bool await_ready() const { return false; }
    void await_suspend(std::coroutine_handle<> h) { frame = h; park(where); }
    void await_resume() {}
};
Task<void> third_time(Waiter*& where, std::string& said) {
    Thrice thrice(where);
    co_await thrice;
    said += "third";
}
TEST_F(VirtualCore, RetryDecidesBeforeTheFrameIsResumed) {
    Waiter* where = nullptr;
    tasks.spawn(third_time(where, said));
    for (int i = 0; i < 3; i++) {
        EXPECT_EQ(said, "");
        ASSERT_NE(where, nullptr);
        core.ready(*where);
        core.turn(0);
    }
    EXPECT_EQ(said, "third");
}

// --- real poller, real threads ---

TEST(Core, RunsUntilItIsToldToStop) {
    Core core(0, system_clock(), std::make_unique<EpollPoller>(), 1);
    std::atomic<int> ran{0};
    std::thread loop([&] { core.run(); });
    core.post([&] {
        EXPECT_EQ(&Core::here(), &core);
        ran++;
    });
    core.post([&] {
        ran++;
        core.stop();
    });
    loop.join();
    EXPECT_EQ(ran, 2);
    EXPECT_EQ(Core::maybe_here(), nullptr);
}

TEST(Core, TakesMessagesOfManyThreadsInTheOrderOfEach) {
    Core core(0, system_clock(), std::make_unique<EpollPoller>(), 1);
    constexpr int threads = 4, each = 5'000;
    std::map<int, int> last;
    int got = 0;
    std::thread loop([&] { core.run(); });
    std::vector<std::thread> senders;
    for (int t = 0; t < threads; t++)
        senders.emplace_back([&, t] {
            for (int i = 1; i <= each; i++) {
                auto message = [&, t, i] {
                    EXPECT_EQ(last[t] + 1, i);
                    last[t] = i;
                    if (++got == threads * each) core.stop();
                };
                while (!core.post(message)) std::this_thread::yield();
            }
        });
    for (auto& s : senders) s.join();
    loop.join();
    EXPECT_EQ(got, threads * each);
}

TEST(Core, CancelsWhatItOwnsInItsOwnName) {
    struct Asks {
        Core* expected;
        ~Asks() { EXPECT_EQ(&Core::here(), expected); }
    };
    struct Run {
        static Task<void> forever(Core* core) {
            Asks asks{core};
            co_await sleep_ms(1'000'000);
        }
    };
    auto core = std::make_unique<Core>(0, system_clock(), std::make_unique<EpollPoller>(), 1);
    {
        Core::Enter enter(*core);
        core->nursery().spawn(Run::forever(core.get()));
        core->do_afterwards(Run::forever(core.get()));
    }
    EXPECT_EQ(Core::maybe_here(), nullptr);
    core.reset();
}

TEST(EpollPoller, ForgottenOwnersGetNoEventOfTheWaitUnderWay) {
    struct Owner final : Watched {
        EpollPoller* poller;
        Owner* other = nullptr;
        int fd, events = 0, other_fd = -1;
        void on_events(uint32_t) override {
            events++;
            if (other) poller->forget(other_fd, *other);
        }
    };
    EpollPoller poller;
    Owner a, b;
    for (Owner* o : {&a, &b}) {
        o->poller = &poller;
        o->fd = eventfd(1, EFD_NONBLOCK);
        poller.watch(o->fd, *o);
    }
    a.other = &b, a.other_fd = b.fd;
    b.other = &a, b.other_fd = a.fd;
    poller.wait(0);
    EXPECT_EQ(a.events + b.events, 1);
    ::close(a.fd);
    ::close(b.fd);
}

}  // namespace
}  // namespace weir
