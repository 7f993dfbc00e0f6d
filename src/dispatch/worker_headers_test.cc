#include "dispatch/worker_headers.h"

#include <gtest/gtest.h>

#include <memory>

namespace weir::dispatch {
namespace {

std::string for_worker(std::string_view lines, std::string_view id = "id-1") {
    std::string bytes = "POST / HTTP/1.1\r\nhost: h\r\n" + std::string(lines) + "\r\n", out;
    auto space = std::make_unique<HeaderSpace>();
    RequestHead head;
    BadHead bad;
    EXPECT_EQ(parse_request_head(bytes, *space, head, bad), Parse::done) << bad.why;
    append_worker_lines(out, head.headers, id);
    return out;
}
std::string for_client(std::string_view lines, bool* date = nullptr) {
    std::string bytes = "HTTP/1.1 200 OK\r\n" + std::string(lines) + "\r\n", out;
    auto space = std::make_unique<HeaderSpace>();
    ResponseHead head;
    BadHead bad;
    EXPECT_EQ(parse_response_head(bytes, false, *space, head, bad), Parse::done) << bad.why;
    bool has = append_client_lines(out, head);
    if (date) *date = has;
    return out;
}

TEST(WorkerLines, OnlyListedFieldsGoToWorkers) {
    EXPECT_EQ(for_worker("Authorization: Bearer k\r\nContent-Type: application/json\r\nAccept: */*\r\ntraceparent: 00-1\r\n"
                         "tracestate: a=b\r\nX-Correlation-Id: c\r\nx-smg-routing-key: r\r\nX-Weir-Debug: 1\r\nx-request-id-parent: p\r\n"),
              "Authorization: Bearer k\r\nContent-Type: application/json\r\nAccept: */*\r\ntraceparent: 00-1\r\n"
              "tracestate: a=b\r\nX-Correlation-Id: c\r\nx-smg-routing-key: r\r\nX-Weir-Debug: 1\r\nx-request-id-parent: p\r\nx-request-id: id-1\r\n");
    EXPECT_EQ(for_worker("Cookie: s=1\r\nUser-Agent: curl\r\nAccept-Encoding: gzip\r\nX-Forwarded-For: 1.2.3.4\r\nTE: trailers\r\n"
                         "Connection: close\r\nX-Api-Key: k\r\nExpect: 100-continue\r\nContent-Length: 0\r\n"),
              "x-request-id: id-1\r\n");
}

TEST(WorkerLines, TheRequestIdIsOurs) {
    EXPECT_EQ(for_worker("x-request-id: from the client\r\n"), "x-request-id: id-1\r\n");
    EXPECT_EQ(for_worker("x-request-id: from the client\r\n", ""), "");
}

TEST(ClientLines, AllButWhatBelongsToOneHop) {
    EXPECT_EQ(for_client("Content-Type: text/event-stream\r\nServer: uvicorn\r\nSet-Cookie: a=1\r\nX-Anything: y\r\n"),
              "Content-Type: text/event-stream\r\nServer: uvicorn\r\nSet-Cookie: a=1\r\nX-Anything: y\r\n");
    EXPECT_EQ(for_client("Transfer-Encoding: chunked\r\nConnection: keep-alive\r\nKeep-Alive: timeout=5\r\nTrailer: x\r\nUpgrade: h2c\r\n"
                         "Proxy-Authenticate: Basic\r\nProxy-Connection: x\r\nTE: x\r\nx-request-id: theirs\r\nx: 1\r\n"),
              "x: 1\r\n");
    EXPECT_EQ(for_client("Content-Length: 5\r\nx: 1\r\n"), "x: 1\r\n");
}

TEST(ClientLines, WhatConnectionNamesStaysToo) {
    EXPECT_EQ(for_client("Connection: close, X-Hop , x-other\r\nx-hop: 1\r\nX-OTHER: 2\r\nx-stays: 3\r\n"), "x-stays: 3\r\n");
    EXPECT_EQ(for_client("Connection: x-a\r\nConnection: x-b\r\nx-a: 1\r\nx-b: 2\r\nx-ab: 3\r\n"), "x-ab: 3\r\n");
}

TEST(ClientLines, TellsOfADate) {
    bool date = true;
    for_client("x: 1\r\n", &date);
    EXPECT_FALSE(date);
    EXPECT_EQ(for_client("Date: Tue, 14 Nov 2023 22:30:00 GMT\r\n", &date), "Date: Tue, 14 Nov 2023 22:30:00 GMT\r\n");
    EXPECT_TRUE(date);
    for_client("Connection: date\r\nDate: Tue, 14 Nov 2023 22:30:00 GMT\r\n", &date);
    EXPECT_FALSE(date);
}

}  // namespace
}  // namespace weir::dispatch
