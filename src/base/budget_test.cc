#include "base/budget.h"

#include <gtest/gtest.h>

#include <thread>
#include <vector>

#include "base/clock.h"

namespace weir {
namespace {

TEST(Budget, TakesUpToItsLimitAndCountsRefusals) {
    Budget b("test", 100);
    EXPECT_STREQ(b.name(), "test");
    EXPECT_TRUE(b.take(60));
    EXPECT_TRUE(b.take(40));
    EXPECT_FALSE(b.take(1));
    EXPECT_EQ(b.used(), 100u);
    EXPECT_EQ(b.refused(), 1u);
    b.give(1);
    EXPECT_TRUE(b.take(1));
    b.set_limit(50);
    EXPECT_FALSE(b.take(0)) << "a budget beyond its limit takes nothing more";
    b.give(100);
    EXPECT_EQ(b.used(), 0u);
    EXPECT_FALSE(b.take(51));
    EXPECT_EQ(b.used(), 0u);
}

TEST(Budget, FailsTheNthTakeOnce) {
    Budget b("test", 100);
    b.fail_nth(3);
    EXPECT_TRUE(b.take(1));
    EXPECT_TRUE(b.take(1));
    EXPECT_FALSE(b.take(1));
    EXPECT_TRUE(b.take(1));
    EXPECT_EQ(b.used(), 3u);
}

TEST(Charge, GivesBackWhatItHolds) {
    Budget b("test", 100);
    {
        Charge c;
        EXPECT_TRUE(c.grow(b, 10));
        EXPECT_TRUE(c.grow(b, 20));
        EXPECT_FALSE(c.grow(b, 71));
        EXPECT_EQ(c.bytes(), 30u);
        Charge moved = std::move(c);
        EXPECT_EQ(c.bytes(), 0u);   // NOLINT: a moved-from charge holds nothing
        EXPECT_EQ(b.used(), 30u);
        Charge other;
        EXPECT_TRUE(other.grow(b, 5));
        moved = std::move(other);
        EXPECT_EQ(b.used(), 5u);
        Charge& same = moved;
        moved = std::move(same);
        EXPECT_EQ(b.used(), 5u);
        moved.drop();
        moved.drop();
        EXPECT_EQ(b.used(), 0u);
        EXPECT_TRUE(moved.grow(b, 100));
    }
    EXPECT_EQ(b.used(), 0u);
}

TEST(Budget, ManyThreadsNeverGoBeyondTheLimitTogether) {
    Budget b("test", 1'000);
    std::atomic<uint64_t> held{0}, most{0}, taken{0};
    std::vector<std::thread> threads;
    for (int t = 0; t < 4; t++)
        threads.emplace_back([&, t] {
            Random random(static_cast<uint64_t>(t) + 1);
            for (int i = 0; i < 20'000; i++) {
                uint64_t n = 1 + random.below(400);
                Charge c;
                if (!c.grow(b, n)) continue;
                taken++;
                uint64_t now = held.fetch_add(n) + n;
                for (uint64_t seen = most.load(); seen < now && !most.compare_exchange_weak(seen, now);) {}
                held.fetch_sub(n);
            }
        });
    for (auto& t : threads) t.join();
    EXPECT_LE(most.load(), 1'000u);
    EXPECT_EQ(b.used(), 0u);
    EXPECT_EQ(taken.load() + b.refused(), 80'000u);
}

}  // namespace
}  // namespace weir
