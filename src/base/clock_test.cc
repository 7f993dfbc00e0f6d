#include "base/clock.h"

#include <gtest/gtest.h>

#include <array>
#include <set>

namespace weir {
namespace {

TEST(SystemClock, DoesNotGoBack) {
    Clock& clock = system_clock();
    Instant last = clock.now();
    EXPECT_GT(last, 0u);
    for (int i = 0; i < 1'000; i++) {
        Instant now = clock.now();
        ASSERT_GE(now, last);
        last = now;
    }
    EXPECT_GT(clock.wall(), 1'700'000'000'000u);   // later than 2023
}

TEST(ManualClock, MovesOnlyWhenTold) {
    ManualClock clock;
    Instant before = clock.now();
    UnixMs wall = clock.wall();
    EXPECT_EQ(clock.now(), before);
    clock.advance_ms(1'500);
    EXPECT_EQ(clock.now() - before, 1'500 * ns_per_ms);
    EXPECT_EQ(clock.wall() - wall, 1'500u);
}

TEST(Random, IsASequenceOfItsSeed) {
    Random a(1), b(1), c(2);
    std::set<uint64_t> seen;
    for (int i = 0; i < 1'000; i++) {
        uint64_t n = a.next();
        EXPECT_EQ(n, b.next());
        EXPECT_NE(n, c.next());
        seen.insert(n);
    }
    EXPECT_EQ(seen.size(), 1'000u);
    b.reseed(1);
    EXPECT_EQ(Random(1).next(), b.next());
    Random left = a.split(1), right = a.split(2);
    EXPECT_NE(left.next(), right.next());
}

TEST(Random, BelowAndUnitStayInTheirRangesAndFillThem) {
    Random random(3);
    std::array<int, 10> hits{};
    for (int i = 0; i < 20'000; i++) {
        hits[random.below(hits.size())]++;
        double u = random.unit();
        ASSERT_GE(u, 0.0);
        ASSERT_LT(u, 1.0);
    }
    for (int h : hits) {   // 2,000 each; six standard deviations are 255
        EXPECT_GT(h, 1'745);
        EXPECT_LT(h, 2'255);
    }
    EXPECT_EQ(random.below(1), 0u);
}

TEST(Mix64, IsThePublishedFinaliser) {   // splitmix64 with seed 0 gives these first two values
    EXPECT_EQ(mix64(0), 0xe220a8397b1dcdafull);
    EXPECT_EQ(mix64(0x9e3779b97f4a7c15ull), 0x6e789e6aa1b965f4ull);
}

}  // namespace
}  // namespace weir
