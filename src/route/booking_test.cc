#include "route/booking.h"

#include <gtest/gtest.h>

#include <thread>
#include <vector>

#include "base/clock.h"

namespace weir {
namespace {

RankRef rank_of(const WorkerView& worker, LoadCell& cell) { return {&worker, 0, &cell, 0}; }

TEST(Booking, CountsFromItsMakingToItsEnd) {
    WorkerView worker;
    LoadCell cell;
    {
        Booking empty;
        EXPECT_FALSE(static_cast<bool>(empty));
        Booking b(rank_of(worker, cell));
        EXPECT_TRUE(static_cast<bool>(b));
        EXPECT_EQ(cell.requests, 1u);
    }
    EXPECT_EQ(cell.requests, 0u);
}

TEST(Booking, IsReleasedOnceHoweverItMoves) {
    WorkerView worker;
    LoadCell a, b;
    Booking one(rank_of(worker, a)), two(rank_of(worker, b));
    Booking moved = std::move(one);
    EXPECT_EQ(a.requests, 1u);
    one.release();   // NOLINT: a moved-from booking holds nothing
    EXPECT_EQ(a.requests, 1u);
    moved = std::move(two);
    EXPECT_EQ(a.requests, 0u) << "another attempt: the first one's rank is free";
    EXPECT_EQ(b.requests, 1u);
    Booking& same = moved;
    moved = std::move(same);
    EXPECT_EQ(b.requests, 1u);
    moved.release();
    moved.release();
    EXPECT_EQ(b.requests, 0u);
}

TEST(Booking, IsExactOverManyThreads) {
    WorkerView worker;
    std::vector<LoadCell> cells(3);
    std::vector<std::thread> threads;
    for (uint64_t t = 0; t < 4; t++)
        threads.emplace_back([&, t] {
            Random random(t + 1);
            std::vector<Booking> mine(16);
            for (int i = 0; i < 20'000; i++) {
                Booking& slot = mine[random.below(mine.size())];
                switch (random.below(4)) {
                case 0: slot = Booking(rank_of(worker, cells[random.below(cells.size())])); break;
                case 1: slot.release(); break;
                case 2: slot = std::move(mine[random.below(mine.size())]); break;
                default: std::swap(slot, mine[random.below(mine.size())]); break;
                }
            }
        });
    for (auto& t : threads) t.join();
    for (auto& cell : cells) EXPECT_EQ(cell.requests, 0u);
}

}  // namespace
}  // namespace weir
