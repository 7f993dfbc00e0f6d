#include "dispatch/relay.h"

#include <gtest/gtest.h>

#include <deque>

namespace weir::dispatch {
namespace {

struct NoPoller final : Poller {
    void wait(int) override {}
    void wake() override {}
};

// A worker's answer as the test hands it out.
struct FakeUpstream final : Upstream {
    std::deque<Piece> pieces;
    Code broken = Code::ok;
    bool chunked = false, framed = false, open_chunk = false, late = false;
    int holds = 0;
    uint64_t deadline_ms = 0;
    Waiter* reader = nullptr;
    bool send(const UpstreamRequest&) override { return true; }
    bool bytes_accepted() const override { return true; }
    Task<Result<void>> read_head(ResponseHead&) override { co_return Nothing{}; }
    Poll poll(Piece& out) override {
        if (!pieces.empty()) {
            out = pieces.front();
            pieces.pop_front();
            return Poll::got;
        }
        if (broken != Code::ok) return Poll::failed;
        if (std::exchange(late, false)) {
            missed = true;
            return Poll::failed;
        }
        return Poll::pending;
    }
    void hold() override { holds++; }
    Failure failure() override { return Failure(std::exchange(missed, false) ? Code::deadline : broken, "broken"); }
    Waiter*& reader_slot() override { return reader; }
    bool set_framed(bool on) override { return framed = on && chunked; }
    bool between_chunks() const override { return !open_chunk; }
    void deadline_in(uint64_t ms) override { deadline_ms = ms; }
    bool missed = false;
};

struct FakeClient final : HttpExchange {
    std::string got;
    Reply reply;
    std::string lines;
    bool framed_ok = true, is_blocked = false, is_gone = false, block_after_write = false, aborted = false;
    int writes = 0;
    Waiter *writer = nullptr, *hangup = nullptr;
    bool hold() override { return true; }
    Task<Result<void>> read_body(size_t) override { co_return Nothing{}; }
    void drop_body() override {}
    bool begin(const Reply& r, std::span<const iovec> first, bool end) override {
        begun_ = true;
        reply = r;
        lines = r.lines;
        return write(first, end);
    }
    bool write(std::span<const iovec> payload, bool end) override {
        if (is_gone) return false;
        writes++;
        for (auto& p : payload) got.append(static_cast<char*>(p.iov_base), p.iov_len);
        ended_ = end;
        is_blocked = is_blocked || block_after_write;
        return true;
    }
    bool takes_framed() const override { return framed_ok; }
    void abort() override { aborted = true; }
    bool blocked() const override { return is_blocked; }
    bool gone() const override { return is_gone; }
    Waiter*& writer_slot() override { return writer; }
    Waiter*& hangup_slot() override { return hangup; }
    void unblock() {
        is_blocked = block_after_write = false;
        if (writer) Core::here().ready(*writer);
    }
};

struct Passed final : Observer {
    std::string all;
    void passed(std::string_view bytes, Instant) override { all += bytes; }
};

Task<void> relay(Relay& r, HttpExchange& client, Upstream& up, const RelayRules& rules, Instant deadline, Observer& seen, std::string& end) {
    auto done = co_await run(r, client, up, rules, deadline, seen);
    end = done ? "ok" : name(done.error()->code);
}

struct RelayTest : testing::Test {
    ManualClock clock;
    Core core{0, clock, std::make_unique<NoPoller>(), 1};
    Core::Enter enter{core};
    FakeUpstream up;
    FakeClient client;
    Passed seen;
    Relay r;
    RelayRules rules{1'000, 0};
    std::string end;
    Header type{"content-type", "text/event-stream; charset=utf-8"};
    ResponseHead head;
    Nursery tasks;

    RelayTest() {
        head.status = 200;
        head.body = BodyKind::chunked;
        head.headers = {&type, 1};
        up.chunked = true;
    }
    void start(Instant deadline = 0) {
        EXPECT_TRUE(begin(r, client, up, head, "x: y\r\n", false, seen));
        tasks.spawn(relay(r, client, up, rules, deadline, seen, end));
    }
    void more(std::string_view bytes, bool last = false, bool open_chunk = false) {
        up.pieces.push_back({bytes, last});
        up.open_chunk = open_chunk;
        wake();
    }
    void wake() {
        if (up.reader) core.ready(*up.reader);
        core.turn(0);
    }
    void deadline_passes() {   // of the upstream, as the relay asked for it
        ASSERT_GT(up.deadline_ms, 0u);
        clock.advance_ms(up.deadline_ms);
        up.late = true;
        core.turn(0);
        wake();
    }
};

TEST_F(RelayTest, PassesPiecesThroughAndEnds) {
    client.framed_ok = false;
    up.pieces.push_back({"data: 1\n\n", false});
    start();
    EXPECT_EQ(client.reply.status, 200);
    EXPECT_EQ(client.lines, "x: y\r\n");
    EXPECT_EQ(client.reply.length, -1);
    EXPECT_FALSE(client.reply.framed);
    EXPECT_EQ(client.got, "data: 1\n\n") << "what is here goes out with the head";
    EXPECT_EQ(client.writes, 1);
    more("data: 2\n\n");
    EXPECT_EQ(client.got, "data: 1\n\ndata: 2\n\n");
    EXPECT_EQ(end, "");
    more("data: [DONE]\n\n", true);
    EXPECT_EQ(end, "ok");
    EXPECT_TRUE(client.ended());
    EXPECT_EQ(seen.all, client.got);
}

TEST_F(RelayTest, AWholeAnswerIsOneWrite) {
    type.value = "application/json";
    head.body = BodyKind::length;
    head.content_length = 2;
    up.pieces.push_back({"{}", true});
    start();
    EXPECT_EQ(client.reply.length, 2);
    EXPECT_EQ(client.writes, 1);
    EXPECT_EQ(end, "ok");
    EXPECT_FALSE(r.sse);
}

TEST_F(RelayTest, FramedPassThroughOnlyWhereBothSidesCan) {
    start();
    EXPECT_TRUE(client.reply.framed);
    EXPECT_TRUE(up.framed);
    Relay other;
    FakeClient old;
    old.framed_ok = false;
    FakeUpstream plain;
    plain.chunked = true;
    EXPECT_TRUE(begin(other, old, plain, head, "", false, seen));
    EXPECT_FALSE(old.reply.framed);
    EXPECT_FALSE(plain.framed);
}

TEST_F(RelayTest, CommentsFillASilenceButOnlyBetweenEvents) {
    client.framed_ok = false;
    start();
    EXPECT_EQ(up.deadline_ms, 1'000u);
    deadline_passes();
    EXPECT_EQ(client.got, ": keep-alive\n\n") << "nothing has been said yet: a comment may come first";
    client.got.clear();
    more("data: half an ev");
    deadline_passes();
    EXPECT_EQ(client.got, "data: half an ev") << "no comment within an event";
    more("ent\n\n");
    client.got.clear();
    deadline_passes();
    deadline_passes();
    EXPECT_EQ(client.got, ": keep-alive\n\n: keep-alive\n\n");
    more("data: x\r\n\r\n");
    client.got.clear();
    deadline_passes();
    EXPECT_EQ(client.got, ": keep-alive\n\n") << "CRLF ends an event as well";
}

TEST_F(RelayTest, FramedCommentsAreChunksBetweenChunks) {
    start();
    more("9\r\ndata: 1\n\n\r\n");
    client.got.clear();
    deadline_passes();
    EXPECT_EQ(client.got, "e\r\n: keep-alive\n\n\r\n");
    client.got.clear();
    more("20\r\ndata: 2\n\n", false, true);   // the event ended, its chunk did not
    deadline_passes();
    EXPECT_EQ(client.got, "20\r\ndata: 2\n\n");
}

TEST_F(RelayTest, NoCommentsIntoWhatIsNotAnEventStream) {
    for (bool with_length : {false, true}) {
        if (with_length) {
            type.value = "text/event-stream";
            head.body = BodyKind::length;
            head.content_length = 100;
        } else {
            type.value = "application/json";
        }
        rules.idle_ms = 5'000;
        r = {};
        client.got.clear();
        start();
        EXPECT_EQ(up.deadline_ms, 5'000u) << "there is nothing else to wait for";
        tasks.cancel();
    }
}

TEST_F(RelayTest, AWorkerThatFallsSilentIsGivenUp) {
    rules.idle_ms = 2'500;
    client.framed_ok = false;
    start();
    deadline_passes();
    deadline_passes();
    EXPECT_EQ(up.deadline_ms, 500u) << "comments do not count as news";
    EXPECT_EQ(end, "");
    deadline_passes();
    EXPECT_EQ(end, "deadline");
}

TEST_F(RelayTest, NewsBeginsTheSilenceAnew) {
    rules.idle_ms = 1'500;
    client.framed_ok = false;
    start();
    for (int i = 0; i < 5; i++) {
        deadline_passes();
        EXPECT_EQ(end, "");
        more("data: x\n\n");
    }
    EXPECT_EQ(end, "");
}

TEST_F(RelayTest, TheRequestsDeadlineEndsIt) {
    client.framed_ok = false;
    start(core.now() + 2'200 * ns_per_ms);
    deadline_passes();
    more("data: x\n\n");
    deadline_passes();
    EXPECT_EQ(end, "");
    EXPECT_LE(up.deadline_ms, 201u);
    deadline_passes();
    EXPECT_EQ(end, "deadline");
}

TEST_F(RelayTest, AFullClientStopsThePull) {
    client.block_after_write = true;
    up.pieces.push_back({"one", false});
    up.pieces.push_back({"two", false});
    start();
    EXPECT_EQ(client.got, "one");
    EXPECT_EQ(up.holds, 1) << "what was read ahead would die with the read buffer";
    more("three", true);
    EXPECT_EQ(client.got, "one");
    client.unblock();
    core.turn(0);
    EXPECT_EQ(client.got, "onetwothree");
    EXPECT_EQ(end, "ok");
}

TEST_F(RelayTest, ClientsThatLeaveAreCancelled) {
    client.block_after_write = true;
    up.pieces.push_back({"one", false});
    start();
    client.is_gone = true;
    core.ready(*client.writer);
    core.turn(0);
    EXPECT_EQ(end, "cancelled");

    Relay second;
    client.is_gone = client.is_blocked = client.block_after_write = false;
    up.pieces.clear();
    EXPECT_TRUE(begin(second, client, up, head, "", false, seen));
    end.clear();
    tasks.spawn(relay(second, client, up, rules, 0, seen, end));
    client.is_gone = true;
    more("more");
    EXPECT_EQ(end, "cancelled");
}

TEST_F(RelayTest, BrokenAnswersAreNamed) {
    for (Code code : {Code::incomplete, Code::engine_garbage}) {
        up.broken = Code::ok;
        r = {};
        client.got.clear();
        start();
        up.pieces.push_back({"last words", false});
        up.broken = code;
        wake();
        EXPECT_EQ(client.got, "last words") << "what came before is passed on";
        EXPECT_EQ(end, name(code));
        EXPECT_FALSE(r.ended);
    }
}

TEST_F(RelayTest, InsertSpeaksTheFramingOfTheStream) {
    Relay plain;
    EXPECT_TRUE(insert(plain, client, "data: e\n\n", true));
    EXPECT_EQ(client.got, "data: e\n\n");
    EXPECT_TRUE(plain.ended);
    EXPECT_TRUE(client.ended());
    Relay framed;
    framed.framed = true;
    client.got.clear();
    EXPECT_TRUE(insert(framed, client, "data: e\n\n", false));
    EXPECT_EQ(client.got, "9\r\ndata: e\n\n\r\n");
    EXPECT_FALSE(framed.ended);
    client.got.clear();
    EXPECT_TRUE(insert(framed, client, "x", true));
    EXPECT_EQ(client.got, "1\r\nx\r\n0\r\n\r\n");
}

}  // namespace
}  // namespace weir::dispatch
