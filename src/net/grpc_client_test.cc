#include "net/grpc_client.h"

#include <gtest/gtest.h>

#include "net/resolver.h"
#include "tests/support/grpc_peer.h"

namespace weir {
namespace {

using test::GrpcPeer;

struct Grpc : testing::Test {
    ManualClock clock;
    test::NetLoop loop{clock};
    GrpcPeer peer{loop};
    Resolver resolver{loop.core};
    ClientPool pool{loop.core, resolver, UpstreamLimits{}};
    Target target;
    std::string said;

    Grpc() {
        target.host = "127.0.0.1";
        target.port = peer.listener.port;
        target.http = Target::Http::two_prior;
        target.authority = "etcd.test:1";
    }
    ~Grpc() override { loop.tasks.cancel(); }

    static std::string shown(const Failure& f) { return std::string(name(f->code)) + " " + name(grpc_code(f)) + (f->detail.empty() ? "" : ": " + f->detail); }
    Task<void> ask(GrpcRequest request, std::string message) {
        auto answer = co_await grpc_unary(pool, target, std::move(request), std::move(message));
        said += (answer ? "got " + (answer->size() < 40 ? *answer : std::to_string(answer->size())) : shown(answer.error())) + ";";
    }
    void unary(std::string message, GrpcRequest request = {"/a.B/C", "token: t\r\n"}) { loop.tasks.spawn(ask(std::move(request), std::move(message))); }
    bool hears(const std::string& text) {
        return loop.until([&] { return said == text; });
    }
    bool called(size_t n) {
        return loop.until([&] { return peer.calls.size() == n && (peer.calls.back().client_ended || !peer.calls.back().messages.empty()); });
    }

