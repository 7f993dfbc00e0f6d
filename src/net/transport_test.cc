#include "net/transport.h"

#include <gtest/gtest.h>
#include <sys/epoll.h>

#include <deque>

#include "tests/support/net_loop.h"

namespace weir {
namespace {

using test::NetLoop;

// Both ends of a pair in one loop; `raw` is the peer, used with plain system calls.
struct Pair {
    explicit Pair(bool tcp = false) {
        auto [ours, theirs] = tcp ? test::tcp_pair() : test::unix_pair();
        t = std::make_unique<SocketTransport>(ours);
        raw = theirs;
    }
    ~Pair() { close_raw(); }
    void close_raw() {
        if (raw >= 0) ::close(std::exchange(raw, -1));
    }
    std::string read_raw(size_t at_most = 1 << 20) {   // what is there now
        std::string all(at_most, 0);
        ssize_t n = ::recv(raw, all.data(), all.size(), 0);
        all.resize(n > 0 ? static_cast<size_t>(n) : 0);
        return all;
    }
    void write_raw(std::string_view text) { EXPECT_EQ(::send(raw, text.data(), text.size(), MSG_NOSIGNAL), static_cast<ssize_t>(text.size())); }
    std::unique_ptr<SocketTransport> t;
    int raw = -1;
};

Task<void> read_all(Transport& t, std::string& said) {
    for (;;) {
        auto got = co_await t.recv();
        if (got.n <= 0) {
            said += got.n == 0 ? "<end>" : got.n == -ETIMEDOUT ? "<late>" : "<broken>";
            co_return;
        }
        said += got.view();
    }
}
Task<void> wait_drained(Transport& t, std::string& said) {
    bool ok = co_await t.drained();
    said += ok ? "drained" : "failed";
}

TEST(SocketTransport, GivesWhatArrivesAndThenTheEnd) {
    NetLoop loop;
    Pair p;
    std::string said;
    loop.tasks.spawn(read_all(*p.t, said));
    EXPECT_EQ(said, "");
    p.write_raw("one ");
    EXPECT_TRUE(loop.until([&] { return said == "one "; }));
    p.write_raw("two");
    ::shutdown(p.raw, SHUT_WR);
    EXPECT_TRUE(loop.settle());
    EXPECT_EQ(said, "one two<end>");
    EXPECT_TRUE(p.t->hung_up());
    EXPECT_TRUE(p.t->send("still writable"));
    EXPECT_EQ(p.read_raw(), "still writable");
}

TEST(SocketTransport, SendsManyPiecesInOneGoAndKeepsNothing) {
    NetLoop loop;
    Pair p;
    iovec v[3] = {{const_cast<char*>("ab"), 2}, {nullptr, 0}, {const_cast<char*>("cde"), 3}};
    EXPECT_FALSE(p.t->bytes_accepted());
    EXPECT_TRUE(p.t->send(v, 3));
    EXPECT_TRUE(p.t->bytes_accepted());
    EXPECT_FALSE(p.t->blocked());
    EXPECT_EQ(p.read_raw(), "abcde");
    p.t->reset_accepted();
    EXPECT_FALSE(p.t->bytes_accepted());
}

TEST(SocketTransport, KeepsTheRestOfAPartialWriteAndDrainsIt) {
    NetLoop loop;
    Pair p;
    std::string big(900'000, 0), said, got;
    for (size_t i = 0; i < big.size(); i++) big[i] = static_cast<char>('a' + i % 23);
    iovec v[3] = {{big.data(), 100'000}, {big.data() + 100'000, 1}, {big.data() + 100'001, big.size() - 100'001}};
    ASSERT_TRUE(p.t->send(v, 3));
    ASSERT_TRUE(p.t->blocked()) << "the socket took it all: make it larger";
    loop.tasks.spawn(wait_drained(*p.t, said));
    EXPECT_EQ(said, "");
    EXPECT_TRUE(loop.until([&] {
        got += p.read_raw();
        return said == "drained";
    }));
    got += p.read_raw();
    EXPECT_EQ(got, big);
    EXPECT_FALSE(p.t->blocked());
}

TEST(SocketTransport, TheRestIsBounded) {
    NetLoop loop;
    Pair p;
    std::string piece(64 * 1024, 'x');
    size_t sent = 0;
    while (p.t->send(piece)) {
        sent += piece.size();
        ASSERT_LT(sent, limits::write_rest_max * 4) << "no bound";
    }
    EXPECT_GE(sent, limits::write_rest_max);
    EXPECT_TRUE(p.t->broken());
    EXPECT_FALSE(p.t->send("more"));
    std::string said;
    loop.tasks.spawn(wait_drained(*p.t, said));
    EXPECT_EQ(said, "failed");
}

TEST(SocketTransport, ARequestMayBeLargerThanTheBound) {
    NetLoop loop;
    Pair p;
    std::string big(limits::write_rest_max * 3, 'y'), got, said;
    iovec v{big.data(), big.size()};
    EXPECT_TRUE(p.t->send_large(&v, 1));
    EXPECT_TRUE(p.t->blocked());
    loop.tasks.spawn(wait_drained(*p.t, said));
    EXPECT_TRUE(loop.until([&] {
        got += p.read_raw();
        return got.size() == big.size();
    }));
    EXPECT_TRUE(loop.settle());
    EXPECT_EQ(said, "drained");
}

TEST(SocketTransport, AWaitingWriterHearsThatThePeerIsGone) {
    NetLoop loop;
    Pair p;
    std::string big(800'000, 'x'), said;
    ASSERT_TRUE(p.t->send(big));
    ASSERT_TRUE(p.t->blocked());
    loop.tasks.spawn(wait_drained(*p.t, said));
    p.close_raw();
    EXPECT_TRUE(loop.settle());
    EXPECT_EQ(said, "failed");
    EXPECT_FALSE(p.t->send("x"));
}

TEST(SocketTransport, ADestroyedReaderLeavesNoTrace) {
    NetLoop loop;
    Pair p;
    std::string said;
    loop.tasks.spawn(read_all(*p.t, said));
    EXPECT_NE(p.t->reader_slot(), nullptr);
    loop.tasks.cancel();
    EXPECT_EQ(p.t->reader_slot(), nullptr);
    p.write_raw("x");
    loop.core.turn(20);
    EXPECT_EQ(said, "");
    loop.tasks.spawn(read_all(*p.t, said));
    EXPECT_EQ(said, "x") << "it was there already";
    loop.tasks.cancel();   // before the transport it reads
}

Task<void> sleep_for_ever() { co_await sleep_ms(1'000'000'000); }
Task<void> until_hangup(Transport& t, std::string& said) {
    bool finished = co_await race(sleep_for_ever(), t.hangup_slot());
    said += finished ? "finished" : "left";
}
TEST(SocketTransport, TheHangupSlotTellsOfFinAndOfReset) {
    for (bool reset : {false, true}) {
        NetLoop loop;
        Pair p(true);
        std::string said;
        loop.tasks.spawn(until_hangup(*p.t, said));
        p.write_raw("bytes are no hang-up");
        loop.core.turn(20);
        EXPECT_EQ(said, "");
        if (reset) {
            linger l{1, 0};
            setsockopt(p.raw, SOL_SOCKET, SO_LINGER, &l, sizeof l);
        }
        p.close_raw();
        EXPECT_TRUE(loop.settle());
        EXPECT_EQ(said, "left");
        EXPECT_EQ(p.t->broken(), reset);
    }
}

TEST(SocketTransport, BytesBeforeAFinAreAllRead) {   // more than one read of them, and the FIN seen first
    NetLoop loop;
    Pair p;
    std::string big(150'000, 'z'), said;
    size_t at = 0;
    while (at < big.size()) {
        ssize_t n = ::send(p.raw, big.data() + at, big.size() - at, MSG_NOSIGNAL);
        if (n > 0) at += static_cast<size_t>(n);
        else break;
    }
    big.resize(at);
    ASSERT_GT(at, Core::read_buffer_bytes);
    p.close_raw();
    ASSERT_TRUE(loop.until([&] { return p.t->hung_up(); }));
    loop.tasks.spawn(read_all(*p.t, said));
    EXPECT_TRUE(loop.settle());
    EXPECT_EQ(said, big + "<end>");
}

TEST(SocketTransport, AResetIsSentWhenAskedFor) {
    for (bool reset : {false, true}) {
        NetLoop loop;
        Pair p(true);
        if (reset) p.t->reset();
        p.t.reset();
        char c;
        ssize_t n = -1;
        EXPECT_TRUE(loop.until([&] { return (n = ::recv(p.raw, &c, 1, 0)) >= 0 || errno != EAGAIN; }));
        if (reset) {
            EXPECT_EQ(n, -1);
            EXPECT_EQ(errno, ECONNRESET);
        } else {
            EXPECT_EQ(n, 0);
        }
    }
}

TEST(SocketTransport, IsStaleOnceThePeerSaidAnything) {
    NetLoop loop;
    Pair quiet(true), talks(true), left(true);
    EXPECT_FALSE(quiet.t->stale());
    talks.write_raw("x");
    left.close_raw();
    EXPECT_TRUE(loop.until([&] { return left.t->stale_now() && talks.t->stale_now(); })) << "events tell of both";
    EXPECT_TRUE(left.t->stale());
    EXPECT_TRUE(talks.t->stale());
    EXPECT_FALSE(quiet.t->stale());
}

TEST(SocketTransport, IsStaleWhileMoreThanOneReadWaits) {
    NetLoop loop;
    Pair pair;
    pair.write_raw(std::string(Core::read_buffer_bytes + 1, 'x'));
    ASSERT_TRUE(loop.until([&] { return pair.t->stale_now(); }));
    Transport::Got got{};
    ASSERT_TRUE(pair.t->recv_now(got));
    ASSERT_EQ(got.n, static_cast<ssize_t>(Core::read_buffer_bytes));
    EXPECT_TRUE(pair.t->stale_now()) << "a byte waits, and no event will tell of it";
    ASSERT_TRUE(pair.t->recv_now(got));
    EXPECT_EQ(got.n, 1);
    EXPECT_FALSE(pair.t->stale_now());
}

TEST(SocketTransport, GivesItsSocketAway) {
    NetLoop loop;
    Pair p;
    int fd = p.t->release();
    p.write_raw("for another");
    loop.core.turn(0);
    p.t.reset();
    SocketTransport other(fd);
    std::string said;
    loop.tasks.spawn(read_all(other, said));
    EXPECT_TRUE(loop.until([&] { return said == "for another"; }));
}

TEST(SocketTransport, FinishSendLeavesTheOtherDirectionOpen) {
    NetLoop loop;
    Pair p(true);
    std::string said;
    EXPECT_TRUE(p.t->send("bye"));
    p.t->finish_send();
    EXPECT_TRUE(loop.until([&] { return p.read_raw() == "bye"; }));
    char c;
    ssize_t n = -1;
    EXPECT_TRUE(loop.until([&] { return (n = ::recv(p.raw, &c, 1, 0)) == 0; }));
    loop.tasks.spawn(read_all(*p.t, said));
    p.write_raw("answer");
    EXPECT_TRUE(loop.until([&] { return said == "answer"; }));
}

// --- deadlines, on a clock of the test and without a socket ---

struct ScriptedTransport final : Transport {
    std::deque<std::string> incoming;
    std::string taken, current;
    size_t room = SIZE_MAX;
    Got try_recv() override {
        if (incoming.empty()) return {nullptr, -EAGAIN};
        current = incoming.front();
        incoming.pop_front();
        return {current.data(), static_cast<ssize_t>(current.size())};
    }
    ssize_t try_send(const iovec* pieces, int n) override {
        if (room == 0) return -EAGAIN;
        ssize_t sent = 0;
        for (int i = 0; i < n; i++) {
            size_t take = std::min(room, pieces[i].iov_len);
            taken.append(static_cast<char*>(pieces[i].iov_base), take);
            room -= take;
            sent += static_cast<ssize_t>(take);
        }
        return sent;
    }
    using Transport::can_read;
    using Transport::can_write;
};
struct IdlePoller final : Poller {
    void wait(int timeout_ms) override { timeouts.push_back(timeout_ms); }
    void wake() override {}
    std::vector<int> timeouts;
};
struct Deadlines : testing::Test {
    ManualClock clock;
    IdlePoller* poller = new IdlePoller;
    Core core{0, clock, std::unique_ptr<Poller>(poller), 1};
    Core::Enter enter{core};
    ScriptedTransport t;
    Nursery tasks;
    std::string said;
    void pass_ms(uint64_t ms) {
        clock.advance_ms(ms);
        core.turn(0);
    }
};

TEST_F(Deadlines, WakeTheReaderOnce) {
    t.deadline_in(50);
    tasks.spawn(read_all(t, said));
    pass_ms(49);
    EXPECT_EQ(said, "");
    pass_ms(1);
    EXPECT_EQ(said, "<late>");
    EXPECT_TRUE(t.timed_out());
    t.incoming.push_back("hello");
    t.deadline_in(50);   // the stream is intact
    EXPECT_FALSE(t.timed_out());
    tasks.spawn(read_all(t, said));
    EXPECT_EQ(said, "<late>hello");
}

TEST_F(Deadlines, ALaterOneOnlyWritesANumber) {
    t.deadline_in(50);
    tasks.spawn(read_all(t, said));
    for (int i = 0; i < 10; i++) {
        pass_ms(40);
        t.deadline_in(50);
    }
    EXPECT_EQ(said, "") << "moved ten times";
    pass_ms(49);
    EXPECT_EQ(said, "");
    pass_ms(2);
    EXPECT_EQ(said, "<late>");
}

TEST_F(Deadlines, AnEarlierOneCountsAtOnce) {
    t.deadline_in(1'000);
    t.deadline_in(10);
    tasks.spawn(read_all(t, said));
    pass_ms(11);
    EXPECT_EQ(said, "<late>");
}

TEST_F(Deadlines, CanBeTakenBack) {
    t.deadline_in(50);
    t.deadline_in(0);
    tasks.spawn(read_all(t, said));
    pass_ms(1'000);
    EXPECT_EQ(said, "");
    t.incoming.push_back("a");
    t.can_read();
    core.turn(0);
    EXPECT_EQ(said, "a");
}

TEST_F(Deadlines, WakeTheWriterToo) {
    t.room = 3;
    EXPECT_TRUE(t.send("abcdef"));
    EXPECT_TRUE(t.blocked());
    t.deadline_in(50);
    tasks.spawn(wait_drained(t, said));
    pass_ms(40);
    t.room = 2;
    t.can_write();
    core.turn(0);
    EXPECT_EQ(said, "") << "progress, but not all";
    EXPECT_EQ(t.taken, "abcde");
    pass_ms(49);
    EXPECT_EQ(said, "") << "time begins anew with progress";
    pass_ms(2);
    EXPECT_EQ(said, "failed");
    t.room = 10;
    t.can_write();
    EXPECT_EQ(t.taken, "abcdef");
    EXPECT_FALSE(t.blocked());
}

TEST_F(Deadlines, WhatFollowsARestGoesBehindIt) {
    t.room = 2;
    EXPECT_TRUE(t.send("abc"));
    t.room = SIZE_MAX;
    EXPECT_TRUE(t.send("def"));
    EXPECT_EQ(t.taken, "ab");
    tasks.spawn(wait_drained(t, said));
    t.can_write();
    core.turn(0);
    EXPECT_EQ(t.taken, "abcdef");
    EXPECT_EQ(said, "drained");
}

}  // namespace
}  // namespace weir
