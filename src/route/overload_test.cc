#include "route/overload.h"

#include <gtest/gtest.h>

#include <set>

#include "route/place.h"

namespace weir::route {
namespace {

struct OverloadTest : testing::Test {
    LoadCells cells;
    Registry registry{cells, nullptr, false, [](FleetViewRef) {}};
    std::shared_ptr<Routing> routing;
    OverloadGuard guard;
    Scratch scratch;
    Random random{1};
    Prepared request;
    Hints hints;

    OverloadTest() {
        PolicyConfig config;
        config.name = "passthrough";
        routing = only(make_policy(config), "passthrough");
        routing->overload = &guard;
        for (const char* url : {"http://a:1", "http://b:1", "http://c:1"}) {
            WorkerSpec spec;
            spec.url = url;
            spec.models = {"m"};
            spec.ready = true;
            EXPECT_TRUE(registry.add(std::move(spec)));
        }
        request.model = "m";
        request.hints = &hints;
    }
    void report(uint32_t number, uint32_t waiting, float usage) {
        LoadReport r;
        r.waiting = waiting, r.usage = usage;
        cells.report(number, r, ns_per_s);
        guard.workers = 1;
    }
    Result<Choice> ask() { return place({request, *registry.view(), *routing}, scratch, random); }
};

TEST_F(OverloadTest, WhoIsOverloadedIsPassedOverUntilItSaysOtherwise) {
    EXPECT_EQ(ask()->at.worker->url, "http://a:1");
    report(0, 8, 0);
    auto choice = ask();
    EXPECT_EQ(choice->at.worker->url, "http://b:1");
    EXPECT_EQ(choice->rejects[Reject::overloaded], 1u);
    EXPECT_EQ(choice->rejects.text(), "1 overloaded");
    report(1, 0, 0.8f);
    EXPECT_EQ(ask()->at.worker->url, "http://c:1");
    report(0, 7, 0.79f);
    EXPECT_EQ(ask()->at.worker->url, "http://a:1");
    report(0, 8, 0);
    cells.forget(0);
    EXPECT_EQ(ask()->at.worker->url, "http://a:1") << "nothing is known of it any more";
}

TEST_F(OverloadTest, NobodyIsLookedAtWhileNobodyIsOverloaded) {
    report(0, 8, 0);
    guard.workers = 0;
    EXPECT_EQ(ask()->at.worker->url, "http://a:1");
}

TEST_F(OverloadTest, LimitsAreAsConfigured) {
    guard.limits = {100, 0.5f};
    report(0, 99, 0.49f);
    EXPECT_EQ(ask()->at.worker->url, "http://a:1");
    report(0, 99, 0.5f);
    EXPECT_EQ(ask()->at.worker->url, "http://b:1");
}

TEST_F(OverloadTest, WhenAllAreTheOneWithTheFewestRequestsTakesIt) {
    for (uint32_t i = 0; i < 3; i++) report(i, 8, 0);
    cells.at(0).requests = 2;
    std::set<Str> seen;
    for (int i = 0; i < 50; i++) {
        auto choice = ask();
        ASSERT_TRUE(choice);
        EXPECT_STREQ(choice->pick.why, "all are overloaded: the fewest requests");
        EXPECT_EQ(choice->candidates, 3u);
        seen.insert(choice->at.worker->url);
    }
    EXPECT_EQ(seen, (std::set<Str>{"http://b:1", "http://c:1"})) << "equals by chance";
    EXPECT_EQ(guard.fallback_total, 50u);
    hints.target_worker = "0";
    EXPECT_EQ(ask()->at.worker->url, "http://a:1") << "who names a worker gets it";
}

TEST_F(OverloadTest, OrTheRequestIsRefused) {
    guard.shed = true;
    guard.retry_after_s = 7;
    for (uint32_t i = 0; i < 3; i++) report(i, 8, 0);
    auto refused = ask();
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error()->code, Code::shed);
    EXPECT_EQ(refused.error()->reason, "worker_overload_protection_shed");
    EXPECT_EQ(refused.error()->message, "All workers for model 'm' are overloaded");
    EXPECT_EQ(refused.error()->retry_after_s, 7u);
    EXPECT_EQ(guard.shed_total, 1u);
    report(2, 0, 0);
    EXPECT_EQ(ask()->at.worker->url, "http://c:1");
}

}  // namespace
}  // namespace weir::route
