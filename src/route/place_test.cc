#include "route/place.h"

#include <gtest/gtest.h>

namespace weir::route {
namespace {

// Takes the eligible rank with the fewest requests, or says what the test wants.
struct FewestRequests final : Policy {
    uint32_t wanted = need::load;
    Pick::Kind kind = Pick::chosen;
    mutable size_t loads_seen = 0;
    uint32_t needs() const override { return wanted; }
    Pick pick(const Prepared&, const Slate& slate, Random&) const override {
        loads_seen = slate.load.size();
        Pick best;
        best.kind = kind;
        uint32_t least = UINT32_MAX;
        for (uint32_t i = 0; i < slate.ranks.size(); i++) {
            uint32_t now = slate.load.empty() ? 0 : slate.load[i].requests;
            if (slate.may(i) && now < least) least = now, best.index = i;
        }
        return best;
    }
};

struct PlaceTest : testing::Test {
    LoadCells cells;
    Registry registry{cells, nullptr, false, [](FleetViewRef) {}};
    FewestRequests policy;
    Scratch scratch;
    Random random{1};
    Prepared request;
    void add(const std::string& url, std::vector<std::string> models) {
        WorkerSpec spec;
        spec.url = url;
        spec.models = std::move(models);
        spec.ready = true;
        ASSERT_TRUE(registry.add(std::move(spec)));
    }
    Result<Choice> ask(Str model, std::vector<WorkerSlot> exclude = {}) {
        request.model = model;
        return place(request, *registry.view(), policy, exclude, scratch, random);
    }
};

TEST_F(PlaceTest, ChoosesAmongThoseThatServeTheModel) {
    add("http://a:1", {"m"});
    add("http://b:1", {"n"});
    add("http://c:1", {"m"});
    cells.at(0).requests = 5;
    auto choice = ask("m");
    ASSERT_TRUE(choice);
    EXPECT_EQ(choice->at.worker->url, "http://c:1");
    EXPECT_EQ(choice->at.cell, &cells.at(2));
    EXPECT_EQ(choice->candidates, 2u);
    EXPECT_EQ(policy.loads_seen, 3u);
    cells.at(2).requests = 6;
    EXPECT_EQ(ask("m")->at.worker->url, "http://a:1");
    EXPECT_EQ(ask("n")->candidates, 1u);
}

TEST_F(PlaceTest, LeavesOutWhoWasTried) {
    add("http://a:1", {"m"});
    add("http://b:1", {"m"});
    EXPECT_EQ(ask("m", {0})->at.worker->url, "http://b:1");
    auto nobody = ask("m", {0, 1});
    ASSERT_FALSE(nobody);
    EXPECT_EQ(nobody.error()->code, Code::no_worker);
    EXPECT_EQ(ask("m")->candidates, 2u) << "an exclusion lasts for one question";
}

TEST_F(PlaceTest, TellsAnUnknownModelFromOneWithoutAWorker) {
    EXPECT_EQ(ask("m").error()->code, Code::model_unknown);
    add("http://a:1", {"m"});
    auto unknown = ask("x");
    ASSERT_FALSE(unknown);
    EXPECT_EQ(unknown.error()->code, Code::model_unknown);
    EXPECT_EQ(unknown.error()->param, "model");
    EXPECT_NE(unknown.error()->message.find("'x'"), std::string::npos);
    add("http://b:1", {});
    EXPECT_EQ(ask("x")->at.worker->url, "http://b:1") << "it takes any name";
}

TEST_F(PlaceTest, APolicyMayRefuseAndNeedNoLoads) {
    add("http://a:1", {"m"});
    policy.wanted = 0;
    ASSERT_TRUE(ask("m"));
    EXPECT_EQ(policy.loads_seen, 0u);
    policy.kind = Pick::none;
    EXPECT_EQ(ask("m").error()->code, Code::no_worker);
}

}  // namespace
}  // namespace weir::route
