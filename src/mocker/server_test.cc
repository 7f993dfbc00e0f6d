// Simulated engines over real sockets, with a blocking client.
#include "mocker/server.h"

#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <thread>

#include "mocker/drive_test.h"
#include "sim/text.h"
#include "wire/http1.h"

namespace weir::mocker {
namespace {

class Client {
public:
    explicit Client(uint16_t port) {
        fd_ = ::socket(AF_INET, SOCK_STREAM, 0);
        sockaddr_in a{};
        a.sin_family = AF_INET, a.sin_port = htons(port), a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        connected = ::connect(fd_, reinterpret_cast<sockaddr*>(&a), sizeof a) == 0;
    }
    ~Client() { leave(); }
    void leave() {
        if (fd_ >= 0) ::close(fd_);
        fd_ = -1;
    }
    void send(std::string_view method, std::string_view path, std::string_view body = {}, std::string_view lines = {}) {
        std::string out(method);
        out.append(" ").append(path).append(" HTTP/1.1\r\nhost: x\r\n").append(lines);
        out.append("content-length: ").append(std::to_string(body.size())).append("\r\n\r\n").append(body);
        ASSERT_EQ(::send(fd_, out.data(), out.size(), MSG_NOSIGNAL), static_cast<ssize_t>(out.size()));
    }
    bool try_send(std::string_view bytes) { return ::send(fd_, bytes.data(), bytes.size(), MSG_NOSIGNAL) > 0; }
    // One answer, framing removed. `ended`: the connection is over, whole() tells whether the answer was complete.
    std::string receive() {
        HeaderSpace space;
        BadHead bad;
        for (;;) {
            const Parse parsed = parse_response_head(in_, false, space, head, bad);
            if (parsed == Parse::bad) return whole = false, std::move(in_);
            if (parsed == Parse::done) break;
            if (!more()) return whole = false, std::move(in_);
        }
        BodyFramer framer;
        framer.start(head);
        status = head.status;
        closes = !head.keep_alive;
        std::string body;
        size_t at = head.head_bytes;
        for (;;) {
            while (at < in_.size() && !framer.done() && !framer.bad()) {
                std::string_view payload;
                at += framer.next(std::string_view(in_).substr(at), payload);
                body.append(payload);
            }
            if (framer.done() || framer.bad() || !more()) break;
        }
        whole = framer.done();
        in_.erase(0, at);
        return body;
    }
    bool at_end() { return in_.empty() && !more(); }
    std::string roundtrip(std::string_view method, std::string_view path, std::string_view body = {}, std::string_view lines = {}) {
        send(method, path, body, lines);
        return receive();
    }
    // Bytes until the connection ends.
    std::string drain() {
        while (more()) {}
        return std::move(in_);
    }
    bool has(std::string_view text) const { return in_.find(text) != in_.npos; }
    bool more() {
        char buffer[4096];
        const ssize_t n = ::recv(fd_, buffer, sizeof buffer, 0);
        if (n > 0) in_.append(buffer, static_cast<size_t>(n));
        reset = n < 0 && errno == ECONNRESET;
        return n > 0;
    }
    bool connected = false, whole = false, reset = false, closes = false;
    int status = 0;
    ResponseHead head;

private:
    int fd_ = -1;
    std::string in_;
};

struct SkippingClock final : Clock {
    std::atomic<uint64_t> skipped{0};
    Instant now() const override { return system_clock().now() + skipped; }
    UnixMs wall() const override { return system_clock().wall(); }
};

class MockServer : public ::testing::Test {
protected:
    void serve(FleetSettings f) {
        core_ = std::make_unique<Core>(0, clock_, std::make_unique<EpollPoller>(), 1);
        server_ = std::make_unique<FleetServer>(std::vector<Core*>{core_.get()}, f);
        auto done = server_->listen();
        ASSERT_TRUE(done) << done.error()->detail;
        server_->start();
        thread_ = std::thread([this] { core_->run(); });
    }
    void serve(EngineSettings e = instant_engine()) {
        FleetSettings f;
        f.engine = std::move(e);
        serve(std::move(f));
    }
    void TearDown() override {
        if (!core_) return;
        core_->stop();
        thread_.join();
        server_.reset();
    }
    uint16_t port(size_t i = 0) const { return server_->port(i); }
    // Asks for /metrics until the line is there: the engine learns of a client that left through its socket.
    bool see_metric(std::string_view line, size_t engine = 0) {
        Client c(port(engine));
        for (int i = 0; i < 20'000; ++i)
            if (c.roundtrip("GET", "/metrics").find(line) != std::string::npos) return true;
        return false;
    }
    SkippingClock clock_;
    std::unique_ptr<Core> core_;
    std::unique_ptr<FleetServer> server_;
    std::thread thread_;
};

const std::string unary = R"({"messages":[{"role":"user","content":"hi"}],"max_tokens":4,"seed":5})";
const std::string stream = R"({"messages":[{"role":"user","content":"hi"}],"max_tokens":4,"seed":5,"stream":true})";
constexpr std::string_view chat = "/v1/chat/completions";

TEST_F(MockServer, AnswersOnOneConnection) {
    serve();
    Client c(port());
    EXPECT_EQ(c.roundtrip("GET", "/health"), "");
    EXPECT_EQ(c.status, 200);
    for (int i = 0; i < 3; ++i) {
        EXPECT_NE(c.roundtrip("POST", chat, unary).find(sim::words(5, 4)), std::string::npos);
        EXPECT_EQ(c.head.body, BodyKind::length);
        const std::string events = c.roundtrip("POST", chat, stream);
        EXPECT_TRUE(c.whole);
        EXPECT_TRUE(events.ends_with("data: [DONE]\n\n"));
    }
    EXPECT_NE(c.roundtrip("GET", "/nope").find("Not Found"), std::string::npos);
    EXPECT_EQ(c.status, 404);
    EXPECT_NE(c.roundtrip("POST", chat, "{").find("BadRequestError"), std::string::npos);
    EXPECT_FALSE(c.closes);
}

TEST_F(MockServer, MoreTokensThanOneTurnOfStepsStillCome) {
    serve();
    Client c(port());
    const std::string body = c.roundtrip("POST", chat, R"({"messages":[{"role":"user","content":"hi"}],"max_tokens":900,"seed":5})");
    EXPECT_NE(body.find(sim::words(5, 900)), std::string::npos);
}

TEST_F(MockServer, EachEngineHasItsPort) {
    FleetSettings f;
    f.engine = instant_engine();
    f.num_workers = 3;
    serve(f);
    EXPECT_NE(port(0), port(1));
    EXPECT_NE(port(1), port(2));
    for (size_t i = 0; i < 3; ++i) {
        Client c(port(i));
        EXPECT_NE(c.roundtrip("POST", chat, unary).find(sim::words(5, 4)), std::string::npos);
        EXPECT_NE(c.roundtrip("GET", "/metrics").find("weir_mocker_requests_total{model_name=\"mock\",worker=\"" + std::to_string(i) + "\"} 1\n"),
                  std::string::npos);
        EXPECT_EQ(server_->url(i), "http://127.0.0.1:" + std::to_string(port(i)));
    }
}

TEST_F(MockServer, AClientThatLeavesIsSeenByTheEngine) {
    EngineSettings e = instant_engine();
    e.engine.speedup_ratio = 1;
    e.engine.timing = sim::Timing::flat(1e9, 3'600'000);   // a step takes an hour
    FleetSettings f;
    f.engine = e;
    f.num_workers = 2;
    serve(f);
    for (size_t i : {0, 1}) {
        Client c(port(i));
        c.send("POST", chat, i ? unary : stream);
        ASSERT_TRUE(see_metric("vllm:num_requests_running{engine=\"0\",model_name=\"mock\"} 1\n", i));
        c.leave();
        ASSERT_TRUE(see_metric("vllm:num_requests_running{engine=\"0\",model_name=\"mock\"} 0\n", i));
        EXPECT_TRUE(see_metric("weir_mocker_cancelled_total{model_name=\"mock\",worker=\"" + std::to_string(i) + "\"} 1\n", i));
    }
}

TEST_F(MockServer, BreaksHttpWhenAsked) {
    serve();
    auto bytes = [&](std::string_view fault, const std::string& body) {
        Client c(port());
        c.send("POST", chat, body, "x-weir-fault: " + std::string(fault) + "\r\n");
        return c.drain();
    };
    EXPECT_EQ(bytes("nothing", unary), "");
    EXPECT_EQ(bytes("nothing", stream), "");
    EXPECT_TRUE(bytes("garbage_head", unary).starts_with("\x16\x03"));
    for (const std::string& body : {unary, stream}) {
        Client good(port());
        const size_t size = good.roundtrip("POST", chat, body).size();
        EXPECT_NE(bytes("short_length", body).find("content-length: " + std::to_string(size / 2) + "\r\n"), std::string::npos);
        EXPECT_NE(bytes("long_length", body).find("content-length: " + std::to_string(size + 100) + "\r\n"), std::string::npos);
        Client half(port());
        half.roundtrip("POST", chat, body, "x-weir-fault: half_chunk:after=2\r\n");
        EXPECT_EQ(half.status, 200);
        EXPECT_FALSE(half.whole);
        EXPECT_FALSE(half.reset);
    }
    Client after(port());
    EXPECT_NE(after.roundtrip("POST", chat, unary).find(sim::words(5, 4)), std::string::npos);
}

TEST_F(MockServer, DropsConnections) {
    serve();
    Client fin(port());
    const std::string two = fin.roundtrip("POST", chat, stream, "x-weir-fault: drop:after=2,with=fin\r\n");
    EXPECT_FALSE(fin.whole);
    EXPECT_FALSE(fin.reset);
    EXPECT_EQ(two.find("[DONE]"), std::string::npos);
    EXPECT_NE(two.find("data: "), std::string::npos);
    Client rst(port());
    rst.roundtrip("POST", chat, stream, "x-weir-fault: drop:after=2\r\n");
    EXPECT_FALSE(rst.whole);
    Client none(port());
    EXPECT_EQ(none.roundtrip("POST", chat, stream, "x-weir-fault: drop:with=fin\r\n"), "");
    EXPECT_EQ(none.status, 0);
    Client half(port());
    EXPECT_FALSE(half.roundtrip("POST", chat, unary, "x-weir-fault: drop:after=1,with=fin\r\n").empty());
    EXPECT_EQ(half.status, 200);
    EXPECT_FALSE(half.whole);
    Client page(port());
    page.roundtrip("GET", "/health", {}, "x-weir-fault: drop:with=fin\r\n");
    EXPECT_EQ(page.status, 0);
    EXPECT_TRUE(see_metric("weir_mocker_cancelled_total{model_name=\"mock\",worker=\"0\"} 0\n"));   // no client left
}

TEST_F(MockServer, EndsConnectionsAfterAnAnswer) {
    serve();
    Client said(port());
    said.roundtrip("POST", chat, unary, "x-weir-fault: close_each\r\n");
    EXPECT_TRUE(said.whole);
    EXPECT_TRUE(said.closes);
    EXPECT_TRUE(said.at_end());
    for (const std::string& body : {unary, stream}) {
        Client silent(port());
        silent.roundtrip("POST", chat, body, "x-weir-fault: close_each:announce=no\r\n");
        EXPECT_TRUE(silent.whole);
        EXPECT_FALSE(silent.closes);
        EXPECT_TRUE(silent.at_end());
        Client idle(port());
        idle.roundtrip("POST", chat, body, "x-weir-fault: close_idle:ms=1\r\n");
        EXPECT_TRUE(idle.whole);
        EXPECT_TRUE(idle.at_end());
    }
}

TEST_F(MockServer, StallsUntilTheClientGivesUp) {
    serve();
    Client c(port());
    c.send("POST", chat, stream, "x-weir-fault: stall:after=2\r\n");
    while (!c.has(" number")) ASSERT_TRUE(c.more());   // the second token
    c.leave();
    EXPECT_TRUE(see_metric("vllm:num_requests_running{engine=\"0\",model_name=\"mock\"} 0\n"));
    Client late(port());
    EXPECT_NE(late.roundtrip("GET", "/v1/models", {}, "x-weir-fault: stall:ms=5\r\n").find("mock"), std::string::npos);
}

TEST_F(MockServer, RefusesConnectionsInAWindow) {
    FleetSettings f;
    f.engine = instant_engine();
    f.engine.faults = *sim::parse_faults("refuse:for_ms=3600000");
    serve(f);
    auto answers = [&](bool wanted) {   // the listener opens and closes on its core, a moment later
        for (int i = 0; i < 200'000; ++i) {
            Client c(port());
            if (!c.connected && !wanted) return true;
            if (!c.connected || !wanted || !c.try_send("GET /health HTTP/1.1\r\nhost: x\r\n\r\n")) continue;
            c.receive();
            if (c.status == 200) return true;
        }
        return false;
    };
    EXPECT_TRUE(answers(false));
    clock_.skipped = 3'600'000 * ns_per_ms;
    core_->post([] {});
    EXPECT_TRUE(answers(true));
}

}  // namespace
}  // namespace weir::mocker
