#include "planes/nats_client.h"

#include <gtest/gtest.h>

#include "planes/fake_nats_test.h"
#include "planes/nats_keys.h"
#include "planes/nats_planes.h"
#include "wire/big_endian.h"
#include "wire/msgpack.h"

namespace weir {
namespace {

using test::FakeNats;

struct Nats : testing::Test {
    ManualClock clock;
    test::NetLoop loop{clock};
    FakeNats server{loop};
    Resolver resolver{loop.core};
    NatsOptions options;
    std::unique_ptr<NatsClient> client;
    std::string said;

    Nats() { options.servers = {server.address()}; }
    ~Nats() override { loop.tasks.cancel(); }
    bool make() {
        auto setup = nats_setup(options);
        if (!setup) ADD_FAILURE() << setup.error()->message;
        client = std::make_unique<NatsClient>(loop.core, resolver, *setup);
        client->start();
        return loop.until([&] { return client->connected(); });
    }
    Task<void> ask(std::string subject, std::string payload, uint64_t ms) {
        auto answer = co_await client->request(subject, "NATS/1.0\r\na: b\r\n\r\n", payload, ms);
        said += answer ? "got " + answer->payload + ";" : std::string(name(answer.error()->code)) + ";";
    }
    void request(std::string payload, uint64_t ms = 5'000) { loop.tasks.spawn(ask("to.them", std::move(payload), ms)); }
    bool published(size_t n) {
        return loop.until([&] { return server.published.size() == n; });
    }
    bool hears(const std::string& text) {
        const bool heard = loop.until([&] { return said == text; });
        if (!heard) ADD_FAILURE() << said << " instead of " << text;
        return heard;
    }
    template <class Done>
    bool passes(Done done, uint64_t step_ms = 500) {
        return loop.until([&] {
            clock.advance_ms(step_ms);
            loop.core.turn(1);
            return done();
        });
    }
    struct Heard final : NatsListener {
        std::string& said;
        explicit Heard(std::string& said) : said(said) {}
        void connected() override { said += "up;"; }
        void message(const NatsMessage& m) override { said += std::string(m.subject) + "=" + std::string(m.payload) + ";"; }
        void lost() override { said += "down;"; }
    } heard{said};
};

TEST_F(Nats, RequestsAreAnsweredOnAnInbox) {
    ASSERT_TRUE(make());
    ASSERT_EQ(server.subscribed.size(), 1u);
    EXPECT_NE(server.connects[0].find(R"("headers":true)"), std::string::npos);
    for (const char* text : {"one", "two", "three"}) request(text);
    ASSERT_TRUE(published(3));
    EXPECT_EQ(server.published[0].subject, "to.them");
    EXPECT_EQ(server.published[0].headers, "NATS/1.0\r\na: b\r\n\r\n");
    EXPECT_EQ(server.published[0].payload, "one");
    EXPECT_TRUE(server.published[0].reply.starts_with(server.subscribed[0].substr(0, server.subscribed[0].find('*'))));
    EXPECT_EQ(client->waiting(), 3u);
    server.answer(server.published[2], "3");
    server.answer(server.published[0], "");
    server.answer(server.published[0], "again");
    server.answer_with(server.published[1], "NATS/1.0 503\r\n\r\n");
    EXPECT_TRUE(hears("got 3;got ;connect_failed;"));
    EXPECT_EQ(client->counts.unexpected, 1u);
    EXPECT_EQ(client->waiting(), 0u);
}

TEST_F(Nats, RequestsEndInTimeAndWithTheConnection) {
    ASSERT_TRUE(make());
    request("late", 1'000);
    ASSERT_TRUE(published(1));
    clock.advance_ms(1'100);
    EXPECT_TRUE(hears("first_byte_timeout;"));
    said.clear();
    request("lost");
    ASSERT_TRUE(published(2));
    server.drop();
    EXPECT_TRUE(hears("reset_before_byte;"));
    said.clear();
    request("waits for the next connection");
    ASSERT_TRUE(passes([&] { return server.published.size() == 3; }));
    server.answer(server.published[2], "yes");
    EXPECT_TRUE(hears("got yes;"));
    EXPECT_EQ(client->counts.connections, 2u);
    ASSERT_EQ(server.subscribed.size(), 2u);
    EXPECT_EQ(server.subscribed[0], server.subscribed[1]);
}

TEST_F(Nats, WithoutAServerRequestsFailSoon) {
    options.servers = {"nats://127.0.0.1:" + std::to_string(test::ListenSocket().port)};
    auto setup = nats_setup(options);
    ASSERT_TRUE(setup);
    client = std::make_unique<NatsClient>(loop.core, resolver, *setup);
    client->start();
    request("x");
    ASSERT_TRUE(passes([&] { return !said.empty(); }));
    EXPECT_EQ(said, "connect_failed;");
    EXPECT_NE(client->trouble(), "");
}

TEST_F(Nats, WhatIsTooLargeIsNotSent) {
    ASSERT_TRUE(make());
    request(std::string(100'000, 'x'));   // with its headers
    EXPECT_TRUE(hears("too_large;"));
    loop.tasks.spawn(ask("not a subject", "x", 100));
    EXPECT_TRUE(hears("too_large;bad_field;"));
    EXPECT_EQ(server.published.size(), 0u);
}

TEST_F(Nats, AServerThatTakesNothingIsNotGivenMore) {
    server.info = R"({"headers":true,"max_payload":4000000})";
    ASSERT_TRUE(make());
    std::string payload(4'000'000, 'x');
    size_t taken = 0;
    while (taken < 100 && client->publish("a", payload)) taken++;   // no turn of the loop: the server reads nothing
    EXPECT_GE(taken, nats_pending_max / payload.size());
    EXPECT_LT(taken, 20u);
    EXPECT_EQ(client->counts.refused, 1u);
    request(payload.substr(100));
    EXPECT_TRUE(hears("queue_full;"));
    ASSERT_TRUE(loop.until([&] { return server.published.size() == taken; }));
    request("now it does");
    EXPECT_TRUE(loop.until([&] { return server.published.size() == taken + 1; }));
}

TEST_F(Nats, SubscriptionsOutliveTheConnection) {
    NatsClient::Subscription* early = nullptr;
    auto setup = nats_setup(options);
    client = std::make_unique<NatsClient>(loop.core, resolver, *setup);
    auto first = std::make_unique<NatsClient::Subscription>(*client, "a.b", heard);
    early = first.get();
    client->start();
    ASSERT_TRUE(hears("up;"));
    EXPECT_NE(early, nullptr);
    ASSERT_EQ(server.subscribed.size(), 2u);
    EXPECT_EQ(server.subscribed[1], "a.b 2");
    auto second = std::make_unique<NatsClient::Subscription>(*client, "c.*", heard);
    ASSERT_TRUE(hears("up;up;"));
    said.clear();
    server.message("a.b", "2", "1");
    server.message("c.x", "3", "2");
    server.message("d", "77", "nobody's");
    EXPECT_TRUE(hears("a.b=1;c.x=2;"));
    said.clear();
    server.drop();
    ASSERT_TRUE(hears("down;down;"));
    ASSERT_TRUE(passes([&] { return said == "down;down;up;up;"; }));
    server.message("a.b", "2", "3");
    EXPECT_TRUE(hears("down;down;up;up;a.b=3;"));
    first.reset();
    ASSERT_TRUE(loop.until([&] { return server.unsubscribed.size() == 1; }));
    EXPECT_EQ(server.unsubscribed[0], "2");
    server.message("a.b", "2", "late");
    server.message("c.y", "3", "4");
    EXPECT_TRUE(hears("down;down;up;up;a.b=3;c.y=4;"));
}

TEST_F(Nats, ConnectionsThatFellSilentAreLeft) {
    ASSERT_TRUE(make());
    server.say("PING\r\n");
    ASSERT_TRUE(loop.until([&] { return server.pongs == 1; }));
    const size_t before = server.pings;
    ASSERT_TRUE(passes([&] { return server.pings >= before + 2; }, 2'000));
    EXPECT_EQ(server.connections.size(), 1u);
    server.pong = false;
    ASSERT_TRUE(passes([&] { return server.connections.size() == 2; }, 2'000));
    server.pong = true;
    ASSERT_TRUE(passes([&] { return client->connected(); }));
}

TEST_F(Nats, ServersThatCannotBeUnderstoodAreLeftForTheNext) {
    FakeNats other(loop);
    other.info = "[1]";
    options.servers = {other.address(), server.address()};
    EXPECT_TRUE([&] {
        auto setup = nats_setup(options);
        client = std::make_unique<NatsClient>(loop.core, resolver, *setup);
        client->start();
        return passes([&] { return client->connected(); });
    }());
    EXPECT_EQ(other.connects.size(), 0u);
    server.say("WHAT\r\n");
    ASSERT_TRUE(passes([&] { return client->counts.connections == 2; }));
    server.say("-ERR 'Slow Consumer'\r\n");
    ASSERT_TRUE(loop.until([&] { return client->counts.errors == 1; }));
}

TEST_F(Nats, WhoWeAreIsSaidAsAsked) {
    auto said_to = [&](NatsOptions o) {
        options = std::move(o);
        if (options.servers[0].find("localhost") != std::string::npos) options.servers = {server.address()};
        client.reset();
        EXPECT_TRUE(make());
        return server.connects.back();
    };
    NatsOptions o;
    o.user = "u", o.password = "p\"";
    EXPECT_NE(said_to(o).find(R"("user":"u","pass":"p\"")"), std::string::npos);
    o = {};
    o.token = "t";
    EXPECT_NE(said_to(o).find(R"("auth_token":"t")"), std::string::npos);
    o.servers = {"nats://a%40b:c@127.0.0.1:" + std::to_string(server.listener.port)};
    const std::string in_address = said_to(o);
    EXPECT_NE(in_address.find(R"("user":"a@b","pass":"c")"), std::string::npos);
    EXPECT_EQ(in_address.find("auth_token"), std::string::npos);
    o.servers = {"nats://tok@127.0.0.1:" + std::to_string(server.listener.port)};
    EXPECT_NE(said_to(o).find(R"("auth_token":"tok")"), std::string::npos);
    o = {};
    o.nkey = "SUACSSL3UAHUDXKFSNVUZRF5UHPMWZ6BFDTJ7M6USDXIEDNPPQYYYCU3VY";
    const std::string by_key = said_to(o);
    EXPECT_NE(by_key.find(R"("nkey":"UDXU4RCSJNZOIQHZNWXHXORDPRTGNJAHAHFRGZNEEJCPQTT2M7NLCNF4")"), std::string::npos) << by_key;
    EXPECT_NE(by_key.find(R"("sig":")"), std::string::npos);
}

TEST_F(Nats, WhatIsNoOptionIsRefused) {
    for (const char* bad : {"", "http://h", "nats://", "nats://h:0", "nats://h/x", "nats://h h"}) {
        options.servers = {bad};
        EXPECT_FALSE(nats_setup(options)) << bad;
    }
    for (const char* good : {"h", "h:1", "nats://h", "nats://[::1]:1/", "u:p@h"}) {
        options.servers = {good};
        EXPECT_TRUE(nats_setup(options)) << good;
    }
    options.nkey = "SUACSSL3UAHUDXKFSNVUZRF5UHPMWZ6BFDTJ7M6USDXIEDNPPQYYYCU3VX";   // a digit is wrong
    EXPECT_FALSE(nats_setup(options));
    options.nkey.clear();
    options.credentials_file = "/no/such/file";
    EXPECT_FALSE(nats_setup(options));
    options.credentials_file.clear();
    options.tls_cert = "x";
    EXPECT_FALSE(nats_setup(options));
    EXPECT_FALSE(read_nats_credentials("-----BEGIN NATS USER JWT-----\nabc\n"));
    const auto both = read_nats_credentials("-----BEGIN NATS USER JWT-----\nabc\n------END NATS USER JWT------\n\n"
                                            "-----BEGIN USER NKEY SEED-----\nSUX\n------END USER NKEY SEED------\n");
    ASSERT_TRUE(both);
    EXPECT_EQ(both->jwt + " " + both->seed, "abc SUX");
}

// ---- Dynamo's planes

Task<void> send(RequestPlane& plane, std::string& said) {
    const PlaneAddress address{"", 0, "dynamo_backend.generate-1f"};
    auto ok = co_await plane.send(address, R"({"x-endpoint-path":"p","request-id":"r 1","x":"a\"b"})", "payload");
    said += ok ? "ok;" : std::string(name(ok.error()->code)) + " " + ok.error()->reason + ";";
}

TEST_F(Nats, TheRequestPlaneSendsToSubjects) {
    ASSERT_TRUE(make());
    NatsRequests requests(*client, 1'000);
    RequestPlane plane(loop.core, resolver);
    loop.tasks.spawn(send(plane, said));
    ASSERT_TRUE(hears("connect_failed ;"));
    plane.subjects_through(&requests);
    said.clear();
    for (int i = 0; i < 4; i++) loop.tasks.spawn(send(plane, said));
    ASSERT_TRUE(published(4));
    EXPECT_EQ(server.published[0].subject, "dynamo_backend.generate-1f");
    EXPECT_EQ(server.published[0].headers, "NATS/1.0\r\nrequest-id: r 1\r\nx: a\"b\r\n\r\n");
    EXPECT_EQ(server.published[0].payload, "payload");
    server.answer(server.published[0], "");
    server.answer(server.published[1], "Server overloaded: 40000 queued");
    server.answer_with(server.published[2], "NATS/1.0\r\nNats-Service-Error: gone\r\n\r\n");
    EXPECT_TRUE(hears("ok;ack_error overloaded;ack_error unavailable;"));
    clock.advance_ms(1'100);
    EXPECT_TRUE(hears("ok;ack_error overloaded;ack_error unavailable;first_byte_timeout ;"));
}

TEST_F(Nats, EventsLookAsOverZeroMq) {
    struct Events final : EventListener {
        std::string said;
        void connected() override { said += "up;"; }
        void lost() override { said += "down;"; }
        void message(const std::vector<std::string>& f) override {
            said += f[0] + "," + (f[1].empty() ? "none" : std::to_string(read_big_endian(f[1])) + " " + std::to_string(read_big_endian(f[2]))) + "," + f[3] + ";";
        }
    } events;
    std::string envelope;
    MsgpackWriter(envelope).map(3).text("publisher_id").number(uint64_t{9'000'000'000'000}).text("topic").text("kv-events").text("sequence").number(uint64_t{5});
    ASSERT_TRUE(make());
    {
        Nursery tasks;
        tasks.spawn(subscribe_nats_events(*client, "namespace.d.kv-events", "kv-events", events));
        ASSERT_TRUE(loop.until([&] { return events.said == "up;"; }));
        server.message("namespace.d.kv-events", "2", "abc");
        EXPECT_TRUE(loop.until([&] { return events.said == std::string("up;kv-events,none,\1\0\0\0\3abc;", 27); })) << events.said;
        events.said.clear();
        server.message("namespace.d.kv-events", "2", envelope);
        EXPECT_TRUE(loop.until([&] { return events.said.starts_with("kv-events,9000000000000 5,"); })) << events.said;
    }
    ASSERT_TRUE(loop.until([&] { return server.unsubscribed.size() == 1; }));
}

}  // namespace
}  // namespace weir
