// Requests to workers over HTTP/1 and the pool their connections rest in. The worker is a plain socket of the test.
#include <gtest/gtest.h>

#include "net/resolver.h"
#include "net/upstream.h"
#include "tests/support/http1_peer.h"

namespace weir {
namespace {

using test::Http1Peer;
using test::NetLoop;

struct Seen {
    bool reused = false, sent = false, done = false, accepted = false;
    int status = 0;
    std::string body, error, reason, body_error;
    bool between_chunks = false;
};
struct Ask {
    std::string method = "GET", path = "/", lines, body;
    bool framed = false;
    uint64_t deadline_ms = 0, on_after_deadline = 0;   // the second: how often a missed deadline is given another chance
};

Task<void> exchange(ClientPool& pool, const Target& target, Ask ask, Seen& seen) {
    std::unique_ptr<Upstream> up = pool.take(target);
    seen.reused = up != nullptr;
    if (!up) {
        auto opened = co_await pool.open(target);
        if (!opened) {
            seen.error = name(opened.error()->code);
            seen.done = true;
            co_return;
        }
        up = *std::move(opened);
    }
    iovec v{ask.body.data(), ask.body.size()};
    UpstreamRequest request{ask.method, ask.path, ask.lines, {&v, ask.body.empty() ? 0u : 1u}};
    seen.sent = up->send(request);
    seen.accepted = up->bytes_accepted();
    up->deadline_in(ask.deadline_ms);
    ResponseHead head;
    auto got = co_await up->read_head(head);
    if (!got) {
        seen.error = name(got.error()->code);
        seen.done = true;
        co_return;
    }
    seen.status = head.status;
    seen.reason = head.reason;
    if (ask.framed) {
        EXPECT_TRUE(up->set_framed(true));
    }
    for (;;) {
        up->deadline_in(ask.deadline_ms);
        auto piece = co_await up->next();
        if (!piece) {
            seen.body_error = name(piece.error()->code);
            if (piece.error()->code == Code::deadline && ask.on_after_deadline) {
                ask.on_after_deadline--;
                continue;
            }
            break;
        }
        seen.body += piece->bytes;
        seen.between_chunks = up->between_chunks();
        if (piece->end) break;
    }
    up.reset();
    seen.done = true;
}

struct Http1Client : testing::Test {
    ManualClock clock;
    NetLoop loop{clock};
    Resolver resolver{loop.core};
    UpstreamLimits limits;
    ClientPool pool{loop.core, resolver, limits};
    Target target;
    std::vector<std::unique_ptr<Http1Peer>> workers;   // the far end of each connection made
    bool refuse = false, unix_sockets = false;   // the latter give what was written at once in one read

