// How an HTTP/1 connection ends: time, size, clients that leave, answers that break.
#include "tests/support/http1_server_fixture.h"

namespace weir {
namespace {

using test::Http1Peer;

struct Http1ServerEnds : test::Http1ServerTest {};

// --- time ---

TEST_F(Http1ServerEnds, AHeadHasItsTime) {
    Http1Peer& p = open();
    std::string head = get("/");
    for (size_t i = 0; i + 5 < head.size(); i++) {   // bytes that keep coming do not lengthen it
        p.send({&head[i], 1});
        pass_ms(1'000);
    }
    EXPECT_EQ(p.got, "");
    pass_ms(limits.head_ms + 1'000 - 1'000 * (head.size() - 5));
    ASSERT_TRUE(p.await_answers(1)) << p.got;
    EXPECT_EQ(p.answers()[0].status, 408);
    EXPECT_TRUE(p.answers()[0].has("connection: close"));
    pass_ms(2'000);
    EXPECT_TRUE(loop.settle());
    EXPECT_EQ(service.started, 0);
}

TEST_F(Http1ServerEnds, AnIdleConnectionIsClosedWithoutAWord) {
    Http1Peer& p = open();
    p.send(get("/"));
    ASSERT_TRUE(p.await_answers(1));
    pass_ms(limits.idle_ms - 10);
    EXPECT_FALSE(p.closed);
    pass_ms(20);
    ASSERT_TRUE(p.await_close());
    EXPECT_EQ(p.answers().size(), 1u);
}

TEST_F(Http1ServerEnds, ABodyThatStallsIsGivenUp) {
    Http1Peer& p = open();
    p.send("POST /echo HTTP/1.1\r\nhost: h\r\ncontent-length: 10\r\n\r\nabc");
    pass_ms(limits.body_stall_ms - 10);
    p.send("d");   // a byte is progress
    p.quiet();
    pass_ms(limits.body_stall_ms - 10);
    EXPECT_EQ(p.got, "");
    pass_ms(20);
    ASSERT_TRUE(p.await_answers(1));
    EXPECT_EQ(p.answers()[0].status, 408);
    EXPECT_EQ(service.errors, (std::vector<std::string>{"request_timeout"}));
}

TEST_F(Http1ServerEnds, ABodyHasItsTimeInAll) {
    Http1Peer& p = open();
    p.send("POST /echo HTTP/1.1\r\nhost: h\r\ncontent-length: 1000\r\n\r\n");
    uint64_t step = limits.body_stall_ms / 2;
    for (uint64_t t = 0; t <= limits.body_total_ms + step; t += step) {
        p.send("x");
        p.quiet();
        pass_ms(step);
    }
    ASSERT_TRUE(p.await_answers(1));
    EXPECT_EQ(p.answers()[0].status, 408);
}

// --- size ---

TEST_F(Http1ServerEnds, BodiesBeyondTheLimitAreRefused) {
    service.body_max = 1'000;
    auto answers = ask(post("/echo", std::string(1'000, 'x')) + post("/echo", std::string(1'001, 'x')), 2);
    EXPECT_EQ(answers[0].status, 200);
    EXPECT_EQ(answers[1].status, 413);
    answers = ask(post_chunked("/echo", std::string(1'000, 'x'), 100) + post_chunked("/echo", std::string(1'001, 'x'), 100), 2);
    EXPECT_EQ(answers[0].status, 200);
    EXPECT_EQ(answers[1].status, 413);
    Http1Peer& p = open(true);   // the client is still sending when it is told
    std::string large = post_chunked("/echo", std::string(400'000, 'x'), 10'000);
    p.send(large);
    ASSERT_TRUE(p.await_answers(1));
    EXPECT_EQ(p.answers()[0].status, 413);
    EXPECT_TRUE(p.answers()[0].has("connection: close"));
}

TEST_F(Http1ServerEnds, ABodyLargerThanTheWholeBudgetIsRefused) {
    service.body_max = 100'000'000;
    Http1Peer& p = open();
    p.send("POST /echo HTTP/1.1\r\nhost: h\r\ncontent-length: " + std::to_string(bodies.limit() + 1) + "\r\n\r\nx");
    ASSERT_TRUE(p.await_answers(1));
    EXPECT_EQ(p.answers()[0].status, 413);
}

TEST_F(Http1ServerEnds, AnEmptyBudgetHoldsTheBodyBackAndThenSheds) {
    ASSERT_TRUE(bodies.take(bodies.limit()));
    Http1Peer& p = open();
    p.send("POST /echo HTTP/1.1\r\nhost: h\r\ncontent-length: 20\r\n\r\n");
    p.quiet();
    p.send("0123456789");
    p.quiet();
    pass_ms(5'000);
    EXPECT_EQ(p.got, "");
    bodies.give(bodies.limit());   // room at last
    for (int i = 0; i < 5; i++) pass_ms(100);
    p.send("0123456789");
    ASSERT_TRUE(p.await_answers(1));
    EXPECT_EQ(p.answers()[0].status, 200);
    ASSERT_TRUE(bodies.take(bodies.limit()));
    p.send("POST /echo HTTP/1.1\r\nhost: h\r\ncontent-length: 20\r\n\r\n");
    p.quiet();
    p.send("0123456789");
    for (int i = 0; i < 1'200 && p.whole() < 2; i++) pass_ms(20);
    ASSERT_TRUE(p.await_answers(2));
    EXPECT_EQ(p.answers()[1].status, 503);
    EXPECT_EQ(service.errors, (std::vector<std::string>{"shed"}));
    bodies.give(bodies.limit());
}

TEST_F(Http1ServerEnds, HoldFailsWithTheBudget) {
    bodies.fail_nth(1);
    auto answers = ask(post("/hold", "x") + post("/hold", "x"), 2);
    EXPECT_EQ(answers[0].status, 503);
    EXPECT_EQ(answers[1].status, 200);
}

// --- endings ---

TEST_F(Http1ServerEnds, AClientThatLeavesTakesItsRequestWithIt) {
    std::string big(900'000, 'x');
    struct { std::string what, sends; bool started; } stages[] = {
        {"nothing said", "", false},
        {"within the head", "GET / HTT", false},
        {"before the body", "POST /echo HTTP/1.1\r\nhost: h\r\ncontent-length: 10\r\n\r\n", true},
        {"within the body", "POST /echo HTTP/1.1\r\nhost: h\r\ncontent-length: 10\r\n\r\nabc", true},
        {"within a large body", "POST /echo HTTP/1.1\r\nhost: h\r\ncontent-length: 1000000\r\n\r\n" + big, true},
        {"within a chunked body", "POST /echo HTTP/1.1\r\nhost: h\r\ntransfer-encoding: chunked\r\n\r\n5\r\nab", true},
        {"while the service thinks", get("/hang"), true},
        {"with a next request sent", get("/hang") + get("/"), true},
        {"within the answer", get("/stream/100000000"), true},
    };
    for (auto& stage : stages)
        for (bool reset : {false, true}) {
            SCOPED_TRACE(stage.what + (reset ? ", by a reset" : ""));
            Http1Peer& p = open(true);
            p.send(stage.sends, false);
            EXPECT_TRUE(loop.until([&] { return !stage.started || service.alive == 1; }));
            for (int i = 0; i < 5; i++) loop.core.turn(1);
            if (reset) {
                linger l{1, 0};
                setsockopt(p.fd, SOL_SOCKET, SO_LINGER, &l, sizeof l);
            }
            p.leave();
            EXPECT_TRUE(loop.until([&] { return loop.tasks.size() == 0; }));
            EXPECT_EQ(service.alive, 0);
            EXPECT_EQ(bodies.used(), 0u);
        }
}

TEST_F(Http1ServerEnds, AHalfClosedClientGetsItsAnswerOnlyWhereThatIsAllowed) {
    for (bool allowed : {false, true}) {
        limits.allow_half_close = allowed;
        Http1Peer& p = open(true);
        p.send(get("/log/x"));
        ::shutdown(p.fd, SHUT_WR);
        ASSERT_TRUE(p.await_close());
        if (allowed) {
            ASSERT_EQ(p.answers().size(), 1u);
            EXPECT_TRUE(p.answers()[0].whole);
        }
        EXPECT_TRUE(loop.settle());
    }
}

TEST_F(Http1ServerEnds, ABrokenAnswerEndsInAReset) {
    for (const char* path : {"/unanswered", "/half", "/throw", "/throw-late"}) {
        SCOPED_TRACE(path);
        for (const char* version : {"1.1", "1.0"}) {
            Http1Peer& p = open(true);
            p.send("GET " + std::string(path) + " HTTP/" + version + "\r\nhost: h\r\n\r\n");
            ASSERT_TRUE(p.await_close());
            EXPECT_TRUE(p.was_reset) << "never let a broken answer look complete";
            EXPECT_TRUE(loop.settle());
            EXPECT_EQ(service.alive, 0);
        }
    }
}

TEST_F(Http1ServerEnds, ASlowReaderSlowsTheService) {
    Http1Peer& p = open();
    p.send(get("/stream/5000000"), false);
    for (int i = 0; i < 50; i++) loop.core.turn(0);
    uint64_t stuck_at = service.written;
    EXPECT_TRUE(service.was_blocked);
    EXPECT_LT(stuck_at, 5'000'000u);
    EXPECT_EQ(service.finished, 0);
    for (int i = 0; i < 50; i++) loop.core.turn(0);
    EXPECT_EQ(service.written, stuck_at);
    ASSERT_TRUE(p.await_answers(1));
    EXPECT_EQ(p.answers()[0].body.size(), 5'000'000u);
    EXPECT_EQ(service.finished, 1);
    p.send(get("/"));
    EXPECT_TRUE(p.await_answers(2)) << "the connection goes on";
}

TEST_F(Http1ServerEnds, AReaderThatStopsIsGivenUp) {
    Http1Peer& p = open();
    p.send(get("/stream/50000000"), false);
    for (int i = 0; i < 50; i++) loop.core.turn(0);
    ASSERT_TRUE(service.was_blocked);
    clock.advance_ms(limits.write_stall_ms - 10);
    loop.core.turn(0);
    EXPECT_EQ(service.lost, 0);
    clock.advance_ms(20);
    for (int i = 0; i < 5; i++) loop.core.turn(0);
    EXPECT_EQ(service.lost, 1);
    EXPECT_TRUE(loop.settle());
}

TEST_F(Http1ServerEnds, AnAnswerThatIsNotTakenIsCutOffVisibly) {   // HTTP/1.0 ends an answer with the connection
    service.body_max = 9'000'000;
    Http1Peer& p = open(true);
    std::string body(8'000'000, 'b');
    p.send("POST /echo HTTP/1.0\r\ncontent-length: " + std::to_string(body.size()) + "\r\n\r\n" + body, false);
    ASSERT_TRUE(loop.until([&] { return service.finished == 1; }));
    clock.advance_ms(limits.write_stall_ms + 10);
    EXPECT_TRUE(loop.settle());
    EXPECT_TRUE(p.await_close());
    EXPECT_TRUE(p.was_reset);
    EXPECT_LT(p.got.size(), body.size());
}

TEST_F(Http1ServerEnds, ARefusalCanBeReadByWhoStillSends) {
    std::string junk(600'000, 'j');
    for (std::string begin : {std::string("BAD\x01 / HTTP/1.1\r\nhost: h\r\n\r\n"), std::string("GET / HTTP/9.9\r\nhost: h\r\n\r\n")}) {
        Http1Peer& p = open(true);
        EXPECT_TRUE(p.send(begin + junk, false)) << "reset while it was sending";
        ASSERT_TRUE(p.await_answers(1));
        EXPECT_TRUE(p.answers()[0].has("connection: close"));
        EXPECT_GT(p.answers()[0].body.size(), 0u);
        ::shutdown(p.fd, SHUT_WR);
        EXPECT_TRUE(p.await_close());
        EXPECT_FALSE(p.was_reset);
        EXPECT_TRUE(loop.settle());
    }
    EXPECT_EQ(service.refused.substr(0, 3), "505");
    EXPECT_EQ(service.started, 0);
}

TEST_F(Http1ServerEnds, ALastAnswerCanBeReadByWhoHasSaidMore) {
    Http1Peer& p = open(true);
    p.send(get("/stream/5000000", "connection: close\r\n"), false);
    ASSERT_TRUE(loop.until([&] { return service.was_blocked; }));
    p.send(get("/"), false);   // nobody reads it: it must not cost the answer
    ASSERT_TRUE(p.await_answers(1));
    EXPECT_EQ(p.answers()[0].body.size(), 5'000'000u);
    ::shutdown(p.fd, SHUT_WR);
    ASSERT_TRUE(p.await_close());
    EXPECT_FALSE(p.was_reset);
    EXPECT_EQ(service.started, 1);
}

TEST_F(Http1ServerEnds, LingeringHasAnEnd) {
    Http1Peer& p = open(true);
    p.send("BAD\x01 / HTTP/1.1\r\n\r\n");
    ASSERT_TRUE(p.await_answers(1));
    EXPECT_EQ(loop.tasks.size(), 1u) << "the client may still be reading";
    pass_ms(1'100);
    EXPECT_TRUE(loop.settle());
}

TEST_F(Http1ServerEnds, BrokenChunksAreRefused) {
    std::string head = "POST /echo HTTP/1.1\r\nhost: h\r\ntransfer-encoding: chunked\r\n\r\n";
    Http1Peer& p = open();
    p.send(head + "zz\r\n");   // with the head: before the service sees it
    ASSERT_TRUE(p.await_answers(1));
    EXPECT_EQ(p.answers()[0].status, 400);
    EXPECT_EQ(service.started, 0);
    Http1Peer& q = open();
    q.send(head + "3\r\nabc\r\n");
    q.quiet();
    q.send("zz\r\n");          // later: the service is told
    ASSERT_TRUE(q.await_answers(1));
    EXPECT_EQ(q.answers()[0].status, 400);
    EXPECT_TRUE(q.answers()[0].has("connection: close"));
    EXPECT_EQ(service.errors, (std::vector<std::string>{"bad_request"}));
}

}  // namespace
}  // namespace weir
