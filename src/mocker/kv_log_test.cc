#include "mocker/kv_log.h"

#include <gtest/gtest.h>

#include "wire/msgpack.h"

namespace weir::mocker {
namespace {

using engine::KvEvent;

struct Said final : engine::KvEventSink {
    std::string text;
    void event(const KvEvent& e) override {
        text += "#" + std::to_string(e.event_id) + (e.kind == KvEvent::stored ? " +" : e.kind == KvEvent::removed ? " -" : " cleared");
        if (e.has_parent) text += " after " + std::to_string(e.parent);
        for (auto& b : e.blocks) text += " " + std::to_string(b.name) + "=" + std::to_string(b.local);
        for (uint64_t n : e.names) text += " " + std::to_string(n);
        text += "\n";
        worker = e.worker_id, rank = e.dp_rank;
    }
    uint64_t worker = 0;
    uint32_t rank = 0;
};

struct Log {
    KvLog log{18446385850734466672u, 3};
    void store(uint64_t parent, std::vector<uint64_t> names) {
        std::vector<uint64_t> local;
        for (uint64_t n : names) local.push_back(n + 100);
        log.add({sim::KvEvent::stored, parent, names, local, {}, 1});
    }
    void remove(uint64_t name) { log.add({sim::KvEvent::removed, 0, {&name, 1}, {}, {}, 0}); }
    std::string take() {
        std::string payload;
        Said said;
        if (!log.take(payload)) return "none";
        auto n = engine::read_kv_events(payload, said);
        EXPECT_TRUE(n);
        EXPECT_EQ(said.worker, 18446385850734466672u);
        EXPECT_EQ(said.rank, 3u);
        return said.text;
    }
    std::string ask(std::optional<uint64_t> first, std::optional<uint64_t> last = {}, uint32_t rank = 3) {
        std::string question, answer;
        engine::append_recovery_question(question, {18446385850734466672u, rank, first, last});
        auto q = read_recovery_question(question);
        EXPECT_TRUE(q);
        log.answer(*q, answer);
        Said said;
        auto a = engine::read_recovery_answer(answer, said);
        if (!a) return "malformed";
        static const char* kinds[] = {"dump", "events", "too new", "refused", "end"};
        return std::string(kinds[a->kind]) + " to " + std::to_string(a->last_event_id) + (a->why.empty() ? "" : ": " + a->why) + "\n" + said.text;
    }
};

TEST(KvLog, EventsAreNumberedAndGivenOutOnce) {
    Log l;
    EXPECT_EQ(l.take(), "none");
    l.store(0, {1, 2});
    l.store(2, {3});
    EXPECT_EQ(l.take(), "#1 + 1=101 2=102\n#2 + after 2 3=103\n");
    EXPECT_EQ(l.take(), "none");
    l.remove(3);
    l.log.add({sim::KvEvent::cleared, 0, {}, {}, {}, 0});
    EXPECT_EQ(l.take(), "#3 - 3\n#4 cleared\n");
    EXPECT_EQ(l.log.blocks(), 0u);
}

TEST(KvLog, MessagesAreBounded) {
    Log l;
    for (uint64_t i = 1; i <= 300; i++) l.store(0, {i});
    std::string payload;
    std::vector<size_t> sizes;
    for (Said said; l.log.take(payload); payload.clear()) sizes.push_back(*engine::read_kv_events(payload, said));
    EXPECT_EQ(sizes, (std::vector<size_t>{128, 128, 44}));
    std::vector<uint64_t> many(20'000);
    for (size_t i = 0; i < many.size(); i++) many[i] = 1'000 + i;
    l.store(5, many);
    sizes.clear();
    Said said;
    for (payload.clear(); l.log.take(payload); payload.clear()) sizes.push_back(*engine::read_kv_events(payload, said));
    EXPECT_EQ(sizes, (std::vector<size_t>{1, 1, 1}));   // 8192 blocks at most, each piece behind the last block of the one before
    EXPECT_NE(said.text.find("after 9191 "), std::string::npos);
}

TEST(KvLog, WhatIsHeldIsToldParentsFirst) {
    Log l;
    l.store(0, {1, 2, 3});
    l.store(2, {4});
    l.store(0, {9});
    l.remove(3);
    const std::string dump = l.ask({});
    EXPECT_TRUE(dump.starts_with("dump to 4\n#0 +")) << dump;
    for (const char* block : {" 1=101", " 2=102", " 4=104", " 9=109"}) EXPECT_NE(dump.find(block), std::string::npos) << dump;
    EXPECT_EQ(dump.find("3=103"), std::string::npos);
    EXPECT_LT(dump.find(" 1=101"), dump.find(" 2=102"));
    EXPECT_LT(dump.find(" 2=102"), dump.find(" 4=104"));
}

TEST(KvLog, AnOrphanIsNotTold) {
    Log l;
    l.store(0, {1, 2, 3});
    l.remove(2);
    EXPECT_EQ(l.ask({}), "dump to 2\n#0 + 1=101\n");
}

TEST(KvLog, EventsAgainWhileTheyAreKept) {
    Log l;
    for (uint64_t i = 1; i <= 5; i++) l.store(0, {i});
    EXPECT_EQ(l.ask(4), "events to 5\n#4 + 4=104\n#5 + 5=105\n");
    EXPECT_EQ(l.ask(2, 3), "events to 3\n#2 + 2=102\n#3 + 3=103\n");
    EXPECT_EQ(l.ask(6), "too new to 5\n");
    EXPECT_EQ(l.ask(5, 4), "refused to 0: InvalidRange\n");
    EXPECT_EQ(l.ask(1, {}, 2), "refused to 0: Error: no such worker and rank here\n");
    for (uint64_t i = 6; i <= KvLog::kept_max + 10; i++) {
        l.store(0, {i});
        l.take();
    }
    EXPECT_EQ(l.log.kept(), KvLog::kept_max);
    EXPECT_TRUE(l.ask(10).starts_with("dump to 4106\n"));
    EXPECT_TRUE(l.ask(11).starts_with("events to 4106\n#11 + 11=111\n"));
}

TEST(KvLog, WhatNobodyTookIsNotForgotten) {
    Log l;
    for (uint64_t i = 1; i <= KvLog::kept_max + 100; i++) l.store(0, {i});
    EXPECT_EQ(l.log.kept(), KvLog::kept_max + 100);
    EXPECT_TRUE(l.take().starts_with("#1 + 1=101\n"));
}

TEST(RecoveryQuestions, Malformed) {
    std::string good;
    engine::append_recovery_question(good, {1, 0, 5, {}});
    EXPECT_TRUE(read_recovery_question(good));
    for (size_t n = 0; n < good.size(); n++) EXPECT_FALSE(read_recovery_question(Str(good).substr(0, n))) << n;
    EXPECT_FALSE(read_recovery_question("\x80"));
}

}  // namespace
}  // namespace weir::mocker