    Http1Client() {
        target.authority = "worker:80";
        target.path_prefix = "/base";
        pool.connect_through(&Http1Client::connect, this);
    }
    ~Http1Client() override { loop.tasks.cancel(); }   // requests before their pool
    static Task<Result<std::unique_ptr<Transport>>> connect(void* self, const Target&) {
        auto& test = *static_cast<Http1Client*>(self);
        if (test.refuse) co_return Failure(Code::connect_failed, "refused");
        auto [ours, theirs] = test.unix_sockets ? test::unix_pair() : test::tcp_pair();
        test.workers.push_back(std::make_unique<Http1Peer>(test.loop, theirs));
        co_return std::unique_ptr<Transport>(std::make_unique<SocketTransport>(ours));
    }
    void start(Seen& seen, Ask ask = {}) { loop.tasks.spawn(exchange(pool, target, std::move(ask), seen)); }
    // The request is read, then each piece is an arrival of its own.
    Seen talk(const std::vector<std::string>& pieces, bool close, Ask ask = {}) {
        Seen seen;
        start(seen, std::move(ask));
        Http1Peer& w = *workers.back();
        for (auto& p : pieces) {
            w.send(p);
            w.quiet(2);
        }
        if (close) w.leave();
        EXPECT_TRUE(loop.until([&] { return seen.done; })) << "no end";
        loop.tasks.cancel();
        return seen;
    }
    static std::string ok(std::string_view body) {
        return "HTTP/1.1 200 OK\r\ncontent-length: " + std::to_string(body.size()) + "\r\n\r\n" + std::string(body);
    }
};

TEST_F(Http1Client, SaysWhatItIsGiven) {
    Ask ask{"POST", "/v1/x?y=1", "a: b\r\n", "body"};
    Seen seen = talk({ok("yes")}, false, ask);
    EXPECT_EQ(seen.body, "yes");
    EXPECT_EQ(workers[0]->got, "POST /base/v1/x?y=1 HTTP/1.1\r\nhost: worker:80\r\na: b\r\ncontent-length: 4\r\n\r\nbody");
    workers[0]->got.clear();
    talk({ok("")}, false, {"GET", "/"});
    EXPECT_EQ(workers[0]->got, "GET /base/ HTTP/1.1\r\nhost: worker:80\r\n\r\n") << "the same connection, no length without a body";
    workers[0]->got.clear();
    talk({ok("")}, false, {"POST", "/"});
    EXPECT_EQ(workers[0]->got, "POST /base/ HTTP/1.1\r\nhost: worker:80\r\ncontent-length: 0\r\n\r\n");
    EXPECT_EQ(workers.size(), 1u);
}

TEST_F(Http1Client, UnderstandsEveryKindOfAnswerAtEverySplit) {
    std::string chunks = test::chunked("hello world", 4);
    struct { std::string bytes, body; bool close; int status; std::string method; bool kept; } kinds[] = {
        {ok("hello"), "hello", false, 200, "GET", true},
        {"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n" + chunks, "hello world", false, 200, "GET", true},
        {"HTTP/1.1 200 OK\r\n\r\nuntil the end", "until the end", true, 200, "GET", false},
        {"HTTP/1.0 200 OK\r\n\r\nold", "old", true, 200, "GET", false},
        {"HTTP/1.1 103 Early Hints\r\nlink: x\r\n\r\nHTTP/1.1 100 Continue\r\n\r\n" + ok("late"), "late", false, 200, "GET", true},
        {"HTTP/1.1 204 No Content\r\n\r\n", "", false, 204, "GET", true},
        {"HTTP/1.1 304 Not Modified\r\ncontent-length: 10\r\n\r\n", "", false, 304, "GET", true},
        {"HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\n", "", false, 200, "HEAD", true},
        {"HTTP/1.1 500 Oh no\r\nconnection: close\r\ncontent-length: 3\r\n\r\nbad", "bad", false, 500, "GET", false},
    };
    for (auto& k : kinds)
        for (size_t split = 0; split < k.bytes.size(); split++) {
            SCOPED_TRACE(k.bytes.substr(0, split) + "|");
            size_t connections = workers.size();
            std::vector<std::string> pieces{k.bytes.substr(0, split), k.bytes.substr(split)};
            Seen seen = talk(pieces, k.close, {k.method});
            ASSERT_EQ(seen.status, k.status);
            ASSERT_EQ(seen.body, k.body);
            ASSERT_EQ(seen.error + seen.body_error, "");
            ASSERT_EQ(pool.idle(), k.kept ? 1u : 0u);
            ASSERT_LE(workers.size() - connections, 1u);
        }
}

TEST_F(Http1Client, FramedPiecesAreTheBytesOfTheWorker) {
    std::string body = test::chunked("hello world", 3), head = "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n";
    Ask framed;
    framed.framed = true;
    for (size_t split = 0; split < body.size(); split++) {
        Seen seen = talk({head + body.substr(0, split), body.substr(split)}, false, framed);
        ASSERT_EQ(seen.body, body) << split;
        ASSERT_TRUE(seen.between_chunks);
        ASSERT_EQ(pool.idle(), 1u);
    }
    std::string with_trailer = "5;x=y\r\nhello\r\n0\r\nx-t: 1\r\n\r\n";
    EXPECT_EQ(talk({head + with_trailer}, false, framed).body, with_trailer);
}

TEST_F(Http1Client, BrokenAnswersHaveTheirNames) {
    std::string head = "HTTP/1.1 200 OK\r\n", chunked = head + "transfer-encoding: chunked\r\n\r\n";
    struct { const char* what; std::string bytes; bool close; std::string error, body_error, body; } cases[] = {
        {"nothing", "", true, "reset_before_byte", "", ""},
        {"garbage", "\x16\x03\x01 hello\r\n\r\n", false, "engine_garbage", "", ""},
        {"half a head", "HTTP/1.1 200 OK\r\ncontent-le", true, "engine_garbage", "", ""},
        {"another protocol", "SSH-2.0-x\r\n\r\n", false, "engine_garbage", "", ""},
        {"switched protocols", "HTTP/1.1 101 Switching Protocols\r\nupgrade: x\r\n\r\n", false, "engine_garbage", "", ""},
        {"two lengths", head + "content-length: 1\r\ncontent-length: 2\r\n\r\nab", false, "engine_garbage", "", ""},
        {"too long a head", head + "x: " + std::string(limits::header_bytes_max, 'x') + "\r\n\r\n", false, "engine_garbage", "", ""},
        {"less than its length", head + "content-length: 10\r\n\r\nabc", true, "", "incomplete", "abc"},
        {"half a chunk", chunked + "5\r\nhe", true, "", "incomplete", "he"},
        {"no last chunk", chunked + "5\r\nhello\r\n", true, "", "incomplete", "hello"},
        {"no chunk", chunked + "hello\r\n", false, "", "engine_garbage", ""},
        {"a chunk that is too long", chunked + "2\r\nhello\r\n", false, "", "engine_garbage", "he"},
    };
    for (auto& c : cases) {
        SCOPED_TRACE(c.what);
        Seen seen = talk({c.bytes}, c.close);
        EXPECT_EQ(seen.error, c.error);
        EXPECT_EQ(seen.body_error, c.body_error);
        EXPECT_EQ(seen.body, c.body);
        EXPECT_TRUE(seen.accepted);
        EXPECT_EQ(pool.idle(), 0u) << "such a connection is not used again";
    }
    refuse = true;
    Seen seen;
    start(seen);
    EXPECT_EQ(seen.error, "connect_failed");
}

TEST_F(Http1Client, AResetWithinABodyIsNoEnd) {
    for (const char* head : {"HTTP/1.1 200 OK\r\n\r\nabc", "HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nabc"}) {
        Seen seen;
        start(seen);
        Http1Peer& w = *workers.back();
        w.send(head);
        w.quiet();
        linger l{1, 0};
        setsockopt(w.fd, SOL_SOCKET, SO_LINGER, &l, sizeof l);
        w.leave();
        ASSERT_TRUE(loop.until([&] { return seen.done; }));
        EXPECT_EQ(seen.body_error, "incomplete");
    }
}

TEST_F(Http1Client, BytesBehindAnAnswerSpoilTheConnection) {
    EXPECT_EQ(talk({ok("a") + "x"}, false).body, "a");
    EXPECT_EQ(pool.idle(), 0u);
    EXPECT_EQ(talk({ok("a") + ok("unasked")}, false).body, "a");
    EXPECT_EQ(pool.idle(), 0u);
    talk({ok("a")}, false);
    ASSERT_EQ(pool.idle(), 1u);
    workers.back()->send("x");   // while it rests
    clock.advance_ms(5);
    workers.back()->quiet();
    Seen next = talk({ok("b")}, false);
    EXPECT_FALSE(next.reused);
    EXPECT_EQ(next.body, "b");
}

TEST_F(Http1Client, BytesBehindAnAnswerThatFillsARead) {
    unix_sockets = true;
    std::string answer = ok(std::string(Core::read_buffer_bytes - ok("").size() - 4, 'a'));   // its length has four digits more
    ASSERT_EQ(answer.size(), Core::read_buffer_bytes);
    Seen seen = talk({answer + "x"}, false);
    EXPECT_EQ(ok(seen.body), answer);
    EXPECT_EQ(pool.idle(), 0u);
}

TEST_F(Http1Client, DeadlinesTellAndLeaveTheAnswerWhole) {
    Seen seen;
    Ask ask;
    ask.deadline_ms = 50;
    start(seen, ask);
    clock.advance_ms(51);
    ASSERT_TRUE(loop.until([&] { return seen.done; }));
    EXPECT_EQ(seen.error, "first_byte_timeout");
    EXPECT_EQ(pool.idle(), 0u);

    Seen again;
    ask.on_after_deadline = 2;
    start(again, ask);
    Http1Peer& w = *workers.back();
    w.send("HTTP/1.1 200 OK\r\ncontent-length: 6\r\n\r\nabc");
    w.quiet();
    for (int i = 0; i < 2; i++) {
        clock.advance_ms(51);
        w.quiet();
        EXPECT_EQ(again.body_error, "deadline");
        EXPECT_FALSE(again.done);
    }
    w.send("def");
    ASSERT_TRUE(loop.until([&] { return again.done; }));
    EXPECT_EQ(again.body, "abcdef");
    EXPECT_EQ(pool.idle(), 1u);
}

TEST_F(Http1Client, LargeRequestsGoOnByThemselves) {
    Ask ask{"POST", "/", "", std::string(8'000'000, 'r')};
    Seen seen;
    start(seen, ask);
    EXPECT_TRUE(seen.sent);
    Http1Peer& w = *workers.back();
    ASSERT_TRUE(loop.until([&] { return w.read(), w.got.size() >= w.got.find("\r\n\r\n") + 4 + ask.body.size(); }));
    EXPECT_EQ(w.got.size() - w.got.find("\r\n\r\n") - 4, ask.body.size());
    w.send(ok("thanks"));
    ASSERT_TRUE(loop.until([&] { return seen.done; }));
    EXPECT_EQ(seen.body, "thanks");
    EXPECT_EQ(pool.idle(), 1u);

    // Answered before the request was read: what is left of it must not meet the next one. More than any kernel's buffers take.
    Seen early;
    Ask larger{"POST", "/", "", std::string(64'000'000, 'r')};
    start(early, larger);
    ASSERT_EQ(workers.size(), 1u);
    w.send(ok("too large"), false);
    ASSERT_TRUE(loop.until([&] { return early.done; }));
    EXPECT_EQ(early.body, "too large");
    EXPECT_EQ(pool.idle(), 0u);
}

// --- the pool ---

struct Http1Pool : Http1Client {
    void fill(size_t n) {   // n connections, given back in order
        std::vector<Seen> seen(n);
        size_t first = workers.size();
        for (auto& s : seen) start(s);
        ASSERT_EQ(workers.size(), first + n);
        for (size_t i = 0; i < n; i++) {
            workers[first + i]->send(ok("x"));
            ASSERT_TRUE(loop.until([&] { return seen[i].done; }));
        }
    }
    size_t asked_next() {   // which connection the next request uses
        for (auto& w : workers) w->read(), w->got.clear();
        Seen seen;
        start(seen);
        for (size_t i = 0; i < workers.size(); i++) {
            workers[i]->read();
            if (workers[i]->got.empty()) continue;
            workers[i]->send(ok("x"));
            EXPECT_TRUE(loop.until([&] { return seen.done; }));
            return i;
        }
        return SIZE_MAX;
    }
};

TEST_F(Http1Pool, TheNewestIsUsedFirst) {
    fill(3);
    EXPECT_EQ(pool.idle(), 3u);
    EXPECT_EQ(asked_next(), 2u);
    EXPECT_EQ(asked_next(), 2u);
    workers[2]->leave();
    loop.core.turn(5);
    EXPECT_EQ(asked_next(), 1u) << "a connection that ended while it rested is passed over";
    EXPECT_EQ(pool.idle(), 2u);
}

TEST_F(Http1Pool, RestIsBoundedInTime) {
    fill(2);
    clock.advance_ms(limits.pool_idle_ms + 1);
    loop.core.now_exact();
    EXPECT_EQ(pool.take(target), nullptr);
    EXPECT_EQ(pool.idle(), 0u);
    fill(2);
    for (uint64_t ms = 0; ms <= limits.pool_idle_ms + 1'000; ms += 500) {
        clock.advance_ms(500);
        loop.core.turn(0);
    }
    EXPECT_EQ(pool.idle(), 0u) << "swept without anybody asking";
    EXPECT_TRUE(workers.back()->await_close());
}

TEST_F(Http1Pool, RestIsBoundedInNumber) {
    fill(limits::pool_idle_per_worker + 2);
    EXPECT_EQ(pool.idle(), limits::pool_idle_per_worker);
    EXPECT_TRUE(workers[0]->await_close()) << "the oldest made room";
    EXPECT_TRUE(workers[1]->await_close());
    workers[2]->quiet();
    EXPECT_FALSE(workers[2]->closed);
}

TEST_F(Http1Pool, AWorkerThatLeftIsForgotten) {
    fill(2);
    Target other = target;
    other.slot = 5;
    EXPECT_EQ(pool.take(other), nullptr) << "each worker has its own";
    pool.forget(5);
    pool.forget(77);
    EXPECT_EQ(pool.idle(), 2u);
    pool.forget(target.slot);
    EXPECT_EQ(pool.idle(), 0u);
    EXPECT_TRUE(workers[0]->await_close());
}

TEST_F(Http1Pool, ACancelledRequestClosesItsConnection) {
    Seen seen;
    start(seen);
    EXPECT_EQ(loop.tasks.size(), 1u);
    loop.tasks.cancel();
    EXPECT_TRUE(workers[0]->await_close());
    EXPECT_EQ(pool.idle(), 0u);
}

}  // namespace
}  // namespace weir
