#include "engine/kv_feed.h"

#include <gtest/gtest.h>

namespace weir::engine {
namespace {

struct Feed : testing::Test, KvEventSink {
    std::string said;
    void event(const KvEvent& e) override {
        said += e.event_id == 0 ? "reset " : std::to_string(e.event_id) + (e.kind == KvEvent::stored ? "(" + std::to_string(e.blocks[0].name) + ") " : " ");
    }
    static KvEvent numbered(uint64_t id) {
        static KvBlock block;
        KvEvent e;
        e.worker_id = 7, e.event_id = id;
        block = {id * 10, 1};
        e.blocks = std::span(&block, 1);
        return e;
    }
    static void live(KvFeed& feed, std::initializer_list<uint64_t> ids) {
        for (uint64_t id : ids) feed.live(numbered(id));
    }
};

TEST_F(Feed, InOrderGoesOnOldOnesDoNot) {
    KvFeed feed(*this, true);
    live(feed, {1, 2, 2, 1, 3});
    EXPECT_EQ(said, "1(10) 2(20) 3(30) ");
    EXPECT_FALSE(feed.asking());
    EXPECT_EQ(feed.counts.stale, 2u);
}

TEST_F(Feed, WhoJoinsLateAsksForEverything) {
    KvFeed feed(*this, true);
    live(feed, {7, 8});
    EXPECT_EQ(said, "");
    EXPECT_TRUE(feed.asking());
    EXPECT_FALSE(feed.ask_from());
    feed.answered_dump(7);
    EXPECT_EQ(said, "8(80) ");
    EXPECT_FALSE(feed.asking());
    EXPECT_EQ(feed.counts.gaps, 0u);
}

TEST_F(Feed, EverythingMayBeAskedForFirst) {
    KvFeed feed(*this, true);
    feed.ask_all();
    EXPECT_TRUE(feed.asking());
    EXPECT_FALSE(feed.ask_from());
    live(feed, {1, 2, 3});
    EXPECT_EQ(said, "");
    feed.answered_dump(2);
    EXPECT_EQ(said, "3(30) ");
}

TEST_F(Feed, AGapIsAskedAboutWhileTheRestWaits) {
    KvFeed feed(*this, true);
    live(feed, {1, 2, 5, 6});
    EXPECT_EQ(said, "1(10) 2(20) ");
    EXPECT_EQ(feed.ask_from(), std::optional<uint64_t>(3));
    feed.answered_event(numbered(2));
    feed.answered_event(numbered(3));
    feed.answered_event(numbered(4));
    live(feed, {7});
    feed.answered();
    EXPECT_EQ(said, "1(10) 2(20) 3(30) 4(40) 5(50) 6(60) 7(70) ");
    EXPECT_FALSE(feed.asking());
    EXPECT_EQ(feed.counts.gaps, 1u);
}

TEST_F(Feed, ASecondGapIsAskedAboutToo) {
    KvFeed feed(*this, true);
    live(feed, {1, 3, 6});
    feed.answered_event(numbered(2));
    feed.answered();
    EXPECT_EQ(said, "1(10) 2(20) 3(30) ");
    EXPECT_TRUE(feed.asking());
    EXPECT_EQ(feed.ask_from(), std::optional<uint64_t>(4));
    feed.answered_dump(5);
    EXPECT_EQ(said, "1(10) 2(20) 3(30) 6(60) ");
}

TEST_F(Feed, WithoutAnybodyToAskTheRankBeginsAnew) {
    KvFeed feed(*this, false);
    live(feed, {4, 5, 9, 10});
    EXPECT_EQ(said, "4(40) 5(50) reset 9(90) 10(100) ");
    EXPECT_FALSE(feed.asking());
    EXPECT_EQ(feed.counts.resets, 1u);
}

TEST_F(Feed, AFailedQuestionBeginsAnewWithWhatWaited) {
    KvFeed feed(*this, true);
    live(feed, {1, 5, 6});
    feed.failed();
    EXPECT_EQ(said, "1(10) reset 5(50) 6(60) ");
    live(feed, {7});
    EXPECT_EQ(said, "1(10) reset 5(50) 6(60) 7(70) ");
}

TEST_F(Feed, WhatWaitsIsBounded) {
    KvFeed feed(*this, true);
    live(feed, {1});
    for (uint64_t id = 3; id < 3 + kv_held_max + 2; id++) live(feed, {id});
    EXPECT_EQ(feed.counts.dropped, 2u);
    EXPECT_FALSE(feed.ask_from()) << "only a dump helps now";
    said.clear();
    feed.answered_dump(1'000);
    EXPECT_EQ(feed.last(), 3 + kv_held_max + 1);
    EXPECT_TRUE(said.starts_with("1001(10010) 1002("));
}

}  // namespace
}  // namespace weir::engine
