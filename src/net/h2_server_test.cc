// The serving side of HTTP/2: time, windows, budgets, leaving. Single frame faults are in tests/abuse/http2.txt.
#include <gtest/gtest.h>

#include "net/exchange.h"
#include "net/h2_guard.h"
#include "net/h2_head.h"
#include "tests/support/h2_cases.h"
#include "tests/support/net_loop.h"
#include "tests/support/net_service.h"

namespace weir {
namespace {

using test::be;
using test::h2_frame;
using test::hpack_field;

std::string request(const std::string& method, const std::string& path, int flags, uint32_t stream, const std::string& more = {}) {
    return h2_frame(1, flags, stream, hpack_field(":method", method) + hpack_field(":scheme", "http") + hpack_field(":path", path) +
                                          hpack_field(":authority", "x") + more);
}
std::string hello(const std::string& settings = {}) { return test::h2_magic + h2_frame(4, 0, 0, settings); }
std::string window_0() { return be(4, 2) + be(0, 4); }

struct H2ServerTest : testing::Test {
    ManualClock clock;
    test::NetLoop loop{clock};
    test::ScriptedService service;
    Budget bodies{"bodies", 10'000'000};
    ServerLimits limits;
    std::atomic<bool> draining{false};
    std::unique_ptr<SocketTransport> client;
    test::H2Answers answers;
    bool closed = false;
    Nursery reading;

