#include "route/queue.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <deque>
#include <memory>

namespace weir::route {
namespace {

struct Ranks final : QueueRoom {                 // numbers that are full; `all`: nobody has room
    std::set<uint32_t> full;
    bool all = false;
    int asked = 0;
    bool room(const Waiting& w) override {
        ++asked;
        return !all && !(w.pinned != Waiting::anywhere && full.contains(w.pinned));
    }
};

struct RouterQueueTest : testing::Test {
    QueueSettings settings;
    Ranks ranks;
    std::unique_ptr<RouterQueue> queue;
    std::deque<Waiting> all;
    RouterQueue& q() {
        if (!queue) queue = std::make_unique<RouterQueue>(settings);
        return *queue;
    }
    Waiting& make(uint64_t arrived_s, uint32_t tokens = 100, uint32_t cls = 0) {
        Waiting& w = all.emplace_back();
        w.arrived = arrived_s * ns_per_s, w.prompt_tokens = tokens, w.cls = cls;
        return w;
    }
    Waiting& join(Waiting& w) {
        EXPECT_FALSE(q().join(w, 4, w.arrived));
        return w;
    }
    std::vector<size_t> order() {                // all that come out, as places in `all`
        std::vector<size_t> out;
        while (Waiting* w = q().next(ranks)) out.push_back(static_cast<size_t>(std::ranges::find_if(all, [&](Waiting& x) { return &x == w; }) - all.begin()));
        return out;
    }
};
using Order = std::vector<size_t>;

TEST_F(RouterQueueTest, FirstComeFirstServedWithJumpsAndPriorities) {
    for (uint64_t t : {10, 11, 12, 13, 14}) make(t);
    all[3].jump_s = 2.5;                         // as if at 10.5
    all[4].strict_priority = 1;
    for (auto& w : all) join(w);
    EXPECT_EQ(q().waiting(), 5u);
    EXPECT_EQ(order(), (Order{4, 0, 3, 1, 2}));
    EXPECT_EQ(q().waiting(), 0u);
}

TEST_F(RouterQueueTest, LastComeFirstServed) {
    settings.classes[0].order = QueueOrder::lcfs;
    for (uint64_t t : {10, 11, 12}) join(make(t));
    EXPECT_EQ(order(), (Order{2, 1, 0}));
}

TEST_F(RouterQueueTest, ShortestFirstByWhatIsNotCached) {
    settings.classes[0].order = QueueOrder::wspt;
    for (uint32_t tokens : {1'000, 100, 5'000, 800}) make(1, tokens);
    all[2].cached_tokens = 4'950;                // 50 to compute
    all[3].jump_s = 9;                           // ten times as light: 80
    for (auto& w : all) join(w);
    EXPECT_EQ(order(), (Order{2, 3, 1, 0}));
}

TEST_F(RouterQueueTest, DueOnesGoFirstWithinAPriority) {
    for (uint64_t t : {1, 2, 3, 4}) make(t);
    all[2].due = 100 * ns_per_s, all[3].due = 90 * ns_per_s, all[1].strict_priority = 1;
    for (auto& w : all) join(w);
    EXPECT_EQ(order(), (Order{1, 3, 2, 0}));
}

TEST_F(RouterQueueTest, TheHeadWaitsForRoomAndPinnedOnesWaitApart) {
    for (uint64_t t : {1, 2, 3, 4}) make(t);
    all[0].pinned = 7, all[2].pinned = 8, all[3].pinned = 7;
    for (auto& w : all) join(w);
    ranks.full = {7};
    EXPECT_EQ(order(), (Order{1, 2}));
    ranks.full.clear();
    ranks.asked = 0;
    EXPECT_EQ(order(), Order{}) << "nobody said that 7 has room again";
    EXPECT_EQ(ranks.asked, 0);
    q().freed(9);
    EXPECT_EQ(order(), Order{});
    q().freed(7);
    EXPECT_EQ(order(), (Order{0, 3}));
    join(all[0]), join(all[1]);
    ranks.all = true;
    EXPECT_EQ(order(), Order{});
    ranks.all = false;
    q().freed();
    EXPECT_EQ(order(), (Order{0, 1}));
}

TEST_F(RouterQueueTest, ClassesShareByTheirQuanta) {
    settings.classes = {{.name = "a", .quantum = 300}, {.name = "b", .quantum = 100}};
    for (int i = 0; i < 400; ++i) join(make(1, 50, 0)), join(make(1, 50, 1));
    size_t a = 0;
    for (int i = 0; i < 400; ++i) a += q().next(ranks)->cls == 0;
    EXPECT_NEAR(static_cast<double>(a), 300, 6);
    EXPECT_EQ(q().stats(0).requests, 400 - a);
    EXPECT_EQ(q().stats(0).raw_tokens, 50 * (400 - a));
}

TEST_F(RouterQueueTest, ALargeRequestOfASmallQuantumGetsItsTurn) {
    settings.classes = {{.name = "a"}, {.name = "b"}};   // one token a round
    join(make(1, 1'000'000, 0));
    join(make(1, 999'999, 1));
    EXPECT_EQ(order(), (Order{1, 0}));
}

TEST_F(RouterQueueTest, LimitsPerWorkerRejectWithDetails) {
    settings.classes[0].requests_per_worker = 2;
    settings.classes.push_back({.name = "tokens", .tokens_per_worker = 100});
    settings.classes.push_back({.name = "none", .cached_per_worker = 0});
    for (int i = 0; i < 8; ++i) join(make(1));
    auto r = q().join(make(1), 4, 1);
    ASSERT_TRUE(r);
    EXPECT_EQ((*r->failure()).detail, R"({"policy_class":"default","limit_kind":"requests","current":8,"limit":8})");
    EXPECT_EQ((*r->failure()).code, Code::queue_full);
    EXPECT_FALSE(q().join(make(1), 5, 1)) << "a worker more";
    EXPECT_FALSE(q().join(make(1, 1'000, 1), 4, 1)) << "who crosses the limit is still taken";
    EXPECT_EQ(q().join(make(1, 1, 1), 4, 1)->kind, QueueRejection::raw_isl_tokens);
    EXPECT_EQ(q().join(make(1, 1, 2), 4, 1)->kind, QueueRejection::cached_tokens);
    all[0].~Waiting();
    new (&all[0]) Waiting;
    EXPECT_EQ(q().stats(0).requests, 8u);
    all[1].~Waiting();
    new (&all[1]) Waiting;
    EXPECT_FALSE(q().join(all[1], 4, 1));
}

TEST_F(RouterQueueTest, HasABoundInLengthAndTime) {
    settings.waiting_max = 3;
    settings.wait_max_ms = 5'000;
    for (uint64_t t : {1, 2, 3}) make(t);
    all[2].due = 4 * ns_per_s;
    for (auto& w : all) join(w);
    EXPECT_EQ(q().join(make(4), 4, 1)->kind, QueueRejection::waiting);
    EXPECT_EQ(q().next_expiry(), 4 * ns_per_s);
    EXPECT_EQ(q().expire(4 * ns_per_s - 1).who, nullptr);
    auto due = q().expire(4 * ns_per_s);
    EXPECT_EQ(due.who, &all[2]);
    EXPECT_TRUE(due.due);
    EXPECT_EQ(q().expire(6 * ns_per_s).who, &all[0]);
    EXPECT_FALSE(q().expire(7 * ns_per_s).due);
    EXPECT_EQ(q().waiting(), 0u);
    EXPECT_EQ(q().next_expiry(), 0u);
}

TEST_F(RouterQueueTest, ClassesByNameFamilyAndWhatIsToCompute) {
    settings.classes = {{.name = "small"}, {.name = "large"}, {.name = "batch-small"}, {.name = "batch-large"}, {.name = "vip", .by_name = true}};
    settings.uncached_from = {0, 1'000};
    settings.families = {{"chat", {0, 1}}, {"batch", {2, 3}}};
    EXPECT_EQ(settings.class_of("", 999), 0u);
    EXPECT_EQ(settings.class_of("", 1'000), 1u);
    EXPECT_EQ(settings.class_of("batch", 10), 2u);
    EXPECT_EQ(settings.class_of("batch", 5'000), 3u);
    EXPECT_EQ(settings.class_of("vip", 5'000), 4u);
    EXPECT_EQ(settings.class_of("whoever", 5'000), 1u);
    EXPECT_EQ(settings.class_of("small", 5'000), 1u) << "a family's class cannot be asked for";
}

// Against a plain list: whoever comes out is the first of those that may, whoever is destroyed never comes out.
TEST_F(RouterQueueTest, AgreesWithAList) {
    Random random(5);
    std::vector<std::unique_ptr<Waiting>> live;
    settings.waiting_max = 40;
    uint64_t out = 0;
    for (uint64_t step = 0; step < 20'000; ++step) {
        const size_t i = live.empty() ? 0 : random.below(live.size());
        switch (random.below(4)) {
        case 0: case 1: {
            auto w = std::make_unique<Waiting>();
            w->arrived = step * ns_per_ms, w->jump_s = static_cast<double>(random.below(3)), w->strict_priority = static_cast<uint32_t>(random.below(2));
            if (random.below(3) == 0) w->pinned = static_cast<uint32_t>(random.below(5));
            const bool taken = !q().join(*w, 1, w->arrived);
            ASSERT_EQ(taken, live.size() < 40);
            if (taken) live.push_back(std::move(w));
            break;
        }
        case 2:
            if (!live.empty()) live.erase(live.begin() + static_cast<long>(i));
            break;
        default: {
            ranks.full.clear();
            for (uint32_t r = 0; r < 5; ++r)
                if (random.below(2)) ranks.full.insert(r);
            ranks.all = random.below(4) == 0;
            q().freed();
            const auto key = [](const Waiting& w) {
                return std::make_tuple(-int64_t{w.strict_priority}, static_cast<double>(w.arrived) / ns_per_s - w.jump_s, w.arrived);
            };
            Waiting* first = nullptr;
            for (auto& w : live)
                if (ranks.room(*w) && (!first || key(*w) < key(*first))) first = w.get();
            Waiting* got = q().next(ranks);
            ASSERT_EQ(got, first) << "step " << step;
            if (got) ++out, std::erase_if(live, [&](auto& w) { return w.get() == got; });
        }
        }
        ASSERT_EQ(q().waiting(), live.size());
    }
    EXPECT_GT(out, 1'000u);
}

}  // namespace
}  // namespace weir::route