    std::unique_ptr<GrpcCall> call;
    Task<void> read_all(GrpcRequest request) {
        auto opened = co_await GrpcCall::open(pool, target, std::move(request));
        if (!opened) {
            said += shown(opened.error()) + ";";
            co_return;
        }
        call = *std::move(opened);
        for (;;) {
            auto more = co_await call->read();
            if (!more) said += shown(more.error()) + ";";
            else said += *more ? std::string(call->message()) + ";" : "end;";
            if (!more || !*more) co_return;
        }
    }
    void stream(GrpcRequest request = {"/a.B/C", ""}) { loop.tasks.spawn(read_all(std::move(request))); }
    bool opened() {
        return loop.until([&] { return call && peer.calls.size() == 1 && !peer.calls[0].path.empty(); });
    }
    void pass_ms(uint64_t ms) {
        clock.advance_ms(ms);
        loop.core.turn(0);
        loop.core.turn(0);
    }
};

TEST_F(Grpc, UnaryCallsShareAConnection) {
    for (const char* text : {"one", "two", ""}) {
        said.clear();
        unary(text);
        ASSERT_TRUE(loop.until([&] { return !peer.calls.empty() && peer.calls.back().client_ended && !peer.calls.back().finished; }));
        GrpcPeer::Call& c = peer.calls.back();
        EXPECT_EQ(c.path, "/a.B/C");
        EXPECT_EQ(c.messages, std::vector<std::string>{text});
        EXPECT_EQ(c.metadata, "content-type: application/grpc\ngrpc-accept-encoding: identity\nuser-agent: weir\ntoken: t\nte: trailers\n");
        peer.send(c, std::string(text) + "!");
        peer.finish(c, GrpcCode::ok);
        EXPECT_TRUE(hears(std::string("got ") + text + "!;"));
    }
    EXPECT_EQ(peer.accepted, 1u);
}

TEST_F(Grpc, LargeMessagesBothWays) {
    unary(std::string(3'000'000, 'a'));
    ASSERT_TRUE(called(1));
    EXPECT_EQ(peer.calls[0].messages[0].size(), 3'000'000u);
    peer.send(peer.calls[0], std::string(4 * 1024 * 1024, 'b'));
    peer.finish(peer.calls[0], GrpcCode::ok);
    EXPECT_TRUE(hears("got 4194304;"));
    said.clear();
    unary("x");
    ASSERT_TRUE(called(2));
    peer.send(peer.calls[1], std::string(4 * 1024 * 1024 + 1, 'b'));   // beyond message_max
    EXPECT_TRUE(hears("engine_garbage RESOURCE_EXHAUSTED;"));
    EXPECT_TRUE(loop.until([&] { return peer.calls[1].gone; }));
}

TEST_F(Grpc, StatusesComeFromWhereverTheyAre) {
    using Step = std::function<void(GrpcPeer::Call&)>;
    const std::vector<std::pair<Step, std::string>> steps = {
        {[&](auto& c) { peer.finish(c, GrpcCode::out_of_range, "compacted: 50%"); }, "engine_status OUT_OF_RANGE: compacted: 50%;"},
        {[&](auto& c) { peer.refuse(c, "200", "16", "invalid%20token"); }, "engine_status UNAUTHENTICATED: invalid token;"},
        {[&](auto& c) { peer.refuse(c, "503", ""); }, "engine_status UNAVAILABLE: HTTP status 503;"},
        {[&](auto& c) { peer.refuse(c, "200", ""); }, "engine_garbage UNKNOWN;"},
        {[&](auto& c) { peer.finish(c, GrpcCode::ok); }, "engine_garbage INTERNAL;"},   // no message
        {[&](auto& c) { peer.send(c, "1"), peer.send(c, "2"), peer.finish(c, GrpcCode::ok); }, "engine_garbage INTERNAL;"},
        {[&](auto& c) { peer.send_raw(c, std::string("\0\0\0\0\5ab", 7)), peer.finish(c, GrpcCode::ok); }, "engine_garbage INTERNAL;"},
        {[&](auto& c) { peer.send_raw(c, std::string("\1\0\0\0\1a", 6)); }, "engine_garbage INTERNAL;"},
        {[&](auto& c) { peer.send(c, "1"), peer.finish(c, GrpcCode::internal, "late"); }, "engine_status INTERNAL: late;"},
        {[&](auto& c) { peer.reset(c); }, "reset_before_byte UNAVAILABLE;"},
        {[&](auto& c) { peer.send_raw(c, "ab"), peer.reset(c); }, "lost_mid_stream UNAVAILABLE;"},
        {[&](auto&) { peer.drop(); }, "reset_before_byte UNAVAILABLE;"},
    };
    for (size_t i = 0; i < steps.size(); i++) {
        said.clear();
        unary("x");
        ASSERT_TRUE(called(i + 1)) << i;
        steps[i].first(peer.calls.back());
        EXPECT_TRUE(hears(steps[i].second)) << i << ": " << said;
    }
}

TEST_F(Grpc, DeadlinesEndCalls) {
    unary("x", {"/a.B/C", "", 2'000});
    ASSERT_TRUE(called(1));
    EXPECT_NE(peer.calls[0].metadata.find("grpc-timeout: 2000m\n"), std::string::npos);
    pass_ms(1'900);
    EXPECT_EQ(said, "");
    pass_ms(200);
    EXPECT_TRUE(hears("first_byte_timeout DEADLINE_EXCEEDED;"));
    EXPECT_TRUE(loop.until([&] { return peer.calls[0].gone; }));
}

TEST_F(Grpc, ServersThatAreNotThere) {
    target.port = test::ListenSocket().port;   // closed again
    unary("x");
    ASSERT_TRUE(loop.until([&] { return !said.empty(); }));
    EXPECT_TRUE(said.starts_with("connect_failed UNAVAILABLE: ")) << said;
}

TEST_F(Grpc, StreamsGoBothWays) {
    stream();
    ASSERT_TRUE(opened());
    GrpcPeer::Call& c = peer.calls[0];
    EXPECT_TRUE(call->send("first"));
    ASSERT_TRUE(loop.until([&] { return c.messages.size() == 1; }));
    peer.send(c, "a");
    peer.send(c, "b");
    EXPECT_TRUE(hears("a;b;"));
    EXPECT_FALSE(c.client_ended);
    EXPECT_TRUE(call->send(std::string(300'000, 'x')));
    EXPECT_TRUE(call->send("last", true));
    EXPECT_FALSE(call->send("more"));
    ASSERT_TRUE(loop.until([&] { return c.messages.size() == 3 && c.client_ended; }));
    EXPECT_EQ(c.messages[1].size(), 300'000u);
    peer.send(c, "c");
    peer.finish(c, GrpcCode::ok);
    EXPECT_TRUE(hears("a;b;c;end;"));
}

TEST_F(Grpc, AStreamThatIsLeftIsReset) {
    stream();
    ASSERT_TRUE(opened());
    peer.send(peer.calls[0], "a");
    ASSERT_TRUE(hears("a;"));
    loop.tasks.cancel();
    call.reset();
    EXPECT_TRUE(loop.until([&] { return peer.calls[0].gone; }));
    EXPECT_EQ(peer.accepted, 1u);
}

TEST_F(Grpc, AServerThatReadsNothingIsNotWrittenToForEver) {
    stream();
    ASSERT_TRUE(opened());
    peer.mute = true;
    size_t taken = 0;
    while (taken < 1'000 && call->send(std::string(100'000, 'x'))) taken++, loop.core.turn(0);
    EXPECT_GE(taken, 10u);
    EXPECT_LT(taken, 30u);   // the stream's window, and limits::write_rest_max behind it
    peer.drop();
    EXPECT_TRUE(hears("reset_before_byte UNAVAILABLE;")) << said;
}

TEST_F(Grpc, ReadsMayHaveATimeOfTheirOwn) {
    stream();
    ASSERT_TRUE(opened());
    call->read_in(500);
    peer.send(peer.calls[0], "a");
    ASSERT_TRUE(hears("a;"));
    pass_ms(600);
    EXPECT_TRUE(hears("a;first_byte_timeout DEADLINE_EXCEEDED;")) << said;
}

}  // namespace
}  // namespace weir
