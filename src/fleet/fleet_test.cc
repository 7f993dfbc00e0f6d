#include "fleet/fleet.h"

#include <gtest/gtest.h>

#include <thread>

namespace weir {
namespace {

struct RegistryTest : testing::Test {
    LoadCells cells;
    std::vector<FleetViewRef> published;
    Registry registry{cells, nullptr, false, [this](FleetViewRef view) { published.push_back(std::move(view)); }};
    WorkerSlot add(const std::string& url, std::vector<std::string> models = {}, bool ready = true) {
        WorkerSpec spec;
        spec.url = url;
        spec.models = std::move(models);
        spec.ready = ready;
        auto slot = registry.add(std::move(spec));
        EXPECT_TRUE(slot) << slot.error()->message;
        return *slot;
    }
    const FleetView& view() { return *registry.view(); }
    // Slots of the ranks that serve a model; -1: the model is not known.
    std::vector<int> serving(std::string_view model) {
        auto* bits = view().serving(model);
        if (!bits) return {-1};
        std::vector<int> slots;
        for (size_t i = 0; i < view().ranks().size(); i++)
            if ((*bits)[i / 64] >> (i % 64) & 1) slots.push_back(static_cast<int>(view().ranks()[i].worker->slot));
        return slots;
    }
};

TEST_F(RegistryTest, AWorkerIsSeenOnceItIsReady) {
    WorkerSlot slot = add("http://a:1", {}, false);
    EXPECT_EQ(registry.known(), 1u);
    ASSERT_EQ(published.size(), 1u);
    EXPECT_EQ(view().workers(), 0u);
    EXPECT_EQ(view().pending(), 1u);
    EXPECT_EQ(view().entry(slot), nullptr);
    registry.set_models(slot, {"m"});
    ASSERT_EQ(published.size(), 2u);
    EXPECT_EQ(view().pending(), 0u);
    EXPECT_EQ(view().version(), 2u);
    EXPECT_EQ(serving("m"), (std::vector<int>{static_cast<int>(slot)}));
    EXPECT_EQ(serving("other"), (std::vector<int>{-1}));
    registry.set_models(slot, {"m"});
    EXPECT_EQ(published.size(), 2u) << "nothing new, nothing published";
    registry.set_models(slot, {"n"});
    EXPECT_EQ(serving("m"), (std::vector<int>{-1}));
    EXPECT_EQ(published[1]->models(), (std::vector<std::string>{"m"})) << "who holds an older view sees no change";
}

TEST_F(RegistryTest, ModelsToRanks) {
    add("http://a:1", {"m", "n"});
    add("http://b:1", {"m"});
    EXPECT_EQ(serving("m"), (std::vector<int>{0, 1}));
    EXPECT_EQ(serving("n"), (std::vector<int>{0}));
    EXPECT_FALSE(view().any_model());
    add("http://c:1");
    EXPECT_TRUE(view().any_model());
    EXPECT_EQ(serving("m"), (std::vector<int>{0, 1, 2}));
    EXPECT_EQ(serving("whatever"), (std::vector<int>{2}));
    EXPECT_EQ(view().models(), (std::vector<std::string>{"m", "n"})) << "in the order first seen";
    EXPECT_EQ(view().target(1).host, "b");
    EXPECT_EQ(view().entry(2)->view.url, "http://c:1");
    EXPECT_EQ(view().entry(3), nullptr);
}

TEST_F(RegistryTest, RemovedWorkersAreGoneAndTheirSlotsUsedAgain) {
    for (const char* url : {"http://a:1", "http://b:1", "http://c:1"}) add(url, {"m"});
    FleetViewRef before = registry.view();
    EXPECT_TRUE(registry.remove(1));
    EXPECT_FALSE(registry.remove(1));
    EXPECT_FALSE(registry.remove(99));
    EXPECT_EQ(serving("m"), (std::vector<int>{0, 2}));
    EXPECT_EQ(view().entry(1), nullptr);
    EXPECT_EQ(registry.spec(1), nullptr);
    EXPECT_EQ(registry.target(1), nullptr);
    EXPECT_EQ(before->entry(1)->spec.url, "http://b:1");
    EXPECT_EQ(add("http://d:1", {"m"}), 1);
    EXPECT_EQ(registry.target(1)->slot, 1u);
    EXPECT_EQ(registry.known(), 3u);
}

TEST_F(RegistryTest, RefusesWhatItCannotUse) {
    add("http://a:1");
    for (const char* url : {"http://a:1", "grpc://a:1", "ftp://a", "https://a:1", ""}) {
        WorkerSpec spec;
        spec.url = url;
        auto slot = registry.add(std::move(spec));
        EXPECT_FALSE(slot) << url;
    }
    EXPECT_EQ(registry.known(), 1u);
}

TEST_F(RegistryTest, KeysBelongToUrls) {
    WorkerSlot a = add("http://a:1"), b = add("http://b:1");
    auto key = [&](WorkerSlot s) { return view().entry(s)->view.key; };
    EXPECT_NE(key(a), key(b));
    auto before = key(a);
    registry.remove(a);
    a = add("http://a:1");
    EXPECT_EQ(key(a), before);
}

TEST_F(RegistryTest, MoreThanOneWordOfRanks) {
    for (int i = 0; i < 130; i++) add("http://h" + std::to_string(i) + ":1", {i % 2 ? "odd" : "even"});
    EXPECT_EQ(serving("odd").size(), 65u);
    EXPECT_EQ(serving("even").back(), 128);
    for (int i = 0; i < 130; i += 2) registry.remove(static_cast<WorkerSlot>(i));
    EXPECT_EQ(serving("odd").size(), 65u);
    EXPECT_EQ(serving("even"), (std::vector<int>{-1}));
}

TEST(LoadCells, EveryRankHasOneCellForEver) {
    LoadCells cells;
    LoadCell* first = &cells.at(0);
    LoadCell* far = &cells.at(LoadCells::ranks_max - 1);
    std::vector<std::thread> threads;   // all of them meet at blocks nobody has made yet
    std::vector<std::vector<LoadCell*>> seen(4);
    for (auto& mine : seen)
        threads.emplace_back([&] {
            for (size_t i = 0; i < LoadCells::ranks_max; i += 100) {
                mine.push_back(&cells.at(i));
                cells.at(i).requests.fetch_add(1, std::memory_order_relaxed);
            }
        });
    for (auto& t : threads) t.join();
    EXPECT_EQ(seen[0], seen[1]);
    EXPECT_EQ(seen[0], seen[2]);
    EXPECT_EQ(seen[0], seen[3]);
    EXPECT_EQ(&cells.at(0), first);
    EXPECT_EQ(&cells.at(LoadCells::ranks_max - 1), far);
    EXPECT_EQ(cells.at(200).requests, 4u);
}

TEST(ParseTarget, ReadsWorkerUrls) {
    auto t = parse_target("http://[::1]:8000/v2/", nullptr, false);
    ASSERT_TRUE(t) << t.error()->message;
    EXPECT_EQ(t->host, "::1");
    EXPECT_EQ(t->port, 8000);
    EXPECT_EQ(t->authority, "[::1]:8000");
    EXPECT_EQ(t->path_prefix, "/v2");
    EXPECT_FALSE(t->tls);
    EXPECT_EQ(t->http, Target::Http::one);
    EXPECT_EQ(parse_target("http://h", nullptr, true)->http, Target::Http::two_prior);
    EXPECT_EQ(parse_target("http://h", nullptr, false)->port, 80);
    auto u = parse_target("unix:/run/engine.sock", nullptr, false);
    ASSERT_TRUE(u) << u.error()->message;
    EXPECT_EQ(u->unix_path, "/run/engine.sock");
    EXPECT_EQ(u->path_prefix, "");
    EXPECT_EQ(parse_target("grpc://h:1", nullptr, false).error()->code, Code::not_supported);
}

}  // namespace
}  // namespace weir
