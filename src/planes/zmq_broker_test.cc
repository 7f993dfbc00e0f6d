#include "planes/zmq_broker.h"

#include <gtest/gtest.h>

#include "tests/support/net_loop.h"
#include "wire/big_endian.h"

namespace weir {
namespace {

// Two brokers of a test: what each says is the test's.
struct Broker : testing::Test, EventListener {
    ManualClock clock;
    test::NetLoop loop{clock};
    Resolver resolver{loop.core};
    test::ListenSocket listeners[2];
    int peers[2] = {-1, -1};
    std::string said;

    ~Broker() override {
        loop.tasks.cancel();
        for (int peer : peers)
            if (peer >= 0) ::close(peer);
    }
    void connected() override { said += "up;"; }
    void lost() override { said += "down;"; }
    void message(const std::vector<std::string>& f) override { said += f[0] + " " + std::to_string(read_big_endian(f[1])) + " " + f[3] + ";"; }
    static std::string number(uint64_t n) {
        std::string bytes;
        append_big_endian(bytes, n, 8);
        return bytes;
    }
    void say(int i, const std::string& bytes) { ASSERT_EQ(::send(peers[i], bytes.data(), bytes.size(), MSG_NOSIGNAL), static_cast<ssize_t>(bytes.size())); }
    void event(int i, uint64_t publisher, uint64_t sequence, const std::string& subject = "namespace.d.kv-events") {
        std::string out;
        append_zmtp_frame(out, subject, true);
        append_zmtp_frame(out, number(publisher), true);
        append_zmtp_frame(out, number(sequence), true);
        append_zmtp_frame(out, std::to_string(sequence), false);
        say(i, out);
    }
    void hears(const std::string& text) {
        loop.until([&] { return said == text; });
        EXPECT_EQ(said, text);
        said.clear();
    }
    void connect(int i) {
        ASSERT_TRUE(loop.until([&] { return (peers[i] = ::accept4(listeners[i].fd, nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC)) >= 0; }));
        std::string hello;
        append_zmtp_greeting(hello);
        append_zmtp_ready(hello, "XPUB");
        say(i, hello);
        // Its subscription has come: from now on it would be told.
        std::string got, want;
        append_zmtp_subscribe(want, "namespace.d.kv-events");
        ASSERT_TRUE(loop.until([&] {
            char buffer[500];
            const ssize_t n = ::recv(peers[i], buffer, sizeof buffer, 0);
            if (n > 0) got.append(buffer, static_cast<size_t>(n));
            return got.ends_with(want);
        }, 5'000));
    }
    void start() {
        std::vector<std::string> xpub;
        for (auto& l : listeners) xpub.push_back("tcp://127.0.0.1:" + std::to_string(l.port));
        loop.tasks.spawn(subscribe_broker_events(resolver, xpub, "namespace.d.kv-events", "kv-events", *this));
    }
};

TEST_F(Broker, EachMessageIsTakenOnceWhicheverBringsIt) {
    start();
    connect(0);
    connect(1);
    hears("up;");
    event(0, 7, 0);
    event(0, 7, 1);
    hears("kv-events 7 0;kv-events 7 1;");
    event(1, 7, 0);
    event(1, 7, 1);
    event(1, 7, 2);
    hears("kv-events 7 2;");
    event(0, 7, 4);                    // lost number 3, which the other brings
    hears("kv-events 7 4;");
    event(1, 7, 3);
    event(1, 9, 3);                    // of another publisher
    event(1, 9, 4, "namespace.d.kv-events2");
    event(1, 7, 4);
    event(1, 7, 5);
    hears("kv-events 7 3;kv-events 9 3;kv-events 7 5;");
    ::close(std::exchange(peers[0], -1));
    event(1, 7, 6);
    hears("kv-events 7 6;");
    ::close(std::exchange(peers[1], -1));
    hears("down;");
}

TEST(SeenSequences, WindowAndNewBeginnings) {
    SeenSequences seen;
    constexpr uint64_t w = SeenSequences::window;
    EXPECT_TRUE(seen.first_time(5));
    EXPECT_FALSE(seen.first_time(5));
    EXPECT_TRUE(seen.first_time(3));
    EXPECT_TRUE(seen.first_time(5 + w - 1));
    EXPECT_FALSE(seen.first_time(5));
    EXPECT_TRUE(seen.first_time(6));
    EXPECT_TRUE(seen.first_time(10 * w));
    EXPECT_FALSE(seen.first_time(5 * w));   // too far back to know
    EXPECT_TRUE(seen.first_time(10 * w - 1));
    EXPECT_TRUE(seen.first_time(0));        // began anew
    EXPECT_TRUE(seen.first_time(1));
    EXPECT_FALSE(seen.first_time(1));
    EXPECT_TRUE(seen.first_time(UINT64_MAX));
}

TEST(ZmqBrokers, AsDynamoWritesThem) {
    const auto b = read_zmq_broker("xsub=tcp://a:1;tcp://b:2 , xpub=tcp://a:3; tcp://b:4");
    ASSERT_TRUE(b);
    EXPECT_EQ(b->xsub, (std::vector<std::string>{"tcp://a:1", "tcp://b:2"}));
    EXPECT_EQ(b->xpub, (std::vector<std::string>{"tcp://a:3", "tcp://b:4"}));
    for (const char* bad : {"", "xsub=tcp://a:1", "xpub=tcp://a:1", "tcp://a:1", "xsub=a , xpub=b", "xsub=tcp://a:1,xpub=,"}) EXPECT_FALSE(read_zmq_broker(bad)) << bad;
}

}  // namespace
}  // namespace weir
