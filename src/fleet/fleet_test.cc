#include "fleet/fleet.h"

#include <gtest/gtest.h>

#include <thread>

namespace weir {
namespace {

struct RegistryTest : testing::Test {
    LoadCells cells;
    ManualClock clock;
    std::vector<FleetViewRef> published;
    Registry registry{cells, nullptr, false, [this](FleetViewRef view) { published.push_back(std::move(view)); }, clock};
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
    EXPECT_EQ(add("http://d:1", {"m"}), 3) << "somebody may still look at slot 1";
    clock.advance_ms(5'000);
    EXPECT_EQ(add("http://e:1", {"m"}), 1);
    EXPECT_EQ(registry.target(1)->slot, 1u);
    EXPECT_EQ(registry.known(), 4u);
    EXPECT_EQ(registry.slot_of("http://e:1"), 1u);
    EXPECT_EQ(registry.slot_of("http://b:1"), Registry::no_slot);
}

WorkerSpec ranked(const std::string& url, uint16_t ranks, uint16_t first = 0) {
    WorkerSpec spec;
    spec.url = url;
    spec.models = {"m"};
    spec.ready = true;
    spec.ranks = ranks;
    spec.rank_first = first;
    return spec;
}

TEST_F(RegistryTest, EachDataParallelRankIsOneToRouting) {
    WorkerSlot a = *registry.add(ranked("http://a:1", 3)), b = *registry.add(ranked("http://b:1", 2, 8));
    auto ranks = view().ranks();
    ASSERT_EQ(ranks.size(), 5u);
    for (uint32_t i = 0; i < 5; ++i) {
        EXPECT_EQ(ranks[i].number, i);
        EXPECT_EQ(ranks[i].cell, &cells.at(i));
        EXPECT_EQ(ranks[i].worker->slot, i < 3 ? a : b);
        EXPECT_EQ(view().index_of(i), i);
    }
    EXPECT_EQ(ranks[2].rank, 2);
    EXPECT_EQ(ranks[3].rank, 8);
    EXPECT_EQ(ranks[4].worker->rank_first, 8);
    EXPECT_EQ(ranks[4].worker->ranks, 2);
    EXPECT_EQ(view().entry(b)->number, 3u);
    EXPECT_EQ(serving("m").size(), 5u);
    registry.remove(a);
    EXPECT_EQ(view().index_of(0), FleetView::nowhere);
    EXPECT_EQ(view().index_of(3), 0u);
    EXPECT_EQ(view().index_of(99), FleetView::nowhere);
    EXPECT_EQ(registry.add(ranked("http://c:1", 0)).error()->code, Code::bad_field);
    EXPECT_EQ(registry.add(ranked("http://c:1", 10, 65'530)).error()->code, Code::bad_field);
}

TEST_F(RegistryTest, NumbersAreUsedAgainLateIdleAndWiped) {
    using Gone = std::vector<std::pair<uint32_t, uint32_t>>;
    Gone gone;
    registry.on_ranks_gone([&](uint32_t first, uint32_t n) { gone.push_back({first, n}); });
    WorkerSlot a = *registry.add(ranked("http://a:1", 2)), b = *registry.add(ranked("http://b:1", 2));
    registry.add(ranked("http://c:1", 1)).error();
    cells.at(1).requests = 1;
    cells.at(0).rep_waiting = 7;
    registry.remove(a), registry.remove(b);
    EXPECT_EQ(gone, (Gone{{0, 2}, {2, 2}}));
    clock.advance_ms(4'999);
    registry.add(ranked("http://d:1", 2)).error();
    EXPECT_EQ(view().ranks().back().number, 6u);
    clock.advance_ms(1);
    registry.add(ranked("http://e:1", 1)).error();
    EXPECT_EQ(view().entry(registry.slot_of("http://e:1"))->number, 2u) << "a booking is left at the other";
    EXPECT_EQ(gone.back(), (std::pair{2u, 1u})) << "once more, for what came late";
    cells.at(1).requests = 0;
    registry.add(ranked("http://f:1", 2)).error();
    EXPECT_EQ(view().entry(registry.slot_of("http://f:1"))->number, 0u);
    EXPECT_EQ(cells.at(0).rep_waiting, 0u);
    registry.add(ranked("http://g:1", 1)).error();
    EXPECT_EQ(view().entry(registry.slot_of("http://g:1"))->number, 3u);
}

TEST_F(RegistryTest, AWorkerMayBeDescribedAnew) {
    WorkerSpec spec = ranked("http://a:1", 2);
    WorkerSlot slot = *registry.add(spec);
    FleetViewRef before = registry.view();
    spec.taints = {"spot"}, spec.loras = {"l1", "l2"}, spec.block = 32, spec.kv_blocks = 1'000, spec.batch_tokens = 8'192;
    spec.bootstrap_host = "h", spec.bootstrap_port = 9'000, spec.roles = role::prefill, spec.instance_id = 77;
    spec.labels = {{"zone", "b"}};
    ASSERT_TRUE(registry.change(slot, spec));
    const WorkerView& v = view().entry(slot)->view;
    EXPECT_EQ(v.taints[0], "spot");
    EXPECT_EQ(v.loras.size(), 2u);
    EXPECT_EQ(v.kv_blocks, 1'000u);
    EXPECT_EQ(v.bootstrap_host, "h");
    EXPECT_EQ(v.roles, role::prefill);
    EXPECT_EQ(v.instance_id, 77u);
    EXPECT_EQ(view().entry(slot)->spec.labels[0].second, "b");
    EXPECT_EQ(view().entry(slot)->number, 0u);
    EXPECT_EQ(before->entry(slot)->view.block, 0u);
    const size_t views = published.size();
    ASSERT_TRUE(registry.change(slot, spec));
    EXPECT_EQ(published.size(), views) << "nothing new";
    spec.ranks = 3;
    ASSERT_TRUE(registry.change(slot, spec));
    EXPECT_EQ(view().entry(slot)->number, 2u);
    EXPECT_EQ(view().ranks().size(), 3u);
    spec.url = "http://b:1";
    EXPECT_FALSE(registry.change(slot, spec));
    EXPECT_FALSE(registry.change(5, spec));
}

TEST_F(RegistryTest, ManyChangesOneView) {
    registry.together([&] {
        for (int i = 0; i < 1'000; ++i) registry.add(ranked("http://h" + std::to_string(i) + ":1", 1)).error();
        registry.together([&] { registry.remove(3); });
    });
    EXPECT_EQ(published.size(), 1u);
    EXPECT_EQ(view().workers(), 999u);
    registry.together([] {});
    EXPECT_EQ(published.size(), 1u);
    const auto* shared = view().entry(7);
    registry.remove(8);
    EXPECT_EQ(view().entry(7), shared) << "who did not change is shared between views";
}

TEST_F(RegistryTest, RanksHaveABound) {
    registry.together([&] {
        for (uint32_t i = 0; i < LoadCells::ranks_max / 4'096; ++i) ASSERT_TRUE(registry.add(ranked("http://h" + std::to_string(i) + ":1", 4'096)));
    });
    EXPECT_EQ(registry.add(ranked("http://more:1", 1)).error()->code, Code::shed);
    registry.remove(2);
    clock.advance_ms(5'000);
    EXPECT_TRUE(registry.add(ranked("http://more:1", 4'096)));
}

TEST(LoadCells, ReportsReplaceWhatTheySayAndBeginTheCountAnew) {
    LoadCells cells;
    LoadCell& cell = cells.at(7);
    cell.since_requests = 3, cell.since_tokens = 900, cell.requests = 2;
    LoadReport report;
    report.waiting = 4, report.kv_used = 250, report.kv_total = 1'000;
    cells.report(7, report, 5 * ns_per_s);
    EXPECT_EQ(cell.rep_waiting, 4u);
    EXPECT_EQ(cell.rep_usage_q16, 65'536u / 4);
    EXPECT_EQ(cell.rep_at_ms, 5'000u);
    EXPECT_EQ(cell.since_requests, 0u);
    EXPECT_EQ(cell.since_tokens, 0u);
    EXPECT_EQ(cell.requests, 2u);
    LoadReport other;
    other.usage = 7.0f, other.running = 9;
    cells.report(7, other, 0);
    EXPECT_EQ(cell.rep_waiting, 4u) << "not said: as before";
    EXPECT_EQ(cell.rep_usage_q16, 65'536u);
    EXPECT_NE(cell.rep_at_ms, 0u);
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
