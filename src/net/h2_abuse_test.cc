// Every sequence of tests/abuse/http2.txt against serve_http2 on a real socket.
#include <gtest/gtest.h>

#include <set>

#include "net/exchange.h"
#include "tests/support/h2_cases.h"
#include "tests/support/net_loop.h"

namespace weir {
namespace {

struct HealthService final : HttpService {
    Task<void> serve(HttpExchange& x) override {
        Reply r;
        r.lines = "content-type: text/plain\r\n";
        bool get = x.head().method == "GET";
        if (!get) {
            auto body = co_await x.read_body(1'000'000);
            if (!body) r.status = 400;
        }
        x.reply(r, "ok");
    }
    void refuse(int, std::string_view why, std::string& lines, std::string& body) override {
        lines += "content-type: text/plain\r\n";
        body += why;
    }
};

struct Player {
    test::H2Answers answers;
    bool closed = false;
    Task<void> read_until_end(Transport& t, int stream) {
        while (!closed && !answers.ended(stream)) {
            auto got = co_await t.recv();
            if (got.n <= 0) closed = true;
            else answers.take(got.view());
        }
    }
    Task<void> play(const test::H2Case& c, Transport& t) {
        for (auto& step : c.steps) {
            t.send(step.send);
            if (step.await_end) {
                auto reading = read_until_end(t, step.await_end);
                co_await reading;
            }
        }
        t.send(test::h2_frame(6, 0, 0, "weirtest"));
        while (!closed) {
            bool met = true;
            for (auto& e : c.expects) met = met && answers.meets(e, closed) && (e.what == "goaway" || e.what == "close" || answers.pong());
            if (met) co_return;
            auto got = co_await t.recv();
            if (got.n <= 0) closed = true;
            else answers.take(got.view());
        }
    }
};

TEST(H2Abuse, EverySequenceGetsItsAnswer) {
    auto cases = test::read_h2_cases(WEIR_SOURCE_DIR "/tests/abuse/http2.txt");
    ASSERT_GE(cases.size(), 100u);
    std::set<std::string> names;
    HealthService service;
    std::atomic<bool> draining{false};
    Budget bodies("bodies", 10'000'000);
    for (auto& c : cases) {
        SCOPED_TRACE(c.name);
        EXPECT_TRUE(names.insert(c.name).second) << "a name used twice";
        ASSERT_FALSE(c.expects.empty());
        test::NetLoop loop;
        ServerLimits limits;
        limits.bodies = &bodies;
        auto [server, client] = test::tcp_pair();
        loop.tasks.spawn(serve_http2(std::make_unique<SocketTransport>(server), service, limits, draining, {}));
        Player player;
        bool played = false;
        {
            Nursery playing;
            SocketTransport t(client);
            playing.spawn(player.play(c, t));
            played = loop.until([&] { return playing.size() == 0; });
        }
        EXPECT_TRUE(played) << "no end";
        for (auto& e : c.expects)
            EXPECT_TRUE(player.answers.meets(e, player.closed)) << e.what << " " << e.code << " " << e.stream << ", but: " << player.answers.text() << (player.closed ? "closed" : "");
        EXPECT_TRUE(loop.settle());
    }
    EXPECT_EQ(bodies.used(), 0u);
}

}  // namespace
}  // namespace weir
