#include "planes/event_subscriber.h"

#include <gtest/gtest.h>

#include "tests/support/net_loop.h"

namespace weir {
namespace {

struct Subscriber : testing::Test, EventListener {
    ManualClock clock;
    test::NetLoop loop{clock};
    Resolver resolver{loop.core};
    test::ListenSocket listener;
    std::string said;
    int peer = -1;

    ~Subscriber() override {
        loop.tasks.cancel();
        drop();
    }
    void connected() override { said += "up;"; }
    void lost() override { said += "down;"; }
    void message(const std::vector<std::string>& frames) override {
        for (auto& f : frames) said += f + "|";
    }
    void start() { loop.tasks.spawn(subscribe_events(resolver, "tcp://127.0.0.1:" + std::to_string(listener.port), "kv-events", *this)); }
    void accept() {
        ASSERT_TRUE(loop.until([&] { return (peer = ::accept4(listener.fd, nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC)) >= 0; }));
    }
    void drop() {
        if (peer >= 0) ::close(std::exchange(peer, -1));
    }
    void say(const std::string& bytes) { ASSERT_EQ(::send(peer, bytes.data(), bytes.size(), MSG_NOSIGNAL), static_cast<ssize_t>(bytes.size())); }
    std::string hello() {
        std::string out;
        append_zmtp_greeting(out);
        append_zmtp_ready(out, "PUB");
        return out;
    }
    std::string message_of(std::initializer_list<Str> frames) {
        std::string out;
        size_t left = frames.size();
        for (Str f : frames) append_zmtp_frame(out, f, --left > 0);
        return out;
    }
    void hears(const std::string& text) {
        loop.until([&] { return said == text; });
        EXPECT_EQ(said, text);
    }
};

TEST_F(Subscriber, SaysHelloSubscribesAndHears) {
    start();
    accept();
    std::string got, want = hello();
    want.clear();
    append_zmtp_greeting(want);
    append_zmtp_ready(want, "SUB");
    auto comes = [&] {
        return loop.until([&] {
            char buffer[500];
            const ssize_t n = ::recv(peer, buffer, sizeof buffer, 0);
            if (n > 0) got.append(buffer, static_cast<size_t>(n));
            return got.size() >= want.size();
        }, 5'000);
    };
    ASSERT_TRUE(comes());
    EXPECT_EQ(got, want) << "no subscription before the publisher is ready";
    say(hello());
    hears("up;");
    append_zmtp_subscribe(want, "kv-events");
    ASSERT_TRUE(comes());
    EXPECT_EQ(got, want);
    say(message_of({"kv-events", "id", "seq", "body"}) + message_of({"kv-events", "x"}));
    hears("up;kv-events|id|seq|body|kv-events|x|");
}

TEST_F(Subscriber, ConnectsAnewAfterALoss) {
    start();
    accept();
    say(hello());
    hears("up;");
    drop();
    hears("up;down;");
    clock.advance_ms(101);
    accept();
    say(hello() + message_of({"kv-events", "x"}));
    hears("up;down;up;kv-events|x|");
}

TEST_F(Subscriber, GivesUpOnWhoeverIsNoPublisher) {
    start();
    for (const std::string& bytes : {std::string("HTTP/1.1 400 Bad Request\r\n\r\n") + std::string(64, ' '), std::string(64, '\0')}) {
        accept();
        say(bytes);
        char c;
        EXPECT_TRUE(loop.until([&] {
            const ssize_t n = ::recv(peer, &c, 1, 0);
            return n == 0 || (n < 0 && errno != EAGAIN);
        }, 5'000));
        drop();
        for (int n = 0; n < 3; n++) loop.core.turn(20);
        clock.advance_ms(500);
    }
    accept();                          // one that says nothing
    for (int i = 0; i < 3; i++) loop.core.turn(0);
    clock.advance_ms(5'001);           // long enough
    for (int i = 0; i < 3; i++) loop.core.turn(0);
    clock.advance_ms(1'000);
    drop();
    accept();
    EXPECT_EQ(said, "");
}

TEST_F(Subscriber, NobodyThereIsTriedAgain) {
    const uint16_t port = listener.port;
    loop.tasks.spawn(subscribe_events(resolver, "tcp://127.0.0.1:" + std::to_string(port), "t", *this));
    accept();
    drop();
    for (int i = 0; i < 5; i++) {      // dropped, it comes back
        for (int n = 0; n < 3; n++) loop.core.turn(20);
        clock.advance_ms(6'000);
        accept();
        drop();
    }
    EXPECT_EQ(said, "");
}

TEST(EventEndpoints, HostAndPort) {
    EXPECT_EQ(read_event_endpoint("tcp://192.0.2.2:34269")->second, 34269);
    EXPECT_EQ(read_event_endpoint("tcp://[::1]:9")->first, "::1");
    for (const char* bad : {"", "ipc:///x", "tcp://", "tcp://h", "tcp://:1", "tcp://h:0", "tcp://h:1x", "tcp://h:70000"}) EXPECT_FALSE(read_event_endpoint(bad)) << bad;
}

}  // namespace
}  // namespace weir
