// The path of a request on one core: a client's socket, the flow, workers' sockets, nothing else.
#include "gateway/flow.h"

#include <gmock/gmock.h>

#include <algorithm>
#include <cctype>
#include <set>

#include "tests/support/http1_peer.h"

namespace weir {
namespace {

using test::Answer;
using test::Http1Peer;

constexpr std::string_view chat = R"({"model":"m","messages":[{"role":"user","content":"hi"}]})";

struct FlowTest : testing::Test {
    ManualClock clock;
    test::NetLoop loop{clock};
    Metrics metrics{1};
    std::unique_ptr<CoreState> state = std::make_unique<CoreState>(loop.core, UpstreamLimits{}, metrics, nullptr);
    LoadCells cells;
    Registry registry{cells, nullptr, false, [this](FleetViewRef view) { state->fleet = std::move(view); }};
    Budget bodies{"bodies", 10'000'000};
    ServerLimits limits;
    std::atomic<bool> draining{false};
    std::unique_ptr<Flow> flow;
    std::unique_ptr<Http1Peer> client;
    std::vector<std::unique_ptr<Http1Peer>> workers;   // one a connection, in the order they were made
    std::vector<uint32_t> dialled;                     // slots
    uint32_t dead_slots = 0;                           // bitmap: these refuse

