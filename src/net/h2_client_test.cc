// The client of workers over HTTP/2, against our own server and against scripted frames.
#include "net/h2_client.h"

#include <gtest/gtest.h>

#include "net/resolver.h"
#include "net/server.h"
#include "net/tls.h"
#include "tests/support/h2_cases.h"
#include "tests/support/net_loop.h"
#include "tests/support/net_service.h"
#include "tests/support/test_certificates.h"

namespace weir {
namespace {

using test::h2_frame;
using test::hpack_field;

struct Answer {
    bool done = false, accepted = false;
    int status = 0;
    std::string headers, body;
    Code error = Code::ok;
};

struct H2ClientTest : testing::Test {
    ManualClock clock;
    test::NetLoop loop{clock};
    test::ScriptedService service;
    Budget bodies{"bodies", 100'000'000};
    ServerLimits limits;
    std::unique_ptr<Server> server;
    Resolver resolver{loop.core};
    std::unique_ptr<ClientPool> pool;
    Target target;
    size_t dialled = 0;
    std::string lines = "Accept: */*\r\nConnection: close\r\n";

    void SetUp() override {
        limits.bodies = &bodies;
        server = std::make_unique<Server>(std::vector<Core*>{&loop.core}, service, limits, nullptr);
        ASSERT_TRUE(server->listen({"127.0.0.1", 0, {}}));
        server->start();
        pool = std::make_unique<ClientPool>(loop.core, resolver, UpstreamLimits{});
        target.host = "127.0.0.1";
        target.port = server->port();
        target.http = Target::Http::two_prior;
        target.authority = "worker.test";
    }
    void TearDown() override {
        loop.tasks.cancel();
        pool.reset();
        loop.core.turn(0);
        server.reset();
    }

