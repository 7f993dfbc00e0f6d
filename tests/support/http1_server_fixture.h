// serve_http1 with a service whose paths do what a test needs, on a clock of the test, and its client.
#pragma once
#include <gtest/gtest.h>
#include <algorithm>
#include <charconv>
#include <stdexcept>

#include "net/exchange.h"
#include "tests/support/http1_peer.h"

namespace weir::test {

struct PathService final : HttpService {
    int alive = 0, started = 0, finished = 0, lost = 0;   // lost: drained() said no
    bool was_blocked = false;
    size_t body_max = 1'000'000;
    uint64_t written = 0;
    std::string log, refused;
    std::vector<std::string> errors;

    struct Alive {
        int& n;
        explicit Alive(int& n) : n(n) { n++; }
        ~Alive() { n--; }
    };

    Task<void> serve(HttpExchange& x) override {
        started++;
        Alive here(alive);
        std::string path(x.head().path);
        uint64_t n = 0;
        size_t slash = path.rfind('/');
        std::from_chars(path.data() + slash + 1, path.data() + path.size(), n);
        if (path == "/echo") co_await echo(x);
        else if (path == "/hold") co_await hold(x);
        else if (path == "/hang") co_await sleep_ms(1'000'000'000);
        else if (path == "/throw") throw std::runtime_error("service");
        else if (path == "/throw-late") throw_late(x);
        else if (path == "/unanswered") co_return;
        else if (path == "/half") half(x);
        else if (path == "/bare") bare(x, 204);
        else if (path.starts_with("/status/")) plain(x, static_cast<int>(n));
        else if (path.starts_with("/log/")) log += path.substr(5), plain(x, 200);
        else if (path.starts_with("/chunks/")) chunks(x, n);
        else if (path.starts_with("/stream/")) co_await stream(x, n);
        else plain(x, 200);
        finished++;
    }
    void plain(HttpExchange& x, int status) {
        Reply r;
        r.status = status;
        r.lines = "content-type: text/plain\r\n";
        x.reply(r, "ok");
    }
    void bare(HttpExchange& x, int status) {   // nobody said how long an answer without a body is
        Reply r;
        r.status = status;
        x.begin(r, {}, true);
    }
    Task<void> echo(HttpExchange& x) {
        auto body = co_await x.read_body(body_max);
        if (!body) {
            errors.push_back(name(body.error()->code));
            Code code = body.error()->code;
            Reply r;
            r.status = code == Code::too_large ? 413 : code == Code::shed ? 503 : code == Code::request_timeout ? 408 : 400;
            x.reply(r, body.error()->message);
            co_return;
        }
        x.reply({}, x.body());
    }
    Task<void> hold(HttpExchange& x) {
        bool held = x.hold();
        if (!held) {
            plain(x, 503);
            co_return;
        }
        bool again = x.hold();
        co_await yield();
        std::fill_n(Core::here().read_buffer(), 4'096, '#');   // whoever still looks into the read buffer sees it
        std::string all(again ? "" : "hold() forgot ");
        all.append(x.head().method).append(" ").append(x.head().target).append(" ").append(x.head().host);
        for (auto& h : x.head().headers) all.append("|").append(h.name).append("=").append(h.value);
        all.append("|").append(x.body());
        x.reply({}, all);
    }
    void throw_late(HttpExchange& x) {
        x.begin({}, {}, false);
        x.write_text("some", false);
        throw std::runtime_error("late");
    }
    void half(HttpExchange& x) {
        Reply r;
        r.length = 10;
        x.begin(r, {}, false);
        x.write_text("half", false);
    }
    void chunks(HttpExchange& x, uint64_t n) {
        x.begin({}, {}, n == 0);
        for (uint64_t i = 1; i <= n; i++) x.write_text("piece" + std::to_string(i) + ";", i == n);
    }
    Task<void> stream(HttpExchange& x, uint64_t bytes) {
        std::string piece(10'000, 's');
        x.begin({}, {}, false);
        for (written = 0; written < bytes;) {
            if (!x.write_text(piece, written + piece.size() >= bytes)) co_return;
            written += piece.size();
            if (!x.blocked()) continue;
            was_blocked = true;
            bool more = co_await x.drained();
            if (more) continue;
            lost++;
            co_return;
        }
    }
    void refuse(int status, std::string_view why, std::string& lines, std::string& body) override {
        refused = std::to_string(status) + " " + std::string(why);
        lines += "content-type: text/plain\r\n";
        body += why;
    }
};

struct Http1ServerTest : testing::Test {
    ManualClock clock;
    NetLoop loop{clock};
    PathService service;
    Budget bodies{"bodies", 10'000'000};
    ServerLimits limits;
    std::atomic<bool> draining{false};
    std::unique_ptr<Http1Peer> peer;

    Http1ServerTest() { limits.bodies = &bodies; }
    ~Http1ServerTest() override {
        loop.tasks.cancel();
        EXPECT_EQ(service.alive, 0);
        EXPECT_EQ(bodies.used(), 0u);
    }
    Http1Peer& open(bool tcp = false) {
        int fds[2];
        if (tcp) std::tie(fds[0], fds[1]) = tcp_pair();
        else EXPECT_EQ(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fds), 0);
        loop.tasks.spawn(serve_http1(std::make_unique<SocketTransport>(fds[0]), service, limits, draining));
        peer = std::make_unique<Http1Peer>(loop, fds[1]);
        return *peer;
    }
    // One connection, these bytes, so many answers.
    std::vector<Answer> ask(std::string_view bytes, size_t answers, std::vector<size_t> to_head = {}) {
        Http1Peer& p = open();
        p.to_head = std::move(to_head);
        p.send(bytes);
        EXPECT_TRUE(p.await_answers(answers)) << p.got.substr(0, 500);
        p.quiet();
        auto all = p.answers();
        all.resize(std::max(all.size(), answers));   // what did not come is an empty answer, not the end of the test program
        return all;
    }
    void pass_ms(uint64_t ms) {
        clock.advance_ms(ms);
        peer->quiet();
    }
    static std::string get(std::string_view path, std::string_view more = {}) {
        return "GET " + std::string(path) + " HTTP/1.1\r\nhost: h\r\n" + std::string(more) + "\r\n";
    }
    static std::string post(std::string_view path, std::string_view body, std::string_view more = {}) {
        return "POST " + std::string(path) + " HTTP/1.1\r\nhost: h\r\ncontent-length: " + std::to_string(body.size()) + "\r\n" +
               std::string(more) + "\r\n" + std::string(body);
    }
    static std::string post_chunked(std::string_view path, std::string_view body, size_t piece) {
        return "POST " + std::string(path) + " HTTP/1.1\r\nhost: h\r\ntransfer-encoding: chunked\r\n\r\n" + chunked(body, piece);
    }
};

}  // namespace weir::test
