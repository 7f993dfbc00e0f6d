#include <gtest/gtest.h>

#include "net/tls.h"
#include "planes/response_stream.h"
#include "tests/support/net_loop.h"
#include "tests/support/test_certificates.h"

namespace weir {
namespace {

// A worker under TLS: its listener for requests, and the call home.
struct PlanesTls : testing::Test {
    static const test::Certificates& certificates() {
        static const test::Certificates c;
        return c;
    }
    test::NetLoop loop;
    Resolver resolver{loop.core};
    test::ListenSocket listener;
    std::unique_ptr<TlsServer> server = *TlsServer::load({certificates().cert("server"), certificates().key("server"), certificates().cert("ca")});
    std::unique_ptr<TlsClient> client = *TlsClient::load({certificates().cert("client"), certificates().key("client"), {certificates().cert("ca")}});
    std::unique_ptr<TlsClient> stranger = *TlsClient::load({certificates().cert("stranger"), certificates().key("stranger"), {certificates().cert("ca")}});
    std::string said;

    ~PlanesTls() override { loop.tasks.cancel(); }

    // Takes one connection and acknowledges what comes.
    Task<void> serve() {
        int fd = -1;
        while ((fd = ::accept4(listener.fd, nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC)) < 0) co_await sleep_ms(1);
        auto socket = co_await tls_accept(fd, *server, 60'000);
        if (!socket) {
            said += "not accepted;";
            co_return;
        }
        RequestFrameReader reader;
        for (;;) {
            auto got = co_await (*socket)->recv();
            if (got.n <= 0) co_return;
            Str bytes = got.view();
            std::string acks;
            for (RequestFrame f; reader.next(bytes, f);) {
                said += "request of " + std::to_string(f.payload.size()) + ";";
                append_ack(acks, "");
            }
            if (!acks.empty()) (*socket)->send(acks);
        }
    }
    Task<void> send(RequestPlane& plane, std::string payload) {
        const PlaneAddress to{"127.0.0.1", listener.port, "p"};
        auto ok = co_await plane.send(to, "{}", payload);
        said += ok ? "ok;" : std::string(name(ok.error()->code)) + ";";
    }
    bool hears(const std::string& text) {
        loop.until([&] { return said == text; });
        EXPECT_EQ(said, text);
        return said == text;
    }

    Task<void> wait(ExpectedCall& call) {
        auto called = co_await call.wait(60'000);
        if (!called) {
            said += std::string(name(called.error()->code)) + ";";
            co_return;
        }
        ResponseStream stream(std::move(*called), 0);
        auto begun = co_await stream.prologue(60'000);
        auto more = co_await stream.read();
        Str body;
        said += begun && more && *more && stream.take(body) ? std::string(body) + ";" : "nothing;";
        stream.whole();
    }
    Task<void> dial(uint16_t port, const TlsClient& as, std::string bytes) {
        auto at = parse_address("127.0.0.1", port);
        std::vector<Address> addresses{*at};
        auto fd = co_await connect_any(std::move(addresses), 60'000);
        auto socket = co_await tls_connect(*fd, as, "127.0.0.1", "", 60'000);
        if (!socket) co_return;
        (*socket)->send(bytes);
        while (true) {
            auto got = co_await (*socket)->recv();
            if (got.n <= 0) co_return;
        }
    }
};

TEST_F(PlanesTls, RequestsAreSentUnderIt) {
    RequestPlane plane(loop.core, resolver);
    plane.secure(client.get(), "localhost");
    loop.tasks.spawn(serve());
    loop.tasks.spawn(send(plane, std::string(500'000, 'x')));
    ASSERT_TRUE(hears("request of 500000;ok;"));
    loop.tasks.spawn(send(plane, "again"));
    ASSERT_TRUE(hears("request of 500000;ok;request of 5;ok;"));
    EXPECT_EQ(plane.connections(), 1u);
}

TEST_F(PlanesTls, WorkersMustBeWhoTheySay) {
    RequestPlane plane(loop.core, resolver);
    plane.secure(client.get(), "other.test");
    loop.tasks.spawn(serve());
    loop.tasks.spawn(send(plane, "x"));
    ASSERT_TRUE(loop.until([&] { return said.find("connect_failed;") != std::string::npos && said.find("not accepted;") != std::string::npos; })) << said;
}

TEST_F(PlanesTls, WorkersCallHomeUnderIt) {
    CallHomeOptions options{"127.0.0.1", "127.0.0.1"};
    options.tls = server.get();
    CallHome home(loop.core, options);
    ASSERT_TRUE(home.listen());
    home.start();
    ExpectedCall call(home, 7);
    std::string bytes;
    append_handshake(bytes, call.subject());
    append_prologue(bytes, "");
    append_two_part(bytes, {}, "tokens");
    loop.tasks.spawn(wait(call));
    loop.tasks.spawn(dial(home.port(), *stranger, bytes));   // whom nobody vouches for
    ASSERT_TRUE(loop.until([&] { return home.counts.bad == 1; }));
    EXPECT_EQ(said, "");
    loop.tasks.spawn(dial(home.port(), *client, bytes));
    EXPECT_TRUE(hears("tokens;"));
    loop.tasks.cancel();
}

TEST_F(PlanesTls, ASharedPortIsRefused) {
    CallHomeOptions options{"127.0.0.1", "127.0.0.1"};
    options.tls = server.get();
    CallHome one(loop.core, options), two(loop.core, options);
    one.share({&one, &two});
    EXPECT_FALSE(one.listen());
}

}  // namespace
}  // namespace weir