    static Task<void> fetch(ClientPool& pool, const Target& target, UpstreamRequest request, Answer& out, uint64_t deadline_ms = 0) {
        std::unique_ptr<Upstream> up = pool.take(target);
        if (!up) {
            auto opened = co_await pool.open(target);
            if (!opened) {
                out.error = opened.error()->code;
                out.done = true;
                co_return;
            }
            up = *std::move(opened);
        }
        if (deadline_ms) up->deadline_in(deadline_ms);
        up->send(request);
        co_await read(*up, out);
    }
    static Task<void> open(ClientPool& pool, const Target& target, std::unique_ptr<Upstream>& out) {
        auto opened = co_await pool.open(target);
        out = *std::move(opened);
    }
    static Task<void> read(Upstream& up, Answer& out) {
        struct Done {
            Answer& out;
            Upstream& up;
            ~Done() { out.done = true, out.accepted = up.bytes_accepted(); }
        } done{out, up};
        ResponseHead head;
        auto got = co_await up.read_head(head);
        if (!got) {
            out.error = got.error()->code;
            co_return;
        }
        out.status = head.status;
        for (auto& h : head.headers) out.headers += std::string(h.name) + ": " + std::string(h.value) + "\n";
        for (;;) {
            auto piece = co_await up.next();
            if (!piece) {
                out.error = piece.error()->code;
                co_return;
            }
            out.body += piece->bytes;
            if (piece->end) co_return;
        }
    }
    Answer get(std::string_view path, std::string_view method = "GET") {
        Answer out;
        loop.tasks.spawn(fetch(*pool, target, {method, path, lines, {}}, out));
        EXPECT_TRUE(loop.until([&] { return out.done; }));
        return out;
    }
};

TEST_F(H2ClientTest, GetOverPriorKnowledge) {
    Answer a = get("/health?q=1");
    EXPECT_EQ(a.status, 200);
    EXPECT_EQ(a.body, "ok");
    EXPECT_NE(a.headers.find("content-type: text/plain\n"), std::string::npos);
    EXPECT_NE(a.headers.find("date: "), std::string::npos);
    EXPECT_EQ(service.last_head, "GET /health?q=1 host=worker.test\nhost: worker.test\naccept: */*\n");
    EXPECT_TRUE(a.accepted);
}

TEST_F(H2ClientTest, AnswersWithoutBody) {
    EXPECT_EQ(get("/health", "HEAD").body, "");
    EXPECT_EQ(get("/status/204").status, 204);
    EXPECT_EQ(get("/status/304").body, "");
    EXPECT_EQ(get("/nothing").status, 404);
    EXPECT_EQ(server->connections(), 1u);
}

TEST_F(H2ClientTest, LargeBodiesBothWays) {
    for (size_t bytes : {0u, 1u, 16'384u, 65'535u, 65'536u, 3'000'000u}) {
        std::string body(bytes, 'x');
        for (size_t i = 0; i < bytes; i += 997) body[i] = static_cast<char>('a' + i % 26);
        iovec v[2] = {{body.data(), bytes / 3}, {body.data() + bytes / 3, bytes - bytes / 3}};
        Answer a;
        loop.tasks.spawn(fetch(*pool, target, {"POST", "/echo", "", {v, 2}}, a));
        ASSERT_TRUE(loop.until([&] { return a.done; })) << bytes;
        EXPECT_EQ(a.status, 200);
        EXPECT_TRUE(a.body == body) << bytes << " got " << a.body.size();
        EXPECT_EQ(a.headers.find("connection"), std::string::npos);
        EXPECT_NE(a.headers.find("x-seen: yes\n"), std::string::npos);
    }
    EXPECT_EQ(bodies.used(), 0u);
}

TEST_F(H2ClientTest, ParallelRequestsShareConnections) {
    std::vector<Answer> answers(250);
    for (auto& a : answers) loop.tasks.spawn(fetch(*pool, target, {"GET", "/stream/50000", "", {}}, a));
    ASSERT_TRUE(loop.settle());
    for (auto& a : answers) {
        EXPECT_EQ(a.status, 200);
        EXPECT_EQ(a.body.size(), 50'000u);
    }
    EXPECT_LE(server->connections(), limits::h2_client_connections_max);
    EXPECT_GE(server->connections(), 3u);
}

TEST_F(H2ClientTest, FullConnectionsMakeRequestsWait) {
    std::vector<Answer> hanging(limits::h2_client_streams_max * limits::h2_client_connections_max);
    Nursery held;
    for (auto& a : hanging) held.spawn(fetch(*pool, target, {"GET", "/hang", "", {}}, a));
    ASSERT_TRUE(loop.until([&] { return service.alive == static_cast<int>(hanging.size()); }));
    EXPECT_EQ(server->connections(), limits::h2_client_connections_max);
    Answer waiting, late;
    loop.tasks.spawn(fetch(*pool, target, {"GET", "/health", "", {}}, waiting));
    for (int i = 0; i < 5; i++) loop.core.turn(1);
    EXPECT_FALSE(waiting.done);
    clock.advance_ms(10'001);
    ASSERT_TRUE(loop.until([&] { return waiting.done; }));
    EXPECT_EQ(waiting.error, Code::connect_failed);
    loop.tasks.spawn(fetch(*pool, target, {"GET", "/health", "", {}}, late));
    loop.core.turn(1);
    held.cancel();   // streams are reset, room comes back
    ASSERT_TRUE(loop.until([&] { return late.done; }));
    EXPECT_EQ(late.status, 200);
    EXPECT_TRUE(loop.until([&] { return service.alive == 0; }));
}

TEST_F(H2ClientTest, AReaderThatWaitsHoldsTheWorkerBack) {
    std::unique_ptr<Upstream> up;
    loop.tasks.spawn(open(*pool, target, up));
    ASSERT_TRUE(loop.until([&] { return up != nullptr; }));
    ASSERT_TRUE(up->send({"GET", "/stream/5000000", "", {}}));
    ASSERT_TRUE(loop.until([&] { return service.saw_blocked; }));
    for (int i = 0; i < 10; i++) loop.core.turn(1);
    EXPECT_LE(service.written, 65'536 + limits::h2_stream_out_max + 10'000);
    Answer other = get("/health");   // the connection itself is not held
    EXPECT_EQ(other.status, 200);
    EXPECT_EQ(server->connections(), 1u);
    Answer a;
    loop.tasks.spawn(read(*up, a));
    ASSERT_TRUE(loop.until([&] { return a.done; }));
    EXPECT_EQ(a.body.size(), 5'000'000u);
}

TEST_F(H2ClientTest, DestroyedRequestsEndAtTheWorker) {
    {
        Nursery n;
        Answer a;
        n.spawn(fetch(*pool, target, {"GET", "/hang", "", {}}, a));
        ASSERT_TRUE(loop.until([&] { return service.alive == 1; }));
    }
    EXPECT_TRUE(loop.until([&] { return service.alive == 0; }));
    EXPECT_EQ(get("/health").status, 200);
    EXPECT_EQ(server->connections(), 1u) << "only the stream was reset";
}

TEST_F(H2ClientTest, BrokenOffAnswers) {
    Answer a = get("/abort");
    EXPECT_EQ(a.status, 200);
    EXPECT_EQ(a.body, "half");
    EXPECT_EQ(a.error, Code::incomplete);
    EXPECT_EQ(get("/unanswered").error, Code::reset_before_byte);
    EXPECT_EQ(get("/throw").error, Code::reset_before_byte);
    EXPECT_EQ(get("/health").status, 200);
}

TEST_F(H2ClientTest, Deadlines) {
    Answer a;
    loop.tasks.spawn(fetch(*pool, target, {"GET", "/hang", "", {}}, a, 500));
    ASSERT_TRUE(loop.until([&] { return service.alive == 1; }));
    clock.advance_ms(501);
    ASSERT_TRUE(loop.until([&] { return a.done; }));
    EXPECT_EQ(a.error, Code::first_byte_timeout);
    EXPECT_TRUE(loop.until([&] { return service.alive == 0; }));
}

TEST_F(H2ClientTest, IdleConnectionsAreSwept) {
    EXPECT_EQ(get("/health").status, 200);
    EXPECT_EQ(server->connections(), 1u);
    for (int i = 0; i < 5; i++) {
        clock.advance_ms(1'001);
        loop.core.turn(1);
    }
    EXPECT_TRUE(loop.until([&] { return server->connections() == 0; }));
    EXPECT_EQ(get("/health").status, 200);
}

TEST_F(H2ClientTest, ForgottenWorkersKeepTheirStreams) {
    Answer a;
    loop.tasks.spawn(fetch(*pool, target, {"GET", "/stream/400000", "", {}}, a));
    ASSERT_TRUE(loop.until([&] { return service.alive == 1; }));
    pool->forget(0);
    ASSERT_TRUE(loop.until([&] { return a.done; }));
    EXPECT_EQ(a.body.size(), 400'000u);
    clock.advance_ms(1'001);
    EXPECT_TRUE(loop.until([&] { return server->connections() == 0; }));
}

TEST_F(H2ClientTest, FallsBackToHttp1) {
    lines.clear();
    target.http = Target::Http::two_alpn;   // without TLS nobody chose "h2"
    EXPECT_EQ(get("/health").status, 200);
    EXPECT_EQ(get("/health").status, 200);
    EXPECT_EQ(server->connections(), 1u) << "kept alive in the other pool";
    EXPECT_EQ(pool->idle(), 1u);
}

TEST_F(H2ClientTest, DrainingServerSaysGoAwayInTwoSteps) {
    Answer slow;
    Nursery n;
    n.spawn(fetch(*pool, target, {"GET", "/hang", "", {}}, slow));
    ASSERT_TRUE(loop.until([&] { return service.alive == 1; }));
    server->drain();
    clock.advance_ms(1'001);
    for (int i = 0; i < 5; i++) loop.core.turn(1);
    Answer after = get("/health");   // a notice was sent: the client goes elsewhere
    EXPECT_EQ(after.status, 200);
    EXPECT_EQ(service.alive, 1) << "the running request stays";
    n.cancel();
    for (int i = 0; i < 3; i++) {
        clock.advance_ms(1'001);
        loop.core.turn(1);
    }
    EXPECT_TRUE(loop.until([&] { return server->connections() == 0; }));
}

TEST_F(H2ClientTest, StreamsOutliveThePoolAsFailures) {
    std::unique_ptr<Upstream> up;
    loop.tasks.spawn(open(*pool, target, up));
    ASSERT_TRUE(loop.until([&] { return up != nullptr; }));
    up->send({"GET", "/hang", "", {}});
    pool.reset();
    Answer a;
    loop.tasks.spawn(read(*up, a));
    ASSERT_TRUE(loop.until([&] { return a.done; }));
    EXPECT_EQ(a.error, Code::reset_before_byte);
    EXPECT_FALSE(up->send({"GET", "/health", "", {}}));
}

// The whole way: TLS both sides, certificates both ways, h2 by ALPN.
TEST_F(H2ClientTest, ChosenByAlpnWithCertificatesBothWays) {
    auto& c = test::certificates();
    auto tls = TlsServer::load({c.cert("server"), c.key("server"), c.cert("ca")});
    ASSERT_TRUE(tls) << tls.error()->message;
    Server secure({&loop.core}, service, limits, tls->get());
    ASSERT_TRUE(secure.listen({"127.0.0.1", 0, {}}));
    secure.start();
    auto identified = TlsClient::load({c.cert("client"), c.key("client"), {c.cert("ca")}, true});
    auto nameless = TlsClient::load({{}, {}, {c.cert("ca")}, true});
    ASSERT_TRUE(identified && nameless);
    Target other = target;
    target.host = other.host = "localhost";
    target.port = other.port = secure.port();
    target.tls = other.tls = true;
    target.http = other.http = Target::Http::two_alpn;
    target.tls_client = identified->get();
    other.tls_client = nameless->get();
    other.slot = 1;
    std::vector<Answer> answers(40);
    for (auto& a : answers) loop.tasks.spawn(fetch(*pool, target, {"GET", "/stream/200000", "", {}}, a));
    ASSERT_TRUE(loop.settle());
    for (auto& a : answers) EXPECT_EQ(a.body.size(), 200'000u);
    EXPECT_EQ(secure.connections(), 1u);
    target.http = Target::Http::one;   // and the older protocol where asked for
    EXPECT_EQ(get("/health").body, "ok");
    Answer stranger;
    loop.tasks.spawn(fetch(*pool, other, {"GET", "/health", "", {}}, stranger));
    ASSERT_TRUE(loop.settle());
    EXPECT_EQ(stranger.status, 0);
    EXPECT_NE(stranger.error, Code::ok);
    pool.reset();
    for (int i = 0; i < 3; i++) loop.core.turn(1);
}

// A worker that plays frames: `script` goes out when the request has come, then it closes or waits.
struct FakeWorker : H2ClientTest {
    std::string script;
    bool close_after = false, fresh = true;   // fresh: each answer on a connection of its own
    static Task<Result<std::unique_ptr<Transport>>> connect(void* self, const Target&) {
        auto& w = *static_cast<FakeWorker*>(self);
        auto [s, c] = test::tcp_pair();
        w.dialled++;
        w.loop.tasks.spawn(w.play(std::make_unique<SocketTransport>(s)));
        co_return std::unique_ptr<Transport>(std::make_unique<SocketTransport>(c));
    }
    Task<void> play(std::unique_ptr<Transport> t) {
        t->send(h2_frame(4, 0, 0, {}));
        bool sent = false;
        std::string seen;
        for (;;) {
            auto got = co_await t->recv();
            if (got.n <= 0) co_return;
            seen.append(got.view());
            if (!sent && seen.find("/go") != std::string::npos) {
                sent = true;
                t->send(script);
                if (close_after) co_return;
            }
        }
    }
    Answer go(std::string frames, bool close = false) {
        script = std::move(frames);
        close_after = close;
        if (fresh) pool = std::make_unique<ClientPool>(loop.core, resolver, UpstreamLimits{});
        pool->connect_through(&FakeWorker::connect, this);
        // The path is sent as a literal: the encoder's Huffman form is never shorter for this text.
        return get("/go~~~~~~~~~~~~~~");
    }
    static std::string head(int flags, const std::string& status, const std::string& more = {}) {
        return h2_frame(1, flags, 1, hpack_field(":status", status) + more);
    }
};

TEST_F(FakeWorker, InterimHeadsAndTrailers) {
    Answer a = go(head(4, "100") + head(4, "103", hpack_field("link", "x")) + head(4, "200", hpack_field("x-a", "1")) + h2_frame(0, 0, 1, "ab") +
                  h2_frame(0, 0, 1, "cd") + h2_frame(1, 5, 1, hpack_field("x-trailer", "t")));
    EXPECT_EQ(a.status, 200);
    EXPECT_EQ(a.headers, "x-a: 1\n");
    EXPECT_EQ(a.body, "abcd");
    EXPECT_EQ(a.error, Code::ok);
}

TEST_F(FakeWorker, RefusedStreamMayGoElsewhere) {
    Answer a = go(h2_frame(3, 0, 1, test::be(7, 4)));
    EXPECT_EQ(a.error, Code::reset_before_byte);
    EXPECT_FALSE(a.accepted);
}

TEST_F(FakeWorker, GoAwayBelowTheStream) {
    Answer a = go(h2_frame(7, 0, 0, test::be(0, 4) + test::be(0, 4)));
    EXPECT_EQ(a.error, Code::reset_before_byte);
    EXPECT_FALSE(a.accepted);
}

TEST_F(FakeWorker, ResetByTheWorkerWasSeen) {
    Answer a = go(h2_frame(3, 0, 1, test::be(2, 4)));
    EXPECT_EQ(a.error, Code::reset_before_byte);
    EXPECT_TRUE(a.accepted);
}

TEST_F(FakeWorker, ClosedConnection) {
    EXPECT_EQ(go("", true).error, Code::reset_before_byte);
    EXPECT_EQ(go(head(4, "200") + h2_frame(0, 0, 1, "part"), true).error, Code::incomplete);
}

TEST_F(FakeWorker, Garbage) {
    EXPECT_EQ(go("HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n").error, Code::reset_before_byte);
    EXPECT_EQ(go(head(4, "2x0")).error, Code::engine_garbage);
    EXPECT_EQ(go(head(4, "200", hpack_field("Upper", "1"))).error, Code::engine_garbage);
    EXPECT_EQ(go(head(4, "200", hpack_field("connection", "close"))).error, Code::engine_garbage);
    EXPECT_EQ(go(head(4, "101")).error, Code::engine_garbage);
    EXPECT_EQ(go(head(4, "200", hpack_field("content-length", "9")) + h2_frame(0, 1, 1, "short")).error, Code::engine_garbage);
    EXPECT_EQ(go(head(4, "200", hpack_field("content-length", "2")) + h2_frame(0, 1, 1, "long")).error, Code::engine_garbage);
    EXPECT_EQ(go(h2_frame(0, 1, 1, "data first")).error, Code::reset_before_byte);   // a fault of the whole connection
}

TEST_F(FakeWorker, HeadOfTooManyFields) {
    std::string many;
    for (int i = 0; i < 200; i++) many += hpack_field("x", "y");
    EXPECT_EQ(go(head(4, "200", many)).error, Code::engine_garbage);
}

TEST_F(FakeWorker, ADeadConnectionIsNotUsedAgain) {
    fresh = false;
    Answer a = go(head(5, "200"), true);
    EXPECT_EQ(a.status, 200);
    clock.advance_ms(5);
    loop.core.turn(1);
    EXPECT_EQ(go(head(5, "200")).status, 200);
    EXPECT_EQ(dialled, 2u);
}

}  // namespace
}  // namespace weir
