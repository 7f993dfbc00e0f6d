// Every case of tests/abuse/http1.txt through serve_http1: what the connection itself decides.
#include <set>

#include "net/exchange.h"
#include "tests/support/abuse.h"
#include "tests/support/http1_peer.h"

namespace weir {
namespace {

// Reads every body and says yes, so that a case fails only for what the connection did.
struct AcceptingService final : HttpService {
    Task<void> serve(HttpExchange& x) override {
        auto body = co_await x.read_body(64'000'000);
        Reply r;
        r.status = body ? 200 : body.error()->code == Code::bad_request ? 400 : 408;
        r.close = !body;
        x.reply(r, {});
    }
    void refuse(int, std::string_view why, std::string& lines, std::string& body) override {
        lines += "content-type: text/plain\r\n";
        body += why;
    }
};

bool connection_decides(const abuse::Expected& e) {
    static const std::set<int> statuses{400, 414, 417, 431, 501, 505};
    return !e.endpoint && statuses.contains(e.status);
}

void play(const abuse::Case& c, size_t piece) {
    ManualClock clock;
    test::NetLoop loop(clock);
    AcceptingService service;
    Budget bodies("bodies", 100'000'000);
    ServerLimits limits;
    limits.bodies = &bodies;
    std::atomic<bool> draining{false};
    auto [server, client] = test::tcp_pair();
    loop.tasks.spawn(serve_http1(std::make_unique<SocketTransport>(server), service, limits, draining));
    test::Http1Peer peer(loop, client);
    for (size_t at = 0; at < c.bytes.size(); at += piece) {
        peer.send(std::string_view(c.bytes).substr(at, piece));
        if (piece < c.bytes.size()) peer.quiet(1);
    }
    size_t wanted = 0;
    for (auto& e : c.answers) wanted += !e.wait;
    ASSERT_TRUE(peer.await_answers(wanted)) << peer.got;
    peer.quiet();
    std::vector<test::Answer> finals;
    for (auto& a : peer.answers())
        if (a.status >= 200 || a.status == 0) finals.push_back(a);
    ASSERT_EQ(finals.size(), wanted) << peer.got;
    for (size_t i = 0; i < wanted; i++) {
        int status = connection_decides(c.answers[i]) ? c.answers[i].status : 200;
        EXPECT_EQ(finals[i].status, status);
        EXPECT_EQ(finals[i].has("connection: close"), c.answers[i].close);
    }
    const abuse::Expected& last = c.answers.back();
    if (last.close) {
        ::shutdown(peer.fd, SHUT_WR);   // the server may linger until we are done
        EXPECT_TRUE(peer.await_close());
        EXPECT_FALSE(peer.was_reset) << "the answer may be lost";
        EXPECT_TRUE(loop.settle());
    } else if (!last.wait) {
        peer.send("GET /next HTTP/1.1\r\nhost: localhost\r\n\r\n");
        EXPECT_TRUE(peer.await_answers(wanted + 1)) << "the connection should have stayed";
    } else {
        EXPECT_FALSE(peer.closed);
        EXPECT_EQ(loop.tasks.size(), 1u);
    }
    loop.tasks.cancel();
    EXPECT_EQ(bodies.used(), 0u);
}

std::vector<abuse::Case> table() { return abuse::load(WEIR_SOURCE_DIR "/tests/abuse/http1.txt"); }

TEST(Http1Abuse, TheConnectionAnswersAsTheTableSays) {
    size_t played = 0;
    for (auto& c : table()) {
        if (c.answers.back().status == 413) continue;   // an endpoint's limit
        SCOPED_TRACE("line " + std::to_string(c.line) + ": " + c.name);
        play(c, c.bytes.size() + 1);
        played++;
    }
    EXPECT_GE(played, 210u);
}

TEST(Http1Abuse, TheSameInSmallPieces) {
    for (auto& c : table()) {
        if (c.answers.back().status == 413 || c.bytes.size() > 3'000) continue;
        SCOPED_TRACE("line " + std::to_string(c.line) + ": " + c.name);
        play(c, 7);
    }
}

}  // namespace
}  // namespace weir
