#include "route/queue_gate.h"

#include <gtest/gtest.h>

#include <deque>
#include <thread>

namespace weir::route {
namespace {

struct FakePoller final : Poller {
    explicit FakePoller(ManualClock& c) : clock(c) {}
    void wait(int timeout_ms) override { if (timeout_ms > 0) clock.advance_ms(static_cast<uint64_t>(timeout_ms)); }
    void wake() override {}
    ManualClock& clock;
};

struct Slots final : QueueHome {                 // room for as many as are free
    std::atomic<int> free{0};
    bool room(const Waiting&) override { return free > 0; }
    uint32_t workers() override { return 1; }
    uint32_t open() override { return static_cast<uint32_t>(std::max(0, free.load())); }
};

struct Asked { int tries = 0; bool served = false; Code code = Code::ok; };

// As the flow does: a turn is used only if there is room still; else back into the queue.
Task<void> ask(QueueGate& gate, Slots& slots, QueueGate::Ask how, Asked& out) {
    while (true) {
        Result<QueueGate::Turn> turn = co_await gate.wait(how);
        ++out.tries;
        if (!turn) {
            out.code = turn.error()->code;
            co_return;
        }
        if (slots.free.fetch_sub(1) > 0) break;
        slots.free.fetch_add(1);
    }
    out.served = true;
}

struct QueueGateTest : testing::Test {
    ManualClock clock;
    Core home{0, clock, std::make_unique<FakePoller>(clock), 1}, a{1, clock, std::make_unique<FakePoller>(clock), 2},
        b{2, clock, std::make_unique<FakePoller>(clock), 3};
    Slots slots;
    std::unique_ptr<QueueGate> gate;
    QueueSettings settings;
    std::deque<Asked> asked;
    std::deque<Nursery> tasks;
    void start(Core& core, uint64_t arrived_s) {
        if (!gate) gate = std::make_unique<QueueGate>(home, settings, slots);
        Core::Enter enter(core);
        tasks.emplace_back().spawn(ask(*gate, slots, {.prompt_tokens = 10, .arrived = arrived_s * ns_per_s}, asked.emplace_back()));
    }
    void leave(size_t i, Core& core) {
        Core::Enter enter(core);
        tasks[i].cancel();
    }
    void turns() {
        for (int i = 0; i < 6; ++i) home.turn(0), a.turn(0), b.turn(0);
    }
    void free(int n) {
        slots.free += n;
        gate->freed();
        turns();
    }
};

TEST_F(QueueGateTest, CoresAreServedInOneOrder) {
    start(a, 3), start(b, 2), start(a, 1);
    turns();
    EXPECT_EQ(gate->waiting(), 3u);
    free(1);
    EXPECT_TRUE(asked[2].served);
    EXPECT_FALSE(asked[0].served || asked[1].served);
    free(1);
    EXPECT_TRUE(asked[1].served);
    free(5);
    EXPECT_TRUE(asked[0].served);
    EXPECT_EQ(gate->waiting(), 0u);
}

TEST_F(QueueGateTest, WhoLeavesIsForgottenAtEveryPoint) {
    start(a, 1), start(b, 2), start(a, 3);
    leave(0, a);                                 // its message has not been read yet
    turns();
    leave(1, b);                                 // it waits
    turns();
    EXPECT_EQ(gate->waiting(), 1u);
    slots.free = 1;
    gate->freed();
    home.turn(0);                                // the turn is under way
    leave(2, a);
    turns();
    EXPECT_EQ(gate->waiting(), 0u);
    start(b, 4);
    turns();
    EXPECT_TRUE(asked[3].served) << "the turn came back";
    for (auto& x : {asked[0], asked[1], asked[2]}) EXPECT_FALSE(x.served);
}

TEST_F(QueueGateTest, WaitingHasAnEnd) {
    settings.wait_max_ms = 1'000;
    settings.classes[0].requests_per_worker = 2;
    start(a, 1), start(b, 2);
    turns();
    start(a, 3);
    turns();
    EXPECT_EQ(asked[2].code, Code::queue_full);
    for (int i = 0; i < 9; ++i) clock.advance_ms(100), turns();
    EXPECT_EQ(asked[0].code, Code::ok);
    for (int i = 0; i < 3; ++i) clock.advance_ms(100), turns();
    EXPECT_EQ(asked[0].code, Code::queue_timeout);
    EXPECT_EQ(asked[1].code, Code::queue_timeout);
    EXPECT_EQ(gate->waiting(), 0u);
}

TEST_F(QueueGateTest, RoomNobodyToldOfIsFoundByTheTick) {
    start(a, 1);
    turns();
    slots.free = 1;
    turns();
    EXPECT_FALSE(asked[0].served);
    clock.advance_ms(200);
    turns();
    EXPECT_TRUE(asked[0].served);
}

// Threads: as many come as there is room in the end, each is served once, whoever leaves in between.
Task<void> live(QueueGate& gate, Slots& slots, uint64_t seed, int requests, std::atomic<int>& served, int& running, Core& core) {
    Random random(seed);
    for (int i = 0; i < requests; ++i) {
        Asked out;
        QueueGate::Ask how{.prompt_tokens = static_cast<uint32_t>(random.below(100)), .arrived = core.now()};
        if (random.below(4)) {
            co_await ask(gate, slots, how, out);
        } else {                                 // leaves after a while
            Nursery nursery;
            nursery.spawn(ask(gate, slots, how, out));
            for (uint64_t n = random.below(20); nursery.size() && n; --n) co_await yield();
        }
        if (!out.served) continue;
        ++served;
        for (uint64_t n = random.below(5); n; --n) co_await yield();
        slots.free.fetch_add(1);
        gate.freed();
    }
    if (--running == 0) core.stop();
}

TEST(QueueGateThreads, EverybodyIsServedOrGone) {
    Slots slots;
    slots.free = 2;
    Core home{0, system_clock(), std::make_unique<EpollPoller>(), 1};
    QueueGate gate(home, {}, slots);
    std::thread home_thread([&] { home.run(); });
    std::vector<std::unique_ptr<Core>> cores;
    std::vector<std::thread> threads;
    std::atomic<int> served{0};
    for (unsigned t = 0; t < 3; ++t) {
        cores.push_back(std::make_unique<Core>(t + 1, system_clock(), std::make_unique<EpollPoller>(), t + 2));
        threads.emplace_back([&, t, core = cores.back().get()] {
            Core::Enter enter(*core);
            int running = 5;
            for (int i = 0; i < 5; ++i) core->nursery().spawn(live(gate, slots, t * 10 + static_cast<unsigned>(i), 60, served, running, *core));
            core->run();
            core->nursery().cancel();
        });
    }
    for (auto& t : threads) t.join();
    home.stop();
    home_thread.join();
    EXPECT_EQ(gate.waiting(), 0u);
    EXPECT_EQ(slots.free, 2);
    EXPECT_GE(served, 3 * 5 * 60 / 2);
}

}  // namespace
}  // namespace weir::route
