#include "route/busy.h"

#include <gtest/gtest.h>

namespace weir::route {
namespace {

struct BusyTest : testing::Test {
    LoadCells cells;
    Registry registry{cells, nullptr, false, [](FleetViewRef) {}};
    BusyLimits limits;
    std::vector<uint64_t> eligible;
    void add(uint16_t ranks, uint32_t kv_blocks = 100, uint32_t batch_tokens = 1'000) {
        WorkerSpec spec;
        spec.url = "http://h" + std::to_string(registry.known()) + ":1";
        spec.ready = true, spec.ranks = ranks, spec.kv_blocks = kv_blocks, spec.batch_tokens = batch_tokens;
        ASSERT_TRUE(registry.add(std::move(spec)));
        all();
    }
    void all() {
        const size_t n = registry.view()->ranks().size();
        eligible.assign((n + 63) / 64, 0);
        for (size_t i = 0; i < n; ++i) eligible[i / 64] |= 1ull << i % 64;
    }
    uint32_t drop() { return drop_busy(*registry.view(), limits, eligible); }
    std::string left() const {
        std::string s;
        for (size_t i = 0; i < registry.view()->ranks().size(); ++i) s += eligible[i / 64] >> i % 64 & 1 ? '1' : '0';
        return s;
    }
};

TEST_F(BusyTest, UnsetIsOffAndZeroIsALimit) {
    add(1), add(1);
    cells.at(0).active_blocks = 1, cells.at(0).prefill_tokens = 1'000'000;
    EXPECT_EQ(drop(), 0u);
    limits.decode_blocks_share = 0;
    EXPECT_EQ(drop(), 1u);
    EXPECT_EQ(left(), "01");
    cells.at(1).out_blocks_q8 = 1;
    all();
    EXPECT_EQ(drop(), 2u);
    EXPECT_EQ(left(), "00");
}

TEST_F(BusyTest, DecodeGoesByOursAndByWhatIsReported) {
    add(1), add(1), add(1, 0);
    limits.decode_blocks_share = 0.5f;
    cells.at(0).active_blocks = 40, cells.at(0).out_blocks_q8 = 10 * 256 + 1;
    cells.at(1).rep_kv_used = 51;
    cells.at(2).active_blocks = 1'000'000;
    EXPECT_EQ(drop(), 2u);
    EXPECT_EQ(left(), "001") << "how many blocks the third has is not known";
    cells.at(2).rep_kv_total = 1'000;
    cells.at(0).out_blocks_q8 = 10 * 256, cells.at(1).rep_kv_used = 50;
    all();
    drop();
    EXPECT_EQ(left(), "110");
    cells.at(0).out_blocks_q8 = static_cast<uint32_t>(-30 * 256);
    cells.at(0).active_blocks = 60;
    all();
    drop();
    EXPECT_EQ(left(), "110") << "blocks that fade are signed";
}

TEST_F(BusyTest, PrefillGoesByTokensAndByAShareOfTheBatch) {
    add(1), add(1, 100, 0), add(1);
    cells.at(0).prefill_tokens = 334, cells.at(1).prefill_tokens = 5'000'000, cells.at(2).prefill_tokens = 333;
    limits.prefill_batch_share = 0.3339f;        // 333.9 of 1,000: cut to 333
    drop();
    EXPECT_EQ(left(), "001") << "10,000,000 is assumed of the second";
    limits.prefill_tokens = 332;
    all();
    EXPECT_EQ(drop(), 3u);
}

TEST_F(BusyTest, AWorkerIsBusyWithAllItsRanks) {
    for (int i = 0; i < 30; ++i) add(3);
    limits.prefill_tokens = 10;
    for (uint32_t r = 60; r < 66; ++r) cells.at(r).prefill_tokens = 11;
    EXPECT_EQ(drop(), 6u) << "over the end of a word";
    all();
    cells.at(61).prefill_tokens = 10;
    EXPECT_EQ(drop(), 3u);
    all();
    cells.at(61).prefill_tokens = 11, cells.at(0).prefill_tokens = 11;
    eligible[0] &= ~(1ull << 61);                // filtered for other reasons; it counts all the same
    EXPECT_EQ(drop(), 5u);
    EXPECT_EQ(left().substr(0, 3), "111");
}

TEST_F(BusyTest, OverloadedOnesAreLeftOutWhileOthersAreNot) {
    add(1), add(1), add(1);
    const FleetView& fleet = *registry.view();
    cells.at(0).rep_waiting = 9;
    EXPECT_EQ(drop_overloaded(fleet, {}, eligible).ranks, 0u) << "nothing was reported yet";
    for (uint32_t i = 0; i < 3; ++i) cells.at(i).rep_at_ms = 1;
    cells.at(1).rep_usage_q16 = 60'000;
    EXPECT_EQ(drop_overloaded(fleet, {}, eligible).ranks, 2u);
    EXPECT_EQ(left(), "001");
    cells.at(2).rep_waiting = 8;
    all();
    Dropped d = drop_overloaded(fleet, {}, eligible);
    EXPECT_TRUE(d.all);
    EXPECT_EQ(d.ranks, 0u);
    EXPECT_EQ(left(), "111");
    std::vector<uint64_t> nobody(1, 0);
    EXPECT_FALSE(drop_overloaded(fleet, {}, nobody).all);
}

TEST_F(BusyTest, RoomForTheQueue) {
    add(1), add(1);
    const FleetView& fleet = *registry.view();
    QueueThreshold t;
    cells.at(0).prefill_tokens = 2'001, cells.at(1).prefill_tokens = 2'001;
    EXPECT_TRUE(any_room(fleet, t, eligible));
    t.batch_share = 2.0;
    EXPECT_FALSE(any_room(fleet, t, eligible));
    cells.at(1).prefill_tokens = 2'000;
    EXPECT_TRUE(any_room(fleet, t, eligible));
    eligible[0] = 1;
    EXPECT_FALSE(any_room(fleet, t, eligible));
    t = {.tokens = 3'000};
    EXPECT_TRUE(any_room(fleet, t, eligible));
}

TEST_F(BusyTest, FullByWhatWaitsAtTheEngine) {
    add(1);
    const RankRef rank = registry.view()->ranks()[0];
    QueueThreshold cap;
    EXPECT_FALSE(cap.set());
    cap.waiting = 3;
    EXPECT_TRUE(cap.set());
    cells.at(0).since_requests = 3;
    EXPECT_FALSE(full(rank, cap)) << "nothing was reported";
    LoadReport report;
    report.waiting = 2;
    cells.report(0, report, ns_per_s);
    EXPECT_FALSE(full(rank, cap));
    EXPECT_TRUE(any_room(*registry.view(), cap, eligible));
    cells.at(0).since_requests = 1;
    EXPECT_TRUE(full(rank, cap));
    EXPECT_FALSE(any_room(*registry.view(), cap, eligible));
    cells.forget(0);
    EXPECT_FALSE(full(rank, cap));
}

}  // namespace
}  // namespace weir::route