    FlowTest() {
        limits.bodies = &bodies;
        state->pool.connect_through(&FlowTest::connect, this);
    }
    ~FlowTest() override {
        loop.tasks.cancel();
        EXPECT_EQ(state->active, 0u);
        EXPECT_EQ(state->booked, 0u);
        EXPECT_EQ(cells.requests(), 0u);
        EXPECT_EQ(bodies.used(), 0u);
        state.reset();
    }
    static Task<Result<std::unique_ptr<Transport>>> connect(void* self, const Target& target) {
        auto& test = *static_cast<FlowTest*>(self);
        test.dialled.push_back(target.slot);
        if (test.dead_slots >> target.slot & 1) co_return Failure(Code::connect_failed, "cannot connect to the worker");
        auto [ours, theirs] = test::tcp_pair();
        test.workers.push_back(std::make_unique<Http1Peer>(test.loop, theirs));
        co_return std::unique_ptr<Transport>(std::make_unique<SocketTransport>(ours));
    }
    void make(FlowOptions o, unsigned workers_n = 1) {
        o.request_id_headers = {"x-request-id", "x-trace-id"};
        auto routes = api::Routes::make(o.api);
        ASSERT_TRUE(routes);
        const PolicyRow* row = find_policy("round_robin");
        flow = std::make_unique<Flow>(std::move(o), *routes, route::only(row->make({row->name}), "round_robin"), metrics, draining);
        flow->add_core(state.get());
        for (unsigned i = 0; i < workers_n; i++) {
            WorkerSpec spec;
            spec.url = "http://w" + std::to_string(i) + ":80";
            spec.models = {"m"};
            spec.ready = true;
            ASSERT_TRUE(registry.add(std::move(spec)));
        }
        auto [ours, theirs] = test::tcp_pair();
        loop.tasks.spawn(serve_http1(std::make_unique<SocketTransport>(ours), *flow, limits, draining));
        client = std::make_unique<Http1Peer>(loop, theirs);
    }
    static FlowOptions launch() {
        FlowOptions o;
        o.api.dialect = Dialect::launch;
        return o;
    }
    static std::string post(std::string_view body, std::string_view more = {}) {
        return "POST /v1/chat/completions HTTP/1.1\r\nhost: h\r\ncontent-type: application/json\r\n" + std::string(more) +
               "content-length: " + std::to_string(body.size()) + "\r\n\r\n" + std::string(body);
    }
    void worker_says(std::string_view bytes) {
        ASSERT_TRUE(loop.until([&] { return !workers.empty() && (workers.back()->read(), workers.back()->got.find("\r\n\r\n") != std::string::npos); }));
        workers.back()->send(bytes);
    }
    Answer answer(size_t n = 1) {
        EXPECT_TRUE(client->await_answers(n)) << client->got;
        auto all = client->answers();
        return all.empty() ? Answer{} : all.back();
    }
    std::string id_of(const Answer& a) {
        constexpr std::string_view before = "\r\nx-request-id: ";
        size_t at = a.head.find(before);
        if (at == std::string::npos) return "";
        return a.head.substr(at + before.size(), a.head.find("\r\n", at + 2) - at - before.size());
    }
};

const std::string plain_ok = "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 2\r\n\r\n{}";

TEST_F(FlowTest, BytesPassUntouched) {
    make(launch());
    client->send(post(R"({ "model":"m", "unknown":[1,2], "messages":[{"role":"user","content":"hi"}] })"));
    worker_says("HTTP/1.1 200 OK\r\ncontent-type: application/json\r\nx-engine: e\r\ncontent-length: 7\r\n\r\n{\"a\":1}");
    Answer a = answer();
    EXPECT_EQ(a.body, "{\"a\":1}");
    EXPECT_TRUE(a.has("x-engine: e"));
    EXPECT_NE(workers[0]->got.find(R"({ "model":"m", "unknown":[1,2], "messages":[{"role":"user","content":"hi"}] })"), std::string::npos);
    EXPECT_EQ(metrics.value(Metric::http_responses, {"/v1/chat/completions", "200", ""}), 1);
}

TEST_F(FlowTest, RequestIdsAreMadeOrTakenOver) {
    make(launch());
    struct { std::string sent; bool taken; } cases[] = {
        {"x-request-id: given-1\r\n", true},
        {"x-trace-id: given-2\r\n", true},
        {"", false},
        {"x-request-id: two words\r\n", false},
        {"x-request-id: " + std::string(limits::request_id_max, 'i') + "\r\n", true},
        {"x-request-id: " + std::string(limits::request_id_max + 1, 'i') + "\r\n", false},
        {"x-request-id: \xc3\xa4\r\n", false},
    };
    size_t n = 0;
    std::set<std::string> made;
    for (auto& c : cases) {
        SCOPED_TRACE(c.sent);
        if (!workers.empty()) workers.back()->got.clear();
        client->send(post(chat, c.sent));
        worker_says(plain_ok);
        std::string id = id_of(answer(++n));
        if (c.taken) {
            EXPECT_EQ(c.sent.substr(c.sent.find(' ') + 1), id + "\r\n");
        } else {
            EXPECT_THAT(id, testing::AllOf(testing::StartsWith("chatcmpl-"), testing::SizeIs(9 + 24)));
            EXPECT_TRUE(std::all_of(id.begin() + 9, id.end(), [](char c) { return std::isalnum(static_cast<unsigned char>(c)) != 0; }) && made.insert(id).second) << id;
        }
        EXPECT_NE(workers.back()->got.find("x-request-id: " + id + "\r\n"), std::string::npos) << "the worker hears the same";
    }
}

TEST_F(FlowTest, TheFrontendEchoesOnlyWhatItWasGiven) {
    make({});
    client->send(post(chat));
    worker_says(plain_ok);
    EXPECT_EQ(id_of(answer(1)), "");
    workers.back()->got.clear();
    client->send(post(chat, "x-request-id: mine\r\n"));
    worker_says(plain_ok);
    EXPECT_EQ(id_of(answer(2)), "mine");
}

TEST_F(FlowTest, AnswersOriginsThatAreAllowed) {
    FlowOptions o = launch();
    o.cors_origins = {"https://a.example"};
    make(std::move(o));
    client->send("OPTIONS /v1/models HTTP/1.1\r\nhost: h\r\norigin: https://a.example\r\naccess-control-request-headers: x-y\r\n\r\n");
    Answer a = answer(1);
    EXPECT_EQ(a.status, 200);
    EXPECT_TRUE(a.has("access-control-allow-origin: https://a.example"));
    EXPECT_TRUE(a.has("access-control-allow-headers: x-y"));
    EXPECT_TRUE(a.names("access-control-allow-methods"));
    EXPECT_TRUE(a.has("vary: origin"));
    client->send(post(chat, "origin: https://a.example\r\n"));
    worker_says(plain_ok);
    EXPECT_TRUE(answer(2).has("access-control-allow-origin: https://a.example"));
    client->send("GET /v1/models HTTP/1.1\r\nhost: h\r\norigin: https://b.example\r\n\r\n");
    EXPECT_FALSE(answer(3).names("access-control-allow-origin"));
}

TEST_F(FlowTest, AnotherWorkerIsTriedWhileNothingWasSent) {
    dead_slots = 0b011;
    make(launch(), 3);
    client->send(post(chat));
    worker_says(plain_ok);
    EXPECT_EQ(answer().status, 200);
    EXPECT_EQ(dialled.back(), 2u);
    EXPECT_EQ(metrics.value(Metric::upstream_connects, {"failed"}), static_cast<double>(dialled.size() - 1));
    EXPECT_EQ(std::set<uint32_t>(dialled.begin(), dialled.end()).size(), dialled.size()) << "none twice";
}

TEST_F(FlowTest, DeadWorkersAreAnsweredFor) {
    dead_slots = 0b11;
    make(launch(), 2);
    client->send(post(chat) + post(R"({"model":"other","messages":[{"role":"user","content":"hi"}]})") + post("{"));
    ASSERT_TRUE(client->await_answers(3));
    auto all = client->answers();
    EXPECT_EQ(dialled.size(), 2u);
    EXPECT_EQ(all[0].status, 502);
    EXPECT_EQ(all[1].status, 404);
    EXPECT_EQ(all[2].status, 400);
    EXPECT_EQ(metrics.value(Metric::http_responses, {"/v1/chat/completions", "404", "model_not_found"}), 1) << "the word of the body";
}

TEST_F(FlowTest, ARequestIsBookedFromItsPickToItsEnd) {
    make(launch());
    client->send(post(chat));
    ASSERT_TRUE(loop.until([&] { return workers.size() == 1; }));
    EXPECT_EQ(cells.at(0).requests, 1u);
    EXPECT_EQ(state->active, 1u);
    EXPECT_EQ(state->booked, 1u);
    client->leave();
    EXPECT_TRUE(workers[0]->await_close()) << "the worker hears at once that nobody waits";
    EXPECT_TRUE(loop.settle());
    EXPECT_EQ(cells.at(0).requests, 0u);
    EXPECT_EQ(state->booked, 0u);
    EXPECT_EQ(state->active, 0u);
}

TEST_F(FlowTest, ABodyIsChargedUntilTheWorkerHasIt) {
    make(launch());
    std::string body = R"({"model":"m","messages":[{"role":"user","content":")" + std::string(6'000'000, 'x') + "\"}]}";
    bodies.set_limit(40'000'000);
    client->send(post(body), false);
    ASSERT_TRUE(loop.until([&] { return workers.size() == 1; }));
    EXPECT_GE(bodies.used(), body.size()) << "most of it waits in memory for a worker that does not read";
    ASSERT_TRUE(loop.until([&] { return workers[0]->read(), workers[0]->got.size() > body.size(); }));
    worker_says(plain_ok);
    EXPECT_EQ(answer().status, 200);
    EXPECT_EQ(bodies.used(), 0u);
}

TEST_F(FlowTest, AStreamThatBreaksEndsInOneErrorFrame) {
    make(launch());
    client->send(post(R"({"model":"m","stream":true,"messages":[{"role":"user","content":"hi"}]})"));
    worker_says("HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n10\r\ndata: {\"a\":1}\n\n\n\r\n");
    ASSERT_TRUE(loop.until([&] { return client->read(), client->got.find("data: {\"a\":1}") != std::string::npos; }));
    workers[0]->leave();
    Answer a = answer();
    EXPECT_TRUE(a.whole);
    size_t error = a.body.find("data: {\"error\"");
    EXPECT_NE(error, std::string::npos) << a.body;
    EXPECT_EQ(a.body.find("data: {\"error\"", error + 1), std::string::npos);
}

TEST_F(FlowTest, CountsTheEventsThatPass) {
    make(launch());
    client->send(post(R"({"model":"m","stream":true,"messages":[{"role":"user","content":"hi"}]})"));
    worker_says("HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n" +
                test::chunked("data: {\"c\":1}\n\ndata: {\"c\":2}\n\n: comment\n\ndata: {\"say\":\"data: {\"}\n\ndata: [DONE]\n\n", 1'000));
    EXPECT_TRUE(answer().body.ends_with("data: [DONE]\n\n"));
    EXPECT_EQ(metrics.value(Metric::output_tokens_total, {"m"}), 3);
}

}  // namespace
}  // namespace weir
