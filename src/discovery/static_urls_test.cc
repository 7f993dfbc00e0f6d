#include "discovery/static_urls.h"

#include <gtest/gtest.h>

#include "net/resolver.h"
#include "tests/support/http1_peer.h"

namespace weir {
namespace {

using Names = std::vector<std::string>;

TEST(ReadModelList, TakesTheIds) {
    EXPECT_EQ(*read_model_list(R"({"object":"list","data":[{"id":"a","object":"model"},{"id":"b/c","max_model_len":7}]})"), (Names{"a", "b/c"}));
    EXPECT_EQ(*read_model_list(R"({"data":[]})"), Names{});
    EXPECT_EQ(*read_model_list(R"( {"data" : [ {"id":"\u00e4"} ] } )"), (Names{"ä"}));
}

TEST(ReadModelList, RefusesWhatIsNone) {
    for (const char* text : {"", "null", "[]", "{}", R"({"data":{}})", R"({"data":[1]})", R"({"data":[{}]})", R"({"data":[{"id":1}]})",
                             R"({"data":[{"id":"a"}])", R"({"data":[{"id":"a"},null]})", "<html>", "{\"data\":[{\"id\":\"\xff\"}]}"}) {
        auto names = read_model_list(text);
        EXPECT_FALSE(names) << text;
        if (!names) {
            EXPECT_EQ(names.error()->code, Code::engine_garbage);
        }
    }
}

TEST(ReadModelList, IsBounded) {
    std::string text = R"({"data":[)";
    for (int i = 0; i < 10'050; i++) text += (i ? ",{\"id\":\"m" : "{\"id\":\"m") + std::to_string(i) + "\"}";
    EXPECT_EQ(read_model_list(text + "]}")->size(), 10'000u);
}

TEST(ReadDpSize, OrNothing) {
    EXPECT_EQ(read_dp_size(R"({"model_path":"m","dp_size":4})"), 4);
    EXPECT_EQ(read_dp_size(R"({"dp_size":1024})"), 1'024);
    for (const char* text : {"", "null", "[]", "{}", R"({"dp_size":"2"})", R"({"dp_size":-1})", R"({"dp_size":2.0})", R"({"dp_size":1025})", R"({"dp_size":65538})"})
        EXPECT_EQ(read_dp_size(text), 0) << text;
}

struct Watch : testing::Test {
    ManualClock clock;
    test::NetLoop loop{clock};
    Resolver resolver{loop.core};
    ClientPool pool{loop.core, resolver, {}};
    Target target;
    std::vector<std::unique_ptr<test::Http1Peer>> workers;
    std::vector<Names> found;
    bool refuse = false;
    int dialled = 0;

    Watch() {
        target.authority = "w";
        pool.connect_through(&Watch::connect, this);
    }
    ~Watch() override { loop.tasks.cancel(); }
    static Task<Result<std::unique_ptr<Transport>>> connect(void* self, const Target&) {
        auto& test = *static_cast<Watch*>(self);
        test.dialled++;
        if (test.refuse) co_return Failure(Code::connect_failed, "refused");
        auto [ours, theirs] = test::tcp_pair();
        test.workers.push_back(std::make_unique<test::Http1Peer>(test.loop, theirs));
        co_return std::unique_ptr<Transport>(std::make_unique<SocketTransport>(ours));
    }
    void start(StaticUrlsOptions options = {}) {
        loop.tasks.spawn(watch_static_worker("http://w", target, pool, [this](Names n) { found.push_back(std::move(n)); }, options));
    }
    void answer(std::string_view status, std::string_view body) {
        auto& w = *workers.back();
        ASSERT_TRUE(loop.until([&] { return w.read(), w.got.ends_with("\r\n\r\n"); }));
        size_t before = found.size();
        w.got.clear();
        w.send("HTTP/1.1 " + std::string(status) + "\r\ncontent-length: " + std::to_string(body.size()) + "\r\n\r\n" + std::string(body));
        for (int i = 0; i < 10 && found.size() == before; i++) loop.core.turn(1);
    }
    void pass_ms(uint64_t ms) {
        clock.advance_ms(ms);
        for (int i = 0; i < 4; i++) loop.core.turn(0);
    }
};

TEST_F(Watch, AsksForRanksToo) {
    std::vector<uint16_t> ranks;
    StaticUrlsOptions options;
    options.ranks = [&](uint16_t n) {
        EXPECT_EQ(found.size(), ranks.size()) << "first the ranks";
        ranks.push_back(n);
    };
    start(options);
    answer("200 OK", R"({"data":[{"id":"m"}]})");
    answer("404 Not Found", "");
    answer("200 OK", R"({"dp_size":2})");
    EXPECT_EQ(ranks, (std::vector<uint16_t>{2}));
    EXPECT_EQ(found, (std::vector<Names>{{"m"}}));
    pass_ms(30'000);
    answer("200 OK", R"({"data":[{"id":"m"}]})");
    answer("500 Internal Server Error", "");
    EXPECT_EQ(ranks, (std::vector<uint16_t>{2, 1})) << "not said: one";
}

TEST_F(Watch, AsksAndTellsAndAsksAgain) {
    StaticUrlsOptions options;
    options.api_key = "secret";
    start(options);
    ASSERT_EQ(workers.size(), 1u);
    workers[0]->quiet();
    EXPECT_EQ(workers[0]->got, "GET /v1/models HTTP/1.1\r\nhost: w\r\naccept: application/json\r\nauthorization: Bearer secret\r\n\r\n");
    answer("200 OK", R"({"data":[{"id":"m"}]})");
    EXPECT_EQ(found, (std::vector<Names>{{"m"}}));
    pass_ms(options.refresh_ms - 10);
    EXPECT_EQ(dialled, 1);
    pass_ms(20);
    answer("200 OK", R"({"data":[{"id":"n"}]})");
    EXPECT_EQ(found.back(), (Names{"n"}));
}

TEST_F(Watch, AWorkerThatDoesNotKnowTheQuestionTakesAnyModel) {
    for (const char* status : {"404 Not Found", "405 Method Not Allowed", "501 Not Implemented"}) {
        start();
        answer(status, "no");
        EXPECT_EQ(found.back(), Names{}) << status;
        loop.tasks.cancel();
        pass_ms(10'000);
    }
    EXPECT_EQ(found.size(), 3u);
}

TEST_F(Watch, TriesAgainAtGrowingDistance) {
    refuse = true;
    start();
    EXPECT_EQ(dialled, 1);
    for (uint64_t wait : {100u, 200u, 400u, 800u, 1'600u, 3'200u, 5'000u, 5'000u}) {
        int before = dialled;
        pass_ms(wait - 2);
        EXPECT_EQ(dialled, before) << wait;
        pass_ms(4);
        EXPECT_EQ(dialled, before + 1) << wait;
    }
    refuse = false;
    pass_ms(5'001);
    answer("503 Service Unavailable", "");
    EXPECT_TRUE(found.empty()) << "a worker that says no is not ready";
    pass_ms(5'001);
    answer("200 OK", "garbage");
    EXPECT_TRUE(found.empty());
    pass_ms(5'001);
    answer("200 OK", R"({"data":[{"id":"m"}]})");
    EXPECT_EQ(found.size(), 1u);
}

TEST_F(Watch, AQuestionHasItsTime) {
    StaticUrlsOptions options;
    start(options);
    pass_ms(options.question_ms + 1);
    pass_ms(options.retry_first_ms + 1);
    EXPECT_EQ(dialled, 2) << "asked again, on another connection";
}

}  // namespace
}  // namespace weir
