// Requests and answers of one HTTP/1 connection.
#include "tests/support/http1_server_fixture.h"

namespace weir {
namespace {

using test::Answer;
using test::Http1Peer;

struct Http1Server : test::Http1ServerTest {};

TEST_F(Http1Server, KeepsTheConnectionFromRequestToRequest) {
    Http1Peer& p = open();
    for (size_t i = 1; i <= 5; i++) {
        p.send(get("/"));
        ASSERT_TRUE(p.await_answers(i));
    }
    p.quiet();
    EXPECT_FALSE(p.closed);
    for (auto& a : p.answers()) {
        EXPECT_EQ(a.status, 200);
        EXPECT_EQ(a.body, "ok");
        EXPECT_TRUE(a.has("content-type: text/plain"));
        EXPECT_TRUE(a.has("content-length: 2"));
        EXPECT_TRUE(a.names("date"));
        EXPECT_FALSE(a.names("connection"));
        EXPECT_FALSE(a.names("transfer-encoding"));
    }
}

TEST_F(Http1Server, AnswersPipelinedRequestsInOrder) {
    std::string all;
    for (int i = 0; i < 50; i++) all += i % 3 == 0 ? get("/log/" + std::to_string(i % 10)) : i % 3 == 1 ? post("/echo", "b" + std::to_string(i)) : post_chunked("/echo", "c" + std::to_string(i), 1);
    auto answers = ask(all, 50);
    ASSERT_EQ(answers.size(), 50u);
    for (int i = 0; i < 50; i++) EXPECT_EQ(answers[static_cast<size_t>(i)].body, i % 3 == 0 ? "ok" : (i % 3 == 1 ? "b" : "c") + std::to_string(i));
    EXPECT_EQ(service.started, 50);
    EXPECT_FALSE(peer->closed);
}

TEST_F(Http1Server, PipelinedRequestsLetOtherConnectionsRun) {
    std::string many;
    for (size_t i = 0; i < limits::pipelined_max * 4; i++) many += get("/log/a");
    Http1Peer& first = open();
    std::unique_ptr<Http1Peer> a = std::move(peer);
    Http1Peer& b = open();
    ASSERT_EQ(::send(first.fd, many.data(), many.size(), 0), static_cast<ssize_t>(many.size()));
    std::string one = get("/log/b");
    ASSERT_EQ(::send(b.fd, one.data(), one.size(), 0), static_cast<ssize_t>(one.size()));
    EXPECT_TRUE(a->await_answers(limits::pipelined_max * 4));
    EXPECT_EQ(service.log.size(), limits::pipelined_max * 4 + 1);
    EXPECT_EQ(service.log.find('b'), limits::pipelined_max);
}

TEST_F(Http1Server, BodiesArriveInAnyPieces) {
    std::string body = "0123456789\r\n\r\nGET / HTTP/1.1\r\n\r\nabc";
    for (const std::string& request : {post("/echo", body), post_chunked("/echo", body, 7), post_chunked("/echo", body, 1000)}) {
        for (size_t split = 1; split < request.size(); split++) {
            Http1Peer& p = open();
            p.send(std::string_view(request).substr(0, split));
            p.quiet(2);
            EXPECT_EQ(p.got, "");
            p.send(request.substr(split) + get("/"));
            ASSERT_TRUE(p.await_answers(2)) << split;
            ASSERT_EQ(p.answers()[0].body, body) << split;
            ASSERT_EQ(p.answers()[1].body, "ok") << split;
        }
        Http1Peer& p = open();
        for (char c : request) {
            p.send({&c, 1});
            p.quiet(1);
        }
        ASSERT_TRUE(p.await_answers(1));
        EXPECT_EQ(p.answers()[0].body, body);
    }
}

TEST_F(Http1Server, LargeBodiesAreChargedWhileTheyAreHeld) {
    service.body_max = 4'000'000;
    std::string body(3'000'000, 'x');
    for (size_t i = 0; i < body.size(); i++) body[i] = static_cast<char>('a' + i % 25);
    auto answers = ask(post("/echo", body) + post_chunked("/echo", body, 50'000) + post("/hold", "z"), 3);
    EXPECT_EQ(answers[0].body, body);
    EXPECT_EQ(answers[1].body, body);
    EXPECT_TRUE(answers[2].body.ends_with("|z"));
    EXPECT_EQ(bodies.used(), 0u) << "an idle connection holds nothing";
    EXPECT_EQ(bodies.refused(), 0u);
}

TEST_F(Http1Server, AWholeAnswerMayBeLargerThanTheRestOfAStream) {
    service.body_max = 20'000'000;
    bodies.set_limit(40'000'000);
    std::string body(limits::write_rest_max * 8, 'w');
    Http1Peer& p = open();
    p.send(post("/echo", body), false);
    p.send(get("/"), false);
    ASSERT_TRUE(loop.until([&] { return service.finished == 1; }));
    for (int i = 0; i < 20; i++) pass_ms(limits.write_stall_ms - 1'000);   // slow, but it never stops for long
    ASSERT_TRUE(p.await_answers(2));
    EXPECT_EQ(p.answers()[0].body.size(), body.size());
}

TEST_F(Http1Server, WhatIsHeldOutlivesTheReadBuffer) {
    std::string wanted = "POST /hold?q=1 h|host=h|content-length=4|x-a=b|body";
    auto request = post("/hold?q=1", "body", "x-a:  b \r\n");
    auto answers = ask(request + request, 2);   // the second one comes out of the connection's own memory
    EXPECT_EQ(answers[0].body, wanted);
    EXPECT_EQ(answers[1].body, wanted);
    answers = ask("POST http://other:1/hold HTTP/1.1\r\nhost: h\r\ntransfer-encoding: chunked\r\n\r\n2\r\nab\r\n1\r\nc\r\n0\r\n\r\n" + get("/"), 2);
    EXPECT_EQ(answers[0].body, "POST http://other:1/hold other:1|host=h|transfer-encoding=chunked|abc");
}

TEST_F(Http1Server, AsksForABodyThatWaitsToBeAskedFor) {
    Http1Peer& q = open();
    q.send("POST /echo HTTP/1.1\r\nhost: h\r\ncontent-length: 4\r\nexpect: 100-continue\r\n\r\n");
    ASSERT_TRUE(loop.until([&] { return q.read(), q.got == "HTTP/1.1 100 Continue\r\n\r\n"; })) << q.got;
    q.send("body");
    ASSERT_TRUE(q.await_answers(1));
    EXPECT_EQ(q.answers().back().body, "body");
    q.send("POST /echo HTTP/1.1\r\nhost: h\r\ntransfer-encoding: chunked\r\nexpect: 100-continue\r\n\r\n");
    ASSERT_TRUE(loop.until([&] { return q.read(), q.answers().size() == 3; })) << "asked for once more on the same connection";
    q.send(test::chunked("more", 2));
    ASSERT_TRUE(q.await_answers(2));
    EXPECT_EQ(q.answers().back().body, "more");
}

TEST_F(Http1Server, DoesNotAskForABodyNobodyWants) {
    Http1Peer& p = open();
    p.send("POST /ignores HTTP/1.1\r\nhost: h\r\ncontent-length: 4\r\nexpect: 100-continue\r\n\r\n");
    ASSERT_TRUE(p.await_close());
    ASSERT_EQ(p.answers().size(), 1u);
    EXPECT_EQ(p.answers()[0].status, 200);
    EXPECT_TRUE(p.answers()[0].has("connection: close")) << "the body would be taken for the next request";
    Http1Peer& q = open();
    q.send("POST /echo HTTP/1.1\r\nhost: h\r\ncontent-length: 99999999\r\nexpect: 100-continue\r\n\r\n");
    ASSERT_TRUE(q.await_answers(1));
    EXPECT_EQ(q.answers()[0].status, 413);
    Http1Peer& r = open();   // it is here already
    r.send("POST /echo HTTP/1.1\r\nhost: h\r\ncontent-length: 4\r\nexpect: 100-continue\r\n\r\nbody");
    ASSERT_TRUE(r.await_answers(1));
    EXPECT_EQ(r.answers()[0].status, 200);
}

TEST_F(Http1Server, HeadHasTheHeadAndNoBody) {
    std::string head = "HEAD / HTTP/1.1\r\nhost: h\r\n\r\n", chunks = "HEAD /chunks/3 HTTP/1.1\r\nhost: h\r\n\r\n";
    auto answers = ask(head + chunks + get("/"), 3, {0, 1});
    ASSERT_EQ(answers.size(), 3u);
    EXPECT_TRUE(answers[0].has("content-length: 2"));
    EXPECT_TRUE(answers[1].has("transfer-encoding: chunked"));
    EXPECT_EQ(answers[2].body, "ok");
    EXPECT_EQ(service.finished, 3);
}

TEST_F(Http1Server, StatusesWithoutABodyHaveNoFraming) {
    auto answers = ask(get("/status/204") + get("/status/304") + get("/bare") + get("/"), 4);
    ASSERT_EQ(answers.size(), 4u);
    for (size_t i = 0; i < 3; i++) {
        EXPECT_FALSE(answers[i].names("content-length")) << i;
        EXPECT_FALSE(answers[i].names("transfer-encoding")) << i;
        EXPECT_EQ(answers[i].body, "");
    }
    EXPECT_EQ(answers[3].body, "ok");
}

TEST_F(Http1Server, AnswersOfUnknownLengthAreChunked) {
    auto answers = ask(get("/chunks/3") + get("/chunks/0") + get("/"), 3);
    EXPECT_EQ(answers[0].body, "piece1;piece2;piece3;");
    EXPECT_TRUE(answers[0].has("transfer-encoding: chunked"));
    EXPECT_EQ(answers[1].body, "");
    EXPECT_EQ(answers[2].body, "ok");
}

TEST_F(Http1Server, OldClientsGetWhatTheyUnderstand) {
    Http1Peer& p = open();
    p.send("GET / HTTP/1.0\r\n\r\n");
    ASSERT_TRUE(p.await_close());
    EXPECT_TRUE(p.answers()[0].has("connection: close"));
    EXPECT_EQ(p.answers()[0].body, "ok");
    Http1Peer& q = open();
    q.send("GET / HTTP/1.0\r\nconnection: keep-alive\r\n\r\n");
    ASSERT_TRUE(q.await_answers(1));
    EXPECT_TRUE(q.answers()[0].has("connection: keep-alive"));
    q.send("GET /chunks/2 HTTP/1.0\r\nconnection: keep-alive\r\n\r\n");
    ASSERT_TRUE(q.await_close());
    Answer last = q.answers().back();
    EXPECT_FALSE(last.names("transfer-encoding"));
    EXPECT_TRUE(last.has("connection: close"));
    EXPECT_EQ(last.body, "piece1;piece2;");
    EXPECT_FALSE(q.was_reset);
}

TEST_F(Http1Server, ClosesWhenAskedTo) {
    Http1Peer& p = open();
    p.send(get("/", "connection: close\r\n") + get("/never"));
    ASSERT_TRUE(p.await_close());
    EXPECT_EQ(p.answers().size(), 1u);
    EXPECT_TRUE(p.answers()[0].has("connection: close"));
    EXPECT_EQ(service.started, 1);
    p.leave();
    EXPECT_TRUE(loop.settle());
}

TEST_F(Http1Server, DrainingEndsKeepAliveWithTheNextAnswer) {
    Http1Peer& p = open();
    p.send(get("/"));
    ASSERT_TRUE(p.await_answers(1));
    draining = true;
    p.send(get("/"));
    ASSERT_TRUE(p.await_close());
    ASSERT_EQ(p.answers().size(), 2u);
    EXPECT_TRUE(p.answers()[1].has("connection: close"));
    EXPECT_TRUE(loop.settle());
}

}  // namespace
}  // namespace weir
