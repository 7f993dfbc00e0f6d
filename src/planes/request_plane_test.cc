#include "planes/request_plane.h"

#include <gtest/gtest.h>

#include "planes/scripted_worker_test.h"

namespace weir {
namespace {

using test::NetLoop;
using test::ScriptedWorker;

std::string payload() {
    ControlHeader control;
    control.id = "r", control.address = "127.0.0.1:1", control.subject = "s";
    std::string header, out;
    append_control_header(header, control);
    append_two_part(out, header, "body");
    return out;
}

struct Plane : testing::Test {
    ManualClock clock;
    NetLoop loop{clock};
    Resolver resolver{loop.core};
    ScriptedWorker worker{loop};
    RequestPlaneLimits limits;
    std::unique_ptr<RequestPlane> plane;
    std::string sent = payload(), said;
    PlaneAddress address = worker.address();

    ~Plane() override { loop.tasks.cancel(); }
    void make() { plane = std::make_unique<RequestPlane>(loop.core, resolver, limits); }
    Task<void> ask(PlaneAddress to, std::string body, int n) {
        auto ok = co_await plane->send(to, "{}", body);
        said += std::to_string(n) + (ok ? " ok" : std::string(" ") + name(ok.error()->code)) + ";";
    }
    void send(int n) { loop.tasks.spawn(ask(address, sent, n)); }
    bool requests(size_t n) {
        return loop.until([&] { return worker.requests.size() == n; });
    }
    bool hears(const std::string& text) {
        return loop.until([&] { return said == text; });
    }
    void pass_ms(uint64_t ms) {
        clock.advance_ms(ms);
        loop.core.turn(0);
        loop.core.turn(0);
    }
};

TEST_F(Plane, AcknowledgesComeInOrderOverOneConnection) {
    make();
    for (int i = 0; i < 5; i++) send(i);
    ASSERT_TRUE(requests(5));
    EXPECT_EQ(worker.accepted, 1u);
    EXPECT_EQ(plane->waiting(), 5u);
    EXPECT_EQ(worker.requests[0].path, "1f/dynamo/backend/generate");
    EXPECT_EQ(worker.requests[0].headers, "{}");
    EXPECT_EQ(worker.requests[0].body, "body");
    EXPECT_EQ(said, "");
    worker.ack(0);
    worker.ack(1, "Server overloaded: 40000 queued");
    worker.ack(2, "a text nobody knows");
    EXPECT_TRUE(hears("0 ok;1 ack_error;2 ok;"));
    worker.ack(3, "Server unavailable: unknown endpoint x");
    worker.ack(4);
    EXPECT_TRUE(hears("0 ok;1 ack_error;2 ok;3 ack_error;4 ok;"));
    EXPECT_EQ(plane->waiting(), 0u);
    EXPECT_EQ(plane->connections(), 1u);
}

TEST_F(Plane, OneWhoLeavesKeepsTheOrder) {
    make();
    send(0);
    Nursery other;
    other.spawn(ask(address, sent, 1));
    send(2);
    ASSERT_TRUE(requests(3));
    other.cancel();
    EXPECT_EQ(plane->waiting(), 2u);
    for (int i = 0; i < 3; i++) worker.ack(static_cast<size_t>(i), i == 1 ? "Server overloaded: x" : "");
    EXPECT_TRUE(hears("0 ok;2 ok;"));
}

TEST_F(Plane, GrowsWhenFullAndIsBounded) {
    limits.pipelined_max = 2;
    limits.connections_max = 2;
    make();
    for (int i = 0; i < 4; i++) {
        send(i);
        ASSERT_TRUE(requests(static_cast<size_t>(i) + 1));
    }
    EXPECT_EQ(plane->connections(), 2u);
    EXPECT_EQ(worker.accepted, 2u);
    send(4);
    EXPECT_TRUE(hears("4 ack_error;"));
    worker.ack(0);
    ASSERT_TRUE(hears("4 ack_error;0 ok;"));
    send(5);
    EXPECT_TRUE(requests(5));
}

TEST_F(Plane, AnAcknowledgementMayTakeFiveSeconds) {
    make();
    send(0);
    ASSERT_TRUE(requests(1));
    pass_ms(4'999);
    EXPECT_EQ(said, "");
    pass_ms(2);
    EXPECT_EQ(said, "0 first_byte_timeout;");
    send(1);   // not over the connection that owes one
    ASSERT_TRUE(requests(2));
    EXPECT_EQ(worker.accepted, 2u);
    worker.ack(0);
    worker.ack(1);
    EXPECT_TRUE(hears("0 first_byte_timeout;1 ok;"));
    EXPECT_TRUE(loop.until([&] { return plane->connections() == 1; })) << "the late one is closed once it owes nothing";
}

TEST_F(Plane, ABrokenConnectionFailsAllWhoWait) {
    make();
    send(0);
    send(1);
    ASSERT_TRUE(requests(2));
    worker.drop(0);
    EXPECT_TRUE(hears("0 reset_before_byte;1 reset_before_byte;"));
    EXPECT_EQ(plane->connections(), 0u);
    send(2);
    ASSERT_TRUE(requests(3));
    worker.ack(2);
    EXPECT_TRUE(hears("0 reset_before_byte;1 reset_before_byte;2 ok;"));
}

TEST_F(Plane, AnAcknowledgementNobodyAskedForEndsTheConnection) {
    make();
    send(0);
    ASSERT_TRUE(requests(1));
    worker.ack(0);
    worker.ack(0);
    EXPECT_TRUE(hears("0 ok;"));
    EXPECT_TRUE(loop.until([&] { return plane->connections() == 0; }));
}

TEST_F(Plane, NobodyListens) {
    make();
    {
        test::ListenSocket gone;
        address.port = gone.port;
    }
    for (int i = 0; i < 3; i++) send(i);
    EXPECT_TRUE(loop.until([&] { return loop.tasks.size() == 0; }));
    EXPECT_EQ(said, "0 connect_failed;1 connect_failed;2 connect_failed;");
}

TEST_F(Plane, WhoDialsMayLeave) {   // the others dial by themselves
    make();
    Nursery first;
    first.spawn(ask(address, sent, 0));
    send(1);
    first.cancel();
    ASSERT_TRUE(requests(1));
    worker.ack(0);
    EXPECT_TRUE(hears("1 ok;"));
}

TEST_F(Plane, TooLargeIsRefusedUnsent) {
    limits.message_max = 1'000;
    make();
    sent.assign(1'001, 'x');
    send(0);
    EXPECT_EQ(said, "0 too_large;");
    EXPECT_EQ(plane->connections(), 0u);
}

TEST_F(Plane, AWorkerThatDoesNotReadGetsNoSecondRequestThere) {
    limits.connections_max = 1;
    worker.read_requests = false;
    make();
    sent.assign(20'000'000, 'x');
    send(0);
    ASSERT_TRUE(loop.until([&] { return plane->waiting() == 1; }));
    send(1);
    EXPECT_TRUE(hears("1 ack_error;"));
}

TEST_F(Plane, AnIdleConnectionIsClosed) {
    make();
    send(0);
    ASSERT_TRUE(requests(1));
    worker.ack(0);
    ASSERT_TRUE(hears("0 ok;"));
    pass_ms(299'000);
    EXPECT_EQ(plane->connections(), 1u);
    pass_ms(2'000);
    EXPECT_EQ(plane->connections(), 0u);
}

}  // namespace
}  // namespace weir
