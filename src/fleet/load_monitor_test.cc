#include "fleet/load_monitor.h"

#include <gtest/gtest.h>

#include "net/resolver.h"
#include "tests/support/http1_peer.h"

namespace weir {
namespace {

constexpr const char *first_page = "/v1/loads?include=core,disagg,queues,memory", *busy = R"({"loads":[{"num_running_reqs":1,"num_waiting_reqs":5}]})",
                     *idle = R"({"loads":[{"num_running_reqs":0,"num_waiting_reqs":0}]})";

struct Monitor : testing::Test {
    ManualClock clock;
    test::NetLoop loop{clock};
    Resolver resolver{loop.core};
    ClientPool pool{loop.core, resolver, {}};
    LoadCells cells;
    Registry registry{cells, nullptr, false, [](FleetViewRef) {}, clock};
    LoadMonitorOptions options;
    std::unique_ptr<LoadMonitor> monitor;
    struct Peer { std::string authority; std::unique_ptr<test::Http1Peer> http; };
    std::vector<Peer> peers;                     // connections, oldest first
    std::vector<std::string> told;               // url and outcome of each poll

    Monitor() {
        pool.connect_through(&Monitor::connect, this);
    }
    ~Monitor() override { monitor.reset(); }
    static Task<Result<std::unique_ptr<Transport>>> connect(void* self, const Target& target) {
        auto& test = *static_cast<Monitor*>(self);
        auto [ours, theirs] = test::tcp_pair();
        test.peers.push_back({target.authority, std::make_unique<test::Http1Peer>(test.loop, theirs)});
        co_return std::unique_ptr<Transport>(std::make_unique<SocketTransport>(ours));
    }
    WorkerSlot add(const std::string& url, uint16_t ranks = 1, uint16_t rank_first = 0) {
        WorkerSpec spec;
        spec.url = url, spec.ready = true, spec.ranks = ranks, spec.rank_first = rank_first, spec.block = 16;
        return *registry.add(std::move(spec));
    }
    void start() {
        auto tell = [this](const FleetView::Entry& e, const Result<RankLoads>& loads) {
            told.push_back(e.spec.url + (loads ? " " + std::to_string(loads->size()) : " " + loads.error()->message));
        };
        monitor = std::make_unique<LoadMonitor>(loop.core, cells, pool, options, tell);
        follow();
    }
    void follow() { monitor->follow(registry.view()); }
    // The path asked for on the newest connection; the question is taken off.
    std::string asked() { return asked(peers.size() - 1); }
    std::string asked(size_t peer) {
        if (peer >= peers.size()) return "(no connection)";
        auto& p = *peers[peer].http;
        if (!loop.until([&] { return p.read(), p.got.ends_with("\r\n\r\n"); }, 5'000)) return "(no question)";
        const std::string got = std::exchange(p.got, {});
        return got.substr(4, got.find(' ', 4) - 4);
    }
    void answer(std::string_view status, std::string_view body) { answer(peers.size() - 1, status, body); }
    void answer(size_t peer, std::string_view status, std::string_view body) {
        peers[peer].http->send("HTTP/1.1 " + std::string(status) + "\r\ncontent-length: " + std::to_string(body.size()) + "\r\n\r\n" + std::string(body));
    }
    bool told_are(size_t n) {
        return loop.until([&] { return told.size() >= n; }, 5'000);
    }
    void pass_ms(uint64_t ms) {
        clock.advance_ms(ms);
        for (int i = 0; i < 4; i++) loop.core.turn(0);
    }
    uint32_t waiting(uint32_t number) { return cells.at(number).rep_waiting; }
    bool reported(uint32_t number) { return cells.at(number).rep_at_ms != 0; }
};

TEST_F(Monitor, PollsAtOnceAndEachInterval) {
    add("http://a:1");
    start();
    EXPECT_EQ(asked(), first_page);
    answer("200 OK", busy);
    ASSERT_TRUE(told_are(1));
    EXPECT_EQ(waiting(0), 5u);
    EXPECT_EQ(cells.at(0).rep_at_ms, loop.core.now_ms());
    pass_ms(9'999);
    EXPECT_EQ(peers.size(), 1u);
    pass_ms(1);
    EXPECT_EQ(asked(), first_page);
    answer("200 OK", idle);
    ASSERT_TRUE(told_are(2));
    EXPECT_EQ(waiting(0), 0u);
    EXPECT_EQ(cells.at(0).rep_at_ms, loop.core.now_ms());
}

TEST_F(Monitor, RemembersThePageThatIsThere) {
    add("http://a:1");
    start();
    for (const char* page : {first_page, "/metrics"}) {
        EXPECT_EQ(asked(), page);
        answer("404 Not Found", "{}");
    }
    EXPECT_EQ(asked(), "/get_load");
    answer("200 OK", R"([{"num_reqs":7,"num_waiting_reqs":4}])");
    ASSERT_TRUE(told_are(1));
    EXPECT_EQ(waiting(0), 4u);
    pass_ms(10'000);
    EXPECT_EQ(asked(), "/get_load");
    answer("405 Method Not Allowed", "");
    EXPECT_EQ(asked(), first_page) << "it is another engine now";
    answer("200 OK", busy);
    ASSERT_TRUE(told_are(2));
    pass_ms(10'000);
    EXPECT_EQ(asked(), first_page);
}

TEST_F(Monitor, APageThatMayComeBackIsAskedForAgain) {
    add("http://a:1");
    start();
    for (int i = 0; i < 2; i++) {
        EXPECT_EQ(asked(), first_page);
        answer("401 Unauthorized", "");
        EXPECT_EQ(asked(), "/metrics");
        answer("200 OK", "vllm:kv_cache_usage_perc 0.5\nvllm:num_requests_waiting 3\n");
        ASSERT_TRUE(told_are(static_cast<size_t>(i) + 1));
        EXPECT_EQ(waiting(0), 3u);
        pass_ms(10'000);
    }
}

TEST_F(Monitor, AFailureTakesAwayWhatWasKnown) {
    add("http://a:1");
    start();
    asked();
    answer("200 OK", busy);
    ASSERT_TRUE(told_are(1));
    pass_ms(10'000);
    asked();
    peers.back().http->leave();
    ASSERT_TRUE(told_are(2));
    EXPECT_FALSE(reported(0));
    EXPECT_EQ(waiting(0), 0u);
    pass_ms(10'000);
    EXPECT_EQ(asked(), first_page);
    for (int i = 0; i < 3; i++) {
        answer("200 OK", "{}");
        if (i < 2) asked();
    }
    ASSERT_TRUE(told_are(3));
    EXPECT_EQ(told[2], "http://a:1 not a list of loads");
    EXPECT_FALSE(reported(0));
}

TEST_F(Monitor, APollIsBoundedInTimeAndSize) {
    add("http://a:1");
    start();
    asked();
    pass_ms(4'999);
    EXPECT_EQ(told.size(), 0u);
    pass_ms(1);
    ASSERT_EQ(told.size(), 1u);
    EXPECT_EQ(told[0], "http://a:1 no answer in time");
    EXPECT_EQ(monitor->under_way(), 0u);
    pass_ms(10'000);
    asked();
    peers.back().http->send("HTTP/1.1 200 OK\r\ncontent-length: 100000000\r\n\r\n");
    const std::string piece(65'536, ' ');
    for (int i = 0; i < 100 && told.size() < 2; i++) peers.back().http->send(piece);
    ASSERT_TRUE(told_are(2));
    EXPECT_EQ(told[1], "http://a:1 the page is too long");
}

TEST_F(Monitor, SoManyAtOnce) {
    options.at_once = 2;
    for (const char* url : {"http://a:1", "http://b:1", "http://c:1", "http://d:1"}) add(url);
    start();
    EXPECT_EQ(peers.size(), 2u);
    EXPECT_EQ(monitor->under_way(), 2u);
    EXPECT_EQ(asked(0), first_page);
    answer(0, "200 OK", busy);
    ASSERT_TRUE(told_are(1));
    ASSERT_TRUE(loop.until([&] { return peers.size() == 3; }, 5'000));
    EXPECT_EQ(peers[2].authority, "c:1");
    registry.remove(1);                          // under way
    registry.remove(2);                          // and the other
    follow();
    EXPECT_EQ(monitor->watched(), 2u);
    ASSERT_TRUE(loop.until([&] { return peers.size() == 4; }, 5'000));
    EXPECT_EQ(peers[3].authority, "d:1");
    EXPECT_EQ(monitor->under_way(), 1u);
    asked(3);
    answer(3, "200 OK", busy);
    ASSERT_TRUE(told_are(2));
    EXPECT_EQ(waiting(3), 5u);
    EXPECT_EQ(told[1], "http://d:1 1");
}

TEST_F(Monitor, WhoWasWokenAndLeftDoesNotHoldUpTheRest) {
    options.at_once = 1;
    for (const char* url : {"http://a:1", "http://b:1", "http://c:1"}) add(url);
    start();
    ASSERT_EQ(peers.size(), 1u);
    registry.remove(0);                          // wakes b
    registry.remove(1);                          // which is gone before it runs
    follow();
    ASSERT_TRUE(loop.until([&] { return peers.size() == 2; }, 5'000));
    EXPECT_EQ(peers[1].authority, "c:1");
}

TEST_F(Monitor, RanksHaveLoadsOfTheirOwn) {
    add("http://a:1", 2, 4);
    add("http://b:1");
    start();
    const std::string three = R"({"loads":[{"dp_rank":3,"num_running_reqs":0,"num_waiting_reqs":1},{"dp_rank":4,"num_running_reqs":0,"num_waiting_reqs":2,
        "num_used_tokens":33},{"dp_rank":5,"num_running_reqs":0,"num_waiting_reqs":3}]})";
    for (size_t peer : {0, 1}) {
        asked(peer);
        answer(peer, "200 OK", three);
    }
    ASSERT_TRUE(told_are(2));
    EXPECT_EQ(waiting(0), 2u);
    EXPECT_EQ(cells.at(0).rep_kv_used, 3u) << "blocks of 16";
    EXPECT_EQ(waiting(1), 3u);
    EXPECT_EQ(waiting(2), 6u) << "one rank to us: the sum";
    pass_ms(10'000);
    ASSERT_EQ(peers[2].authority, "a:1");
    asked(2);
    answer(2, "200 OK", R"({"loads":[{"dp_rank":5,"num_running_reqs":0,"num_waiting_reqs":9}]})");
    ASSERT_TRUE(told_are(3));
    EXPECT_FALSE(reported(0)) << "nothing was said of it";
    EXPECT_EQ(waiting(1), 9u);
}

TEST_F(Monitor, AWorkerThatComesAgainIsPolledAnew) {
    const WorkerSlot a = add("http://a:1");
    start();
    asked();
    answer("200 OK", busy);
    ASSERT_TRUE(told_are(1));
    registry.remove(a);
    follow();
    EXPECT_EQ(monitor->watched(), 0u);
    add("http://a:1");
    follow();
    EXPECT_EQ(monitor->watched(), 1u);
    follow();
    EXPECT_EQ(asked(), first_page);
    answer("200 OK", idle);
    ASSERT_TRUE(told_are(2));
}

}  // namespace
}  // namespace weir