    void SetUp() override { limits.bodies = &bodies; }
    void TearDown() override {
        reading.cancel();
        client.reset();
        EXPECT_TRUE(loop.settle());
        EXPECT_EQ(bodies.used(), 0u);
        EXPECT_EQ(service.alive, 0);
    }
    Task<void> read() {
        for (;;) {
            auto got = co_await client->recv();
            if (got.n <= 0) break;
            answers.take(got.view());
        }
        closed = true;
    }
    void start(const std::string& bytes, bool read_answers = true) {
        auto [s, c] = test::tcp_pair();
        client = std::make_unique<SocketTransport>(c);
        loop.tasks.spawn(serve_http2(std::make_unique<SocketTransport>(s), service, limits, draining, {}));
        if (read_answers) reading.spawn(read());
        send(bytes);
    }
    void send(const std::string& bytes) { ASSERT_TRUE(client->send(bytes)); }
    void turns(int n = 4) {
        while (n--) loop.core.turn(1);
    }
    bool sees(const std::string& what, const std::string& code, int stream = 0) {
        return loop.until([&] { return answers.meets({what, code, stream}, closed); });
    }
    std::string body(uint32_t stream) {
        std::string out;
        for (auto& f : answers.frames)
            if (f.type == 0 && f.stream == stream) out += f.payload;
        return out;
    }
};

TEST_F(H2ServerTest, HeadsReadLikeHttp1) {
    start(hello() + request("GET", "/health?a=b", 5, 1, hpack_field("cookie", "a=1") + hpack_field("x-a", "v w") + hpack_field("cookie", "b=2")));
    ASSERT_TRUE(sees("status", "200", 1));
    EXPECT_EQ(service.last_head, "GET /health?a=b host=x\nhost: x\nx-a: v w\ncookie: a=1; b=2\n");
    EXPECT_EQ(body(1), "ok");
}

TEST_F(H2ServerTest, IdleConnectionsEnd) {
    start(hello() + request("GET", "/health", 5, 1));
    ASSERT_TRUE(sees("status", "200", 1));
    turns();
    clock.advance_ms(limits.idle_ms - 1);
    turns();
    EXPECT_FALSE(answers.meets({"goaway", "NO_ERROR", 0}, true));
    clock.advance_ms(2);
    EXPECT_TRUE(loop.until([&] { return answers.meets({"goaway", "NO_ERROR", 0}, true); }));
}

TEST_F(H2ServerTest, PingsDoNotKeepAnIdleConnection) {
    start(hello());
    turns();
    for (int i = 0; i < 11 && !closed; i++) {
        send(h2_frame(6, 0, 0, std::string(8, 'p')));
        turns(1);
        clock.advance_ms(limits.idle_ms / 10);
    }
    EXPECT_TRUE(sees("goaway", "NO_ERROR"));
}

TEST_F(H2ServerTest, SilenceInPrefaceOrHeaderBlockEnds) {
    start(test::h2_magic.substr(0, 10));
    turns();
    clock.advance_ms(limits.head_ms + 1);
    EXPECT_TRUE(loop.until([&] { return closed; }));

    answers = {};
    closed = false;
    start(hello() + request("GET", "/health", 1, 1));   // no END_HEADERS
    turns();
    clock.advance_ms(limits.head_ms + 1);
    EXPECT_TRUE(loop.until([&] { return closed; }));
    EXPECT_EQ(service.started, 0);
}

TEST_F(H2ServerTest, StreamsKeepTheConnection) {
    start(hello() + request("GET", "/hang", 5, 1));
    turns();
    EXPECT_EQ(service.alive, 1);
    for (int i = 0; i < 5; i++) {
        clock.advance_ms(limits.idle_ms);
        turns(2);
    }
    EXPECT_FALSE(closed);
    EXPECT_EQ(service.alive, 1);
}

TEST_F(H2ServerTest, ResetAndLeavingDestroyTheWork) {
    start(hello() + request("GET", "/hang", 5, 1) + request("GET", "/hang", 5, 3));
    turns();
    EXPECT_EQ(service.alive, 2);
    send(h2_frame(3, 0, 1, be(8, 4)));
    EXPECT_TRUE(loop.until([&] { return service.alive == 1; }));
    reading.cancel();
    client.reset();
    EXPECT_TRUE(loop.until([&] { return service.alive == 0; }));
    EXPECT_TRUE(loop.settle());
}

TEST_F(H2ServerTest, HalfCloseWhereAllowed) {
    limits.allow_half_close = true;
    start(hello() + request("POST", "/echo", 4, 1, hpack_field("content-length", "2")) + h2_frame(0, 1, 1, "hi"));
    client->finish_send();
    ASSERT_TRUE(loop.until([&] { return closed; }));
    EXPECT_EQ(body(1), "hi");
}

TEST_F(H2ServerTest, BodyStallTimesOut) {
    start(hello() + request("POST", "/echo", 4, 1, hpack_field("content-length", "10")) + h2_frame(0, 0, 1, "abc"));
    turns();
    clock.advance_ms(limits.body_stall_ms - 1);
    turns();
    send(h2_frame(0, 0, 1, "de"));
    turns();
    clock.advance_ms(limits.body_stall_ms - 1);
    turns();
    EXPECT_EQ(service.alive, 1);
    clock.advance_ms(2);
    ASSERT_TRUE(sees("status", "408", 1));
    EXPECT_EQ(service.last_error, "request_timeout");
    clock.advance_ms(limits.body_stall_ms + 1);
    EXPECT_TRUE(sees("rst", "NO_ERROR", 1)) << "the rest is not waited for";
}

TEST_F(H2ServerTest, BodyTotalTimesOut) {
    start(hello() + request("POST", "/echo", 4, 1));
    for (int i = 0; i < 12; i++) {
        send(h2_frame(0, 0, 1, "x"));
        turns(2);
        clock.advance_ms(limits.body_total_ms / 10 - 1);
    }
    EXPECT_TRUE(sees("status", "408", 1));
}

TEST_F(H2ServerTest, BodyLimits) {
    service.body_max = 1'000;
    start(hello() + request("POST", "/echo", 4, 1, hpack_field("content-length", "1001")));
    ASSERT_TRUE(sees("status", "413", 1));
    std::string rest = request("POST", "/echo", 4, 3);
    for (int i = 0; i < 3; i++) rest += h2_frame(0, 0, 3, std::string(500, 'x'));
    send(rest);
    ASSERT_TRUE(loop.until([&] { return body(3).find("larger than 1000 bytes") != std::string::npos; }));
    service.body_max = 100'000'000;
    send(request("POST", "/echo", 4, 5, hpack_field("content-length", "10000001")));   // beyond the whole budget
    ASSERT_TRUE(loop.until([&] { return body(5).find("larger than the gateway's budget") != std::string::npos; }));
    send(request("POST", "/echo", 5, 7));
    EXPECT_TRUE(sees("status", "200", 7));
}

TEST_F(H2ServerTest, EmptyBudgetSheds) {
    bodies.take(9'999'900);
    start(hello() + request("POST", "/echo", 4, 1, hpack_field("content-length", "20000")) + h2_frame(0, 0, 1, std::string(10'000, 'x')));
    for (int i = 0; i < 600 && service.last_error.empty(); i++) {
        turns(1);
        clock.advance_ms(20);
    }
    EXPECT_EQ(service.last_error, "shed");
    EXPECT_TRUE(sees("status", "503", 1));
    bodies.give(9'999'900);
    send(request("POST", "/echo", 4, 3, hpack_field("content-length", "5")) + h2_frame(0, 1, 3, "hello"));
    EXPECT_TRUE(sees("status", "200", 3));
}

TEST_F(H2ServerTest, UnreadBodiesKeepTheWindowShut) {
    start(hello() + request("POST", "/hang", 4, 1));
    for (int i = 0; i < 4; i++) send(h2_frame(0, 0, 1, std::string(16'000, 'x')));
    turns();
    for (auto& f : answers.frames) EXPECT_NE(f.type, 8) << "no window update for what nobody took";
    send(h2_frame(0, 0, 1, std::string(2'000, 'x')));   // beyond 65,535
    EXPECT_TRUE(loop.until([&] { return answers.meets({"rst", "FLOW_CONTROL_ERROR", 1}, closed) || answers.meets({"goaway", "FLOW_CONTROL_ERROR", 0}, true); }));
}

TEST_F(H2ServerTest, EarlyAnswerLetsALittleRestCome) {
    start(hello() + request("POST", "/early", 4, 1, hpack_field("content-length", "150000")) + h2_frame(0, 0, 1, std::string(10'000, 'x')));
    ASSERT_TRUE(sees("status", "200", 1));
    for (int i = 1; i < 15; i++) {   // dropped, and both windows live
        send(h2_frame(0, i == 14, 1, std::string(10'000, 'x')));
        turns(1);
    }
    send(request("POST", "/echo", 4, 3, hpack_field("content-length", "5")) + h2_frame(0, 1, 3, "hello"));
    ASSERT_TRUE(sees("status", "200", 3));
    for (auto& f : answers.frames) EXPECT_NE(f.type, 3) << answers.text();
}

TEST_F(H2ServerTest, EarlyAnswerStopsALongBody) {
    start(hello() + request("POST", "/early", 4, 1));
    ASSERT_TRUE(sees("status", "200", 1));
    for (int i = 0; i < 66 && !answers.ended(3); i++) {
        send(h2_frame(0, 0, 1, std::string(16'000, 'x')));
        turns(2);
    }
    EXPECT_TRUE(sees("rst", "NO_ERROR", 1));
    send(request("POST", "/echo", 4, 3, hpack_field("content-length", "5")) + h2_frame(0, 1, 3, "hello"));
    ASSERT_TRUE(sees("status", "200", 3));
}

TEST_F(H2ServerTest, ExpectContinue) {
    start(hello() + request("POST", "/echo", 4, 1, hpack_field("expect", "100-continue") + hpack_field("content-length", "5")));
    turns();
    ASSERT_TRUE(sees("status", "100", 1));
    send(h2_frame(0, 1, 1, "hello"));
    ASSERT_TRUE(loop.until([&] { return body(1) == "hello"; }));
}

TEST_F(H2ServerTest, ShutWindowBoundsWhatIsHeld) {
    start(hello(window_0()) + request("GET", "/stream/1000000", 5, 1));
    turns();
    EXPECT_TRUE(service.saw_blocked);
    EXPECT_LE(service.written, limits::h2_stream_out_max + 10'000);
    EXPECT_EQ(body(1), "");
    send(h2_frame(8, 0, 0, be(10'000'000, 4)) + h2_frame(8, 0, 1, be(500'000, 4)));
    ASSERT_TRUE(loop.until([&] { return body(1).size() == 500'000; }));
    EXPECT_EQ(service.alive, 1);
    send(h2_frame(8, 0, 1, be(600'000, 4)));
    ASSERT_TRUE(loop.until([&] { return body(1).size() == 1'000'000; }));
    EXPECT_TRUE(answers.ended(1));
}

TEST_F(H2ServerTest, ShutWindowIsResetInTheEnd) {
    start(hello(window_0()) + request("GET", "/stream/1000000", 5, 1) + request("GET", "/hang", 5, 3));
    turns();
    EXPECT_EQ(service.alive, 2);
    clock.advance_ms(limits.write_stall_ms + 1);
    ASSERT_TRUE(sees("rst", "INTERNAL_ERROR", 1));
    EXPECT_TRUE(loop.until([&] { return service.alive == 1; })) << "the other stream goes on";
}

// A finished answer too: its service is gone, its bytes wait.
TEST_F(H2ServerTest, ShutWindowAfterTheServiceEnded) {
    start(hello(window_0()) + request("GET", "/health", 5, 1));
    turns();
    EXPECT_EQ(service.finished, 1);
    clock.advance_ms(limits.write_stall_ms + 1);
    EXPECT_TRUE(sees("rst", "INTERNAL_ERROR", 1));
}

TEST_F(H2ServerTest, ClientThatReadsNothingIsLeft) {
    start(hello(be(4, 2) + be(0x7fffffff, 4)) + h2_frame(8, 0, 0, be(0x7fff0000, 4)) + request("GET", "/stream/90000000", 5, 1), false);
    ASSERT_TRUE(loop.until([&] { return service.saw_blocked; }));
    turns();
    uint64_t stuck_at = service.written;
    turns();
    EXPECT_EQ(service.written, stuck_at);
    clock.advance_ms(limits.write_stall_ms + 1);
    EXPECT_TRUE(loop.until([&] { return loop.tasks.size() == 0; }));
}

TEST_F(H2ServerTest, DrainsInTwoSteps) {
    start(hello() + request("GET", "/hang", 5, 1));
    turns();
    draining = true;
    clock.advance_ms(1'001);
    turns();
    auto goaways = [&] {
        std::vector<uint32_t> last;
        for (auto& f : answers.frames)
            if (f.type == 7) last.push_back(test::H2Answers::u32(f.payload, 0));
        return last;
    };
    EXPECT_EQ(goaways(), std::vector<uint32_t>{0x7fffffff});
    send(request("GET", "/health", 5, 3));   // was on its way
    ASSERT_TRUE(sees("status", "200", 3));
    clock.advance_ms(1'001);
    turns();
    EXPECT_EQ(goaways(), (std::vector<uint32_t>{0x7fffffff, 3}));
    EXPECT_FALSE(closed);
    send(h2_frame(3, 0, 1, be(8, 4)));       // the last stream ends, so does the connection
    EXPECT_TRUE(loop.until([&] { return closed; }));
}

TEST_F(H2ServerTest, AnswersOfManyStreamsInterleave) {
    std::string all = hello(be(4, 2) + be(200'000, 4)) + h2_frame(8, 0, 0, be(100'000'000, 4));
    for (uint32_t i = 0; i < limits::h2_streams_max; i++) all += request("GET", "/stream/100000", 5, 1 + 2 * i);
    start(all);
    for (uint32_t i = 0; i < limits::h2_streams_max; i++)
        ASSERT_TRUE(loop.until([&] { return answers.ended(static_cast<int>(1 + 2 * i)); })) << i;
    size_t bytes = 0;
    for (auto& f : answers.frames)
        if (f.type == 0) bytes += f.payload.size();
    EXPECT_EQ(bytes, limits::h2_streams_max * 100'000) << answers.text();
    EXPECT_FALSE(closed);
}

TEST_F(H2ServerTest, EveryByteByItself) {
    std::string all = hello() + request("POST", "/echo", 4, 1, hpack_field("content-length", "5")) + h2_frame(0, 8 | 1, 1, std::string("\x02hello\0\0", 8)) +
                      request("GET", "/health", 5, 3);
    start({});
    for (char c : all) {
        send(std::string(1, c));
        turns(1);
    }
    EXPECT_TRUE(sees("status", "200", 1));
    EXPECT_TRUE(sees("status", "200", 3));
    EXPECT_EQ(body(1), "hello");
}

TEST_F(H2ServerTest, DestroyedAtAnyMoment) {
    std::string all = hello() + request("POST", "/echo", 4, 1) + h2_frame(0, 0, 1, std::string(9'000, 'x')) + request("GET", "/hang", 5, 3) +
                      request("GET", "/stream/3000000", 5, 5) + request("GET", "/abort", 5, 7) + request("GET", "/throw", 5, 9);
    for (size_t cut = 0; cut <= all.size(); cut += 613) {
        start(all.substr(0, cut));
        turns(static_cast<int>(cut % 4));
        reading.cancel();
        client.reset();
        if (cut % 2) loop.tasks.cancel();
        ASSERT_TRUE(loop.settle());
        answers = {};
        closed = false;
    }
    EXPECT_EQ(bodies.used(), 0u);
}

TEST(H2GuardTest, CountsAcrossAnySplit) {
    std::string frames;
    for (size_t i = 0; i < limits::h2_settings_per_s_max; i++) frames += h2_frame(4, 0, 0, std::string(6, 'x'));
    size_t allowed = frames.size();
    frames += h2_frame(4, 0, 0, "one too many");
    for (size_t step : {1u, 2u, 7u, 9u, 10u, 100'000u}) {
        H2Guard guard(3);
        EXPECT_EQ(guard.scan("PRI", 5), 3u);
        size_t at = 0;
        while (at < frames.size()) {
            size_t n = std::min(step, frames.size() - at), took = guard.scan(std::string_view(frames).substr(at, n), 5);
            at += took;
            if (took < n) break;
        }
        EXPECT_STREQ(guard.why(), "too many SETTINGS frames") << step;
        EXPECT_GE(at, allowed);
        EXPECT_LT(at, allowed + 9) << "nothing of the frame itself";
    }
}

TEST(H2GuardTest, StopsBeforeDataAndGoesOn) {
    std::string frames = h2_frame(0, 0, 5, "abc") + h2_frame(0, 1, 7, "") + h2_frame(6, 0, 0, "12345678");
    for (size_t step = 1; step < frames.size(); step++) {
        H2Guard guard(0);
        std::vector<int32_t> stops;
        std::string passed;
        for (size_t at = 0; at < frames.size(); at += step) {
            std::string_view part = std::string_view(frames).substr(at, step);
            while (!part.empty()) {
                size_t n = guard.scan(part, 0);
                passed.append(part.substr(0, n));
                part.remove_prefix(n);
                if (guard.data_stream()) stops.push_back(guard.data_stream());
                else ASSERT_TRUE(part.empty());
            }
        }
        EXPECT_EQ(passed, frames);
        EXPECT_EQ(stops, (std::vector<int32_t>{5, 7})) << step;
    }
}

TEST(H2GuardTest, ASecondLaterAllIsForgiven) {
    H2Guard guard(0);
    std::string ping = h2_frame(6, 0, 0, "12345678");
    for (uint64_t ms = 0; ms < 5'000; ms += 11) EXPECT_EQ(guard.scan(ping, ms), ping.size());
    EXPECT_STREQ(guard.why(), "");
}

TEST(H2Fields, LinesBecomeFields) {
    std::string lower, seen;
    each_h2_field(lower, "Content-Type: a/b\r\nX-Y:\tz \r\nTransfer-Encoding: chunked\r\nKeep-Alive: 5\r\nEmpty:\r\n",
                  [&](std::string_view n, std::string_view v) { seen += std::string(n) + "=" + std::string(v) + "|"; });
    EXPECT_EQ(seen, "content-type=a/b|x-y=z|empty=|");
}

}  // namespace
}  // namespace weir
