#include "planes/response_stream.h"

#include <gtest/gtest.h>

#include "planes/scripted_worker_test.h"
#include "tests/support/split.h"

namespace weir {
namespace {

using test::NetLoop;
using test::ScriptedWorker;
using W = ScriptedWorker;

struct Calls : testing::Test {
    ManualClock clock;
    NetLoop loop{clock};
    Resolver resolver{loop.core};
    ScriptedWorker worker{loop};
    RequestPlane plane{loop.core, resolver};
    CallHomeOptions options;
    std::unique_ptr<CallHome> home;
    PlaneTimes times;
    std::string said;
    bool hold = false;                 // the reader pauses before each read
    Signal go;
    Nursery asking;
    ResponseStream* open = nullptr;    // the stream being read

    ~Calls() override { asking.cancel(); }
    void make() {
        options.bind_host = options.advertise = "127.0.0.1";
        home = std::make_unique<CallHome>(loop.core, options);
        ASSERT_TRUE(home->listen());
        home->start();
    }
    Task<void> ask(uint64_t instance) {
        PlaneRequest request;
        request.id = "id-1";
        request.body = "the body";
        request.instance_id = instance;
        PlaneAddress to = worker.address();
        auto stream = co_await call_worker(plane, *home, to, request, times);
        if (!stream) {
            said += std::string("failed ") + name(stream.error()->code) + ";";
            co_return;
        }
        said += "begun;";
        open = stream->get();
        for (;;) {
            if (hold) co_await go.wait();
            auto more = co_await (*stream)->read();
            if (!more) {
                said += std::string("lost ") + name(more.error()->code) + (more.error()->reason.empty() ? "" : " ") + more.error()->reason + ";";
                break;
            }
            if (!*more) {
                said += "end;";
                break;
            }
            for (Str body; (*stream)->take(body);) said += std::string(body.substr(0, 20)) + ";";
        }
        open = nullptr;
    }
    // A request on its way, acknowledged.
    void begin(uint64_t instance = 1) {
        const size_t n = worker.requests.size();
        asking.spawn(ask(instance));
        ASSERT_TRUE(loop.until([&] { return worker.requests.size() == n + 1; }));
        worker.ack(n);
        ASSERT_TRUE(loop.until([&] { return plane.waiting() == 0; }));
    }
    const std::string& subject() { return worker.requests.back().control.subject; }
    bool hears(const std::string& text) {
        bool ok = loop.until([&] { return said == text; });
        EXPECT_EQ(said, text);
        return ok;
    }
    void pass_ms(uint64_t ms) {
        clock.advance_ms(ms);
        for (int i = 0; i < 3; i++) loop.core.turn(0);
    }
};

TEST_F(Calls, AnAnswerFromHandshakeToSentinel) {
    make();
    begin();
    EXPECT_EQ(worker.requests[0].control.address, home->address());
    EXPECT_EQ(worker.requests[0].control.id, "id-1");
    EXPECT_EQ(worker.requests[0].body, "the body");
    EXPECT_EQ(worker.requests[0].headers.substr(0, 80),
              R"({"x-endpoint-path":"1f/dynamo/backend/generate","request-id":"id-1","x-frontend-)");
    worker.call_home(0, W::hello(subject()) + W::frame("a") + W::frame("b"));
    ASSERT_TRUE(hears("begun;a;b;"));
    worker.calls[0].socket->send(W::frame("c") + W::word(StreamWord::sentinel));
    ASSERT_TRUE(hears("begun;a;b;c;end;"));
    EXPECT_TRUE(loop.until([&] { return worker.calls[0].ended; }));
    EXPECT_EQ(worker.calls[0].said, "") << "no kill after a whole answer";
    EXPECT_EQ(home->expected(), 0u);
    EXPECT_EQ(home->counts.called, 1u);
}

TEST_F(Calls, SplitsDoNotMatter) {
    make();
    for (size_t cut = 1; cut < 150; cut += 7) {
        said.clear();
        begin();
        const std::string all = W::hello(subject()) + W::frame("one") + W::frame("") + W::word(StreamWord::sentinel);
        worker.call_home(worker.requests.size() - 1, all.substr(0, cut));
        const size_t n = worker.calls.size() + (worker.calls.empty() ? 1 : 0);
        ASSERT_TRUE(loop.until([&] { return worker.calls.size() >= n && worker.calls.back().socket; }));
        loop.core.turn(0);
        loop.core.turn(0);
        worker.calls.back().socket->send(all.substr(cut));
        ASSERT_TRUE(hears("begun;one;;end;")) << cut;
        worker.calls.clear();
    }
}

TEST_F(Calls, AWorkerThatNeverCallsIsLeftAfterThePrologTime) {
    make();
    begin();
    pass_ms(29'990);
    EXPECT_EQ(said, "");
    EXPECT_EQ(home->expected(), 1u);
    pass_ms(20);
    ASSERT_TRUE(hears("failed first_byte_timeout;"));
    EXPECT_EQ(home->expected(), 0u);
    worker.call_home(0, W::hello(subject()));   // late: it is told to stop
    ASSERT_TRUE(loop.until([&] { return !worker.calls.empty() && worker.calls[0].ended; }));
    EXPECT_EQ(worker.calls[0].said, W::word(StreamWord::kill));
    EXPECT_EQ(home->counts.unknown, 1u);
}

TEST_F(Calls, OneThatCallsAndSaysNothingTooIsLeft) {
    make();
    begin();
    std::string handshake;
    append_handshake(handshake, subject());
    worker.call_home(0, handshake);
    ASSERT_TRUE(loop.until([&] { return home->counts.called == 1; }));
    for (int i = 0; i < 3; i++) loop.core.turn(0);
    pass_ms(30'010);
    ASSERT_TRUE(hears("failed first_byte_timeout;"));
    ASSERT_TRUE(loop.until([&] { return worker.calls[0].ended; }));
    EXPECT_EQ(worker.calls[0].said, W::word(StreamWord::kill));
}

TEST_F(Calls, WhoLeavesKills) {
    make();
    begin();
    worker.call_home(0, W::hello(subject()) + W::frame("a"));
    ASSERT_TRUE(hears("begun;a;"));
    asking.cancel();
    ASSERT_TRUE(loop.until([&] { return worker.calls[0].ended; }));
    EXPECT_EQ(worker.calls[0].said, W::word(StreamWord::kill));
}

TEST_F(Calls, StopIsSaidOnceAndTheRestIsRead) {
    make();
    begin();
    worker.call_home(0, W::hello(subject()) + W::frame("a"));
    ASSERT_TRUE(hears("begun;a;"));
    open->stop();
    open->stop();
    ASSERT_TRUE(loop.until([&] { return !worker.calls[0].said.empty(); }));
    EXPECT_EQ(worker.calls[0].said, W::word(StreamWord::stop));
    worker.calls[0].socket->send(W::frame("last") + W::word(StreamWord::sentinel));
    EXPECT_TRUE(hears("begun;a;last;end;"));
}

TEST_F(Calls, EndsThatAreNone) {
    make();
    struct { std::string bytes, said; } cases[] = {
        {W::frame("a"), "begun;a;lost lost_mid_stream;"},
        {W::frame("a") + W::frame("bcd").substr(0, 26), "begun;a;lost lost_mid_stream;"},
        {W::word(StreamWord::kill), "begun;lost engine_garbage;"},
        {W::frame("a") + std::string(24, '\xff'), "begun;a;lost engine_garbage;"},
    };
    for (auto& c : cases) {
        said.clear();
        begin();
        worker.call_home(worker.requests.size() - 1, W::hello(subject()) + c.bytes);
        ASSERT_TRUE(loop.until([&] { return said.starts_with("begun;"); }));
        ASSERT_TRUE(loop.until([&] { return !worker.calls.empty() && worker.calls.back().socket; }));
        ::shutdown(worker.calls.back().socket->fd(), SHUT_WR);
        EXPECT_TRUE(hears(c.said));
    }
}

TEST_F(Calls, APrologMayRefuse) {
    make();
    begin();
    std::string bytes;
    append_handshake(bytes, subject());
    append_prologue(bytes, "no such model");
    worker.call_home(0, bytes);
    ASSERT_TRUE(hears("failed engine_status;"));
    ASSERT_TRUE(loop.until([&] { return worker.calls[0].ended; }));
    EXPECT_EQ(worker.calls[0].said, "");
}

TEST_F(Calls, SilenceIsBoundedWhenAskedFor) {
    times.idle_ms = 2'000;
    make();
    begin();
    worker.call_home(0, W::hello(subject()) + W::frame("a"));
    ASSERT_TRUE(hears("begun;a;"));
    pass_ms(1'990);
    EXPECT_EQ(said, "begun;a;");
    pass_ms(20);
    EXPECT_TRUE(hears("begun;a;lost lost_mid_stream response_timeout;"));
}

TEST_F(Calls, AnInstanceThatIsGoneFailsWhoWaitsForItOnly) {
    make();
    begin(1);
    home->instance_gone(2);
    loop.core.turn(0);
    EXPECT_EQ(said, "");
    home->instance_gone(1);
    EXPECT_TRUE(hears("failed reset_before_byte;"));
}

TEST_F(Calls, ASlowReaderSlowsItsOwnStreamOnly) {
    make();
    hold = true;
    begin();
    worker.call_home(0, W::hello(subject()));
    ASSERT_TRUE(hears("begun;"));
    // The held stream's worker fills its socket and is blocked; the other answer passes.
    const std::string big = W::frame(std::string(1'000'000, 'x'));
    size_t sent = 0;
    while (!worker.calls[0].socket->blocked()) {
        iovec v{const_cast<char*>(big.data()), big.size()};
        ASSERT_TRUE(worker.calls[0].socket->send_large(&v, 1));
        ASSERT_LT(++sent, 100u) << "no back-pressure";
        loop.core.turn(0);
    }
    hold = false;
    said.clear();
    begin();
    worker.call_home(1, W::hello(subject()) + W::frame("quick") + W::word(StreamWord::sentinel));
    ASSERT_TRUE(hears("begun;quick;end;"));
    EXPECT_TRUE(worker.calls[0].socket->blocked());
    said.clear();
    go.notify();   // it goes on, and all of it arrives
    size_t frames = 0;
    EXPECT_TRUE(loop.until([&] { return frames = static_cast<size_t>(std::count(said.begin(), said.end(), ';')), frames == sent; }));
}

TEST_F(Calls, ExpectedCallsAreBounded) {
    options.expected_max = 1;
    make();
    begin();
    asking.spawn(ask(1));
    EXPECT_TRUE(hears("failed queue_full;"));
}

TEST_F(Calls, StrangersAreShownTheDoor) {
    make();
    begin();   // for its address
    for (const std::string& bytes : {std::string("GET / HTTP/1.1\r\n\r\nxxxxxxxxxxxxxxxxxx"), W::frame("body"), W::word(StreamWord::kill)}) {
        worker.call_home(0, bytes);
        const size_t n = home->counts.bad;
        ASSERT_TRUE(loop.until([&] { return home->counts.bad == n + 1; }));
        ASSERT_TRUE(loop.until([&] { return worker.calls.back().ended; }));
    }
    worker.call_home(0, "");   // silent
    loop.core.turn(20);
    loop.core.turn(20);
    pass_ms(10'010);
    EXPECT_TRUE(loop.until([&] { return home->counts.bad == 4; }));
    EXPECT_EQ(home->expected(), 1u) << "and the one expected still is";
}

TEST_F(Calls, GreetingsAreBounded) {
    options.greeting_max = 2;
    make();
    begin();
    for (int i = 0; i < 4; i++) worker.call_home(0, "");
    EXPECT_TRUE(loop.until([&] { return home->counts.refused == 2; }));
}

TEST(CallHomeShared, ACallIsHandedToTheCoreItsSubjectNames) {
    NetLoop loop;
    Core second(1, system_clock(), std::make_unique<EpollPoller>(), 9);
    uint16_t port;
    {
        test::ListenSocket free;
        port = free.port;
    }
    CallHomeOptions options{"127.0.0.1", "127.0.0.1", port};
    CallHome zero(loop.core, options), one(second, options);
    ASSERT_TRUE(zero.listen());
    zero.start();   // core 1 accepts nothing: every call comes to core 0
    zero.share({&zero, &one});
    one.share({&zero, &one});
    ScriptedWorker worker(loop);
    std::unique_ptr<ExpectedCall> call;
    {
        Core::Enter enter(second);
        call = std::make_unique<ExpectedCall>(one, 1);
        EXPECT_EQ(call->subject().substr(0, 4), "0001");
    }
    worker.requests.emplace_back().control.address = "127.0.0.1:" + std::to_string(port);
    worker.call_home(0, ScriptedWorker::hello(call->subject()) + ScriptedWorker::frame("early"));
    ASSERT_TRUE(loop.until([&] {
        second.turn(0);
        return one.counts.called == 1;
    }, 5'000));
    EXPECT_EQ(zero.counts.called, 0u);
    Core::Enter enter(second);
    call.reset();   // kills
    worker.tasks.cancel();
}

TEST(LocalAddress, IsAnAddress) {
    const std::string host = local_address();
    EXPECT_TRUE(parse_address(host, 1)) << host;
}

}  // namespace
}  // namespace weir
