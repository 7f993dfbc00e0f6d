#include "route/place.h"

#include <gtest/gtest.h>

#include "kv/predictions.h"
#include "route/affinity.h"
#include "route/booking.h"
#include "route/queue_gate.h"

namespace weir::route {
namespace {

// Takes the eligible rank with the fewest requests, or says what the test wants.
struct FewestRequests final : Policy {
    uint32_t wanted = need::load;
    Pick::Kind kind = Pick::chosen;
    std::optional<uint32_t> best;    // instead
    mutable size_t loads_seen = 0;
    uint32_t needs() const override { return wanted; }
    Pick pick(const Prepared&, const Slate& slate, Random&) const override {
        loads_seen = slate.load.size();
        Pick pick;
        pick.kind = kind;
        uint32_t least = UINT32_MAX;
        for (uint32_t i = 0; i < slate.ranks.size(); i++) {
            uint32_t now = slate.load.empty() ? 0 : slate.load[i].requests;
            if (slate.may(i) && now < least) least = now, pick.index = i;
        }
        if (best) pick.index = *best;
        return pick;
    }
};

struct PlaceTest : testing::Test {
    LoadCells cells;
    Registry registry{cells, nullptr, false, [](FleetViewRef) {}};
    Routing routing;
    FewestRequests& policy = *own(routing);
    static FewestRequests* own(Routing& r) {
        auto made = std::make_shared<FewestRequests>();
        r.whole = made;
        return made.get();
    }
    Scratch scratch;
    Random random{1};
    Prepared request;
    Leg::Role role = Leg::whole;
    Instant now = 0;
    void add(const std::string& url, std::vector<std::string> models) {
        WorkerSpec spec;
        spec.url = url;
        spec.models = std::move(models);
        spec.ready = true;
        ASSERT_TRUE(registry.add(std::move(spec)));
    }
    WorkerView& view(size_t i) { return const_cast<WorkerView&>(*registry.view()->ranks()[i].worker); }
    Result<Choice> ask(Str model, std::vector<WorkerSlot> exclude = {}) {
        request.model = model;
        return place({request, *registry.view(), routing, role, exclude, now}, scratch, random);
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

TEST_F(PlaceTest, GathersOverlapOfAllTiersInOneWalk) {
    for (char c : {'a', 'b', 'c', 'd'}) add(std::string("http://") + c + ":1", {"m"});
    routing.index = *kv::KvIndex::make({});
    std::vector<uint64_t> local{11, 12, 13, 14, 15};
    std::vector<kv::Block> blocks;
    for (uint64_t l : local) blocks.push_back({l + 100, l});
    auto number = [&](size_t i) { return registry.view()->ranks()[i].number; };
    routing.index->stored(number(1), kv::Tier::device, nullptr, std::span(blocks).first(3));
    uint64_t parent = 113;
    routing.index->stored(number(1), kv::Tier::host, &parent, std::span(blocks).subspan(3, 1));
    kv::Predictions predictions(*routing.index, {});
    predictions.predict(number(2), std::span(local).first(2), 1);
    policy.wanted = need::device | need::lower_tiers | need::predicted;
    policy.best = 1;
    request.local_hashes = local;
    request.block = 16;
    request.prompt_tokens = 85;
    auto choice = ask("m");
    ASSERT_TRUE(choice);
    const Slate& slate = scratch.slate();
    EXPECT_EQ(std::vector<uint32_t>(slate.device.begin(), slate.device.end()), (std::vector<uint32_t>{0, 3, 0, 0}));
    EXPECT_EQ(slate.host[1], 1u);
    EXPECT_EQ(slate.predicted[2], 2u);
    EXPECT_EQ(slate.request_blocks, 6u) << "a partial block counts";
    EXPECT_EQ(choice->overlap.device, 3u);
    EXPECT_EQ(choice->overlap.host, 1u);
    EXPECT_EQ(choice->cached_tokens, 60u) << "(3 + 0.75) * 16";
    policy.best = 2;
    EXPECT_EQ(ask("m")->cached_tokens, 32u);
    policy.wanted = need::device;
    EXPECT_EQ(ask("m")->overlap.device, 2u) << "who does not ask for predictions sees the larger of the two";
    policy.wanted = 0;
    EXPECT_EQ(ask("m")->cached_tokens, 0u) << "and who asks for nothing, nothing";
}

TEST_F(PlaceTest, BlocksUnderWay) {
    add("http://a:1", {"m"});
    add("http://b:1", {"m"});
    routing.active = *kv::ActiveBlocks::make(1 << 20);
    std::vector<uint64_t> local{1, 2, 3}, other{1, 2, 9};
    uint32_t fresh = 0;
    auto hold = routing.active->hold(registry.view()->ranks()[1].number, other, fresh);
    policy.wanted = need::active;
    policy.best = 1;
    request.local_hashes = local;
    EXPECT_EQ(ask("m")->overlap.active, 2u);
    EXPECT_EQ(scratch.slate().active_overlap[0], 0u);
    routing.active->release(registry.view()->ranks()[1].number, hold);
}

TEST_F(PlaceTest, LoadsOfThoseThatMayServe) {
    add("http://a:1", {"m"});
    add("http://b:1", {"n"});
    add("http://c:1", {"m"});
    LoadCell& cell = cells.at(registry.view()->ranks()[2].number);
    cell.requests = 1, cell.prefill_tokens = 2, cell.active_blocks = 3, cell.out_blocks_q8 = 128, cell.context_tokens = 4;
    cell.rep_at_ms = 900, cell.rep_waiting = 5, cell.rep_usage_q16 = 32'768;
    now = 1'000 * ns_per_ms;
    policy.best = 2;
    auto choice = ask("m");
    const LoadNow& load = choice->load;
    EXPECT_EQ(load.requests, 1u);
    EXPECT_EQ(load.prefill_tokens, 2u);
    EXPECT_EQ(load.active_blocks, 3u);
    EXPECT_EQ(load.out_blocks, 0.5f);
    EXPECT_EQ(load.context_tokens, 4u);
    EXPECT_EQ(load.waiting, 5u);
    EXPECT_EQ(load.usage, 0.5f);
    EXPECT_EQ(load.report_age_ms, 100u);
    policy.best = 0;
    EXPECT_FALSE(ask("m")->load.reported());
}

TEST_F(PlaceTest, EachLegHasItsPolicy) {
    add("http://a:1", {"m"});
    add("http://b:1", {"m"});
    auto decode = std::make_shared<FewestRequests>();
    decode->best = 1;
    routing.decode = decode;
    policy.best = 0;
    view(0).roles = role::whole | role::prefill;
    view(1).roles = role::decode;
    EXPECT_EQ(ask("m")->at.worker->url, "http://a:1");
    role = Leg::decode;
    auto choice = ask("m");
    EXPECT_EQ(choice->at.worker->url, "http://b:1");
    EXPECT_EQ(choice->rejects[Reject::role], 1u);
    role = Leg::prefill;
    EXPECT_EQ(ask("m")->at.worker->url, "http://a:1") << "no policy of its own: the main one";
    role = Leg::encode;
    EXPECT_EQ(ask("m").error()->detail, "2 role");
}

TEST_F(PlaceTest, APolicyMayWait) {
    add("http://a:1", {"m"});
    policy.kind = Pick::wait;
    auto choice = ask("m");
    ASSERT_TRUE(choice);
    EXPECT_FALSE(choice->at);
    EXPECT_EQ(choice->pick.kind, Pick::wait);
}

struct SessionsTest : PlaceTest {
    Hints said;
    SessionsTest() {
        request.hints = &said;
        said.session = "s";
    }
    void keep(bool hard) { routing.affinity = std::make_shared<Affinity>(AffinitySettings{.ttl_ms = 1'000, .hard = hard}); }
    Result<Choice> serve(std::vector<WorkerSlot> exclude = {}) {
        auto choice = ask("m", exclude);
        if (choice) remember({request, *registry.view(), routing, role, exclude, now}, *choice);
        return choice;
    }
};

TEST_F(SessionsTest, StayWhereTheyWereServed) {
    add("http://a:1", {"m"});
    add("http://b:1", {"m"});
    keep(true);
    cells.at(0).requests = 5;
    auto first = serve();
    ASSERT_TRUE(first);
    EXPECT_EQ(first->at.worker->url, "http://b:1");
    EXPECT_EQ(first->rejects[Reject::session], 0u);
    cells.at(1).requests = 50;
    auto again = serve();
    EXPECT_EQ(again->at.worker->url, "http://b:1");
    EXPECT_EQ(again->candidates, 1u);
    EXPECT_EQ(again->rejects[Reject::session], 1u);
    said.session = "other";
    EXPECT_EQ(serve()->at.worker->url, "http://a:1");
    said.session = "s";
    EXPECT_EQ(serve({first->at.worker->slot})->at.worker->url, "http://a:1") << "its worker cannot: bound anew";
    cells.at(0).requests = 500;
    EXPECT_EQ(serve()->at.worker->url, "http://a:1");
    said.session_final = true;
    EXPECT_EQ(serve()->at.worker->url, "http://a:1");
    said.session_final = false;
    EXPECT_EQ(serve()->at.worker->url, "http://b:1") << "it had ended";
}

TEST_F(SessionsTest, HardOnesDoNotLeaveABusyWorkerSoftOnesDo) {
    add("http://a:1", {"m"});
    add("http://b:1", {"m"});
    for (bool hard : {true, false}) {
        keep(hard);
        routing.busy.prefill_tokens = 10;
        cells.at(0).prefill_tokens = 0, cells.at(1).requests = 5;
        EXPECT_EQ(serve()->at.worker->url, "http://a:1");
        cells.at(0).prefill_tokens = 11;
        auto choice = serve();
        if (hard) {
            ASSERT_FALSE(choice);
            EXPECT_EQ(choice.error()->code, Code::shed);
            EXPECT_EQ(choice.error()->detail, "1 busy, 1 session");
        } else {
            ASSERT_TRUE(choice);
            EXPECT_EQ(choice->at.worker->url, "http://b:1");
        }
    }
}

TEST_F(SessionsTest, OfModelsAreApartInOneMemory) {
    add("http://a:1", {"m"});
    add("http://b:1", {"m"});
    Affinity all({.ttl_ms = 1'000});
    routing.affinity = std::make_shared<Affinity>(all, "m");
    cells.at(0).requests = 5;
    EXPECT_EQ(serve()->at.worker->url, "http://b:1");
    cells.at(1).requests = 50;
    routing.affinity = std::make_shared<Affinity>(all, "n");
    EXPECT_EQ(serve()->at.worker->url, "http://a:1");
    EXPECT_EQ(all.sessions(), 2u);
}

struct NoRoom final : QueueHome {
    bool room(const Waiting&) override { return false; }
    uint32_t workers() override { return 1; }
    uint32_t open() override { return 0; }
};
struct NoPoller final : Poller {
    void wait(int) override {}
    void wake() override {}
};
QueueSettings beyond(uint32_t tokens) {
    QueueSettings settings;
    settings.classes.front().threshold.tokens = tokens;
    return settings;
}

struct QueueTest : PlaceTest {
    ManualClock clock;
    Core core{0, clock, std::make_unique<NoPoller>(), 1};
    NoRoom home;
    QueueGate gate{core, beyond(100), home};
    Nursery waiters;
    QueueTest() {
        routing.line = &gate;
        add("http://a:1", {"m"});
        add("http://b:1", {"m"});
    }
    ~QueueTest() override { waiters.cancel(); }
    Result<Choice> ask_for(Question::Queue queue) {
        request.model = "m";
        return place({request, *registry.view(), routing, role, {}, now, queue}, scratch, random);
    }
    static Task<void> wait(QueueGate& gate) { (void)co_await gate.wait({}); }
};

TEST_F(QueueTest, WaitsOnceEveryRankIsFull) {
    cells.at(0).prefill_tokens = 101;
    auto room = ask_for(Question::Queue::join);
    ASSERT_TRUE(room);
    EXPECT_EQ(room->pick.kind, Pick::chosen);
    cells.at(1).prefill_tokens = 101;
    for (auto queue : {Question::Queue::join, Question::Queue::turn}) {
        auto full = ask_for(queue);
        ASSERT_TRUE(full);
        EXPECT_EQ(full->pick.kind, Pick::wait);
        EXPECT_FALSE(full->at);
        EXPECT_EQ(full->candidates, 2u);
    }
    EXPECT_EQ(ask_for(Question::Queue::never)->pick.kind, Pick::chosen);
    cells.at(1).prefill_tokens = 100;
    EXPECT_EQ(ask_for(Question::Queue::join)->pick.kind, Pick::chosen);
}

TEST_F(QueueTest, NobodyOvertakes) {
    Core::Enter enter(core);
    waiters.spawn(wait(gate));
    EXPECT_EQ(gate.waiting(), 1u);
    EXPECT_EQ(ask_for(Question::Queue::join)->pick.kind, Pick::wait);
    EXPECT_EQ(ask_for(Question::Queue::turn)->pick.kind, Pick::chosen) << "its turn has come";
    waiters.cancel();
    EXPECT_EQ(ask_for(Question::Queue::join)->pick.kind, Pick::chosen);
}

// A class by what is to compute, each with a threshold of its own, or none; who waits in another class is no matter.
TEST_F(PlaceTest, ClassesOfTheQueueHaveThresholdsOfTheirOwn) {
    struct Line final : QueueLine {
        QueueSettings of;
        uint32_t in = 9;
        const QueueSettings& settings() const override { return of; }
        bool waiting(uint32_t cls) const override { return cls == in; }
    } line;   // somebody of class `in` waits
    line.of.classes = {{.name = "small", .threshold = {.tokens = 1'000}}, {.name = "large", .threshold = {.tokens = 10}}, {.name = "free", .by_name = true}};
    line.of.uncached_from = {0, 40}, line.of.families = {{"f", {0, 1}}}, routing.line = &line;
    add("http://a:1", {"m"});
    const uint32_t number = registry.view()->ranks()[0].number;
    cells.at(number).prefill_tokens = 100;
    routing.index = *kv::KvIndex::make({kv::index_bytes_min}), policy.wanted = need::device | need::predicted;
    std::vector<uint64_t> local{1, 2, 3};
    request.model = "m", request.local_hashes = local, request.block = 16, request.prompt_tokens = 50;
    using Queue = Question::Queue;
    auto ask_now = [&](Queue queue = Queue::join, uint32_t cls = 0) { return *place({request, *registry.view(), routing, role, {}, now, queue, cls}, scratch, random); };
    EXPECT_EQ(ask_now().queue_class, 1u) << "50 tokens to compute";
    EXPECT_EQ(ask_now().pick.kind, Pick::wait);
    EXPECT_EQ(ask_now(Queue::turn, 1).pick.kind, Pick::wait) << "still full for its class";
    kv::Predictions(*routing.index, {}).predict(number, local, 1);
    EXPECT_EQ(ask_now().queue_class, 0u) << "2 tokens to compute";
    EXPECT_EQ(ask_now().pick.kind, Pick::chosen);
    EXPECT_EQ(ask_now(Queue::turn, 1).queue_class, 1u) << "the class it waited in";
    EXPECT_EQ((line.in = 0, ask_now().pick.kind), Pick::wait) << "somebody of its class waits";
    Hints hints{.policy_class = "free"};
    request.hints = &hints, line.in = 2;
    EXPECT_EQ(ask_now().pick.kind, Pick::chosen) << "no threshold: never";
}

TEST_F(QueueTest, ABusyWorkerIsNoReasonToWait) {
    routing.busy.prefill_tokens = 100;
    cells.at(0).prefill_tokens = cells.at(1).prefill_tokens = 101;
    EXPECT_EQ(ask_for(Question::Queue::join).error()->code, Code::shed);
}

TEST_F(QueueTest, SaysHowMuchOfThePromptIsHeld) {
    policy.wanted = need::device;
    routing.index = *kv::KvIndex::make({kv::index_bytes_min});
    kv::Predictions held(*routing.index, {});
    std::vector<uint64_t> local{1, 2, 3};
    held.predict(1, std::span(local).first(2), now);
    request.local_hashes = local, request.block = 16, request.prompt_tokens = 50;
    cells.at(0).prefill_tokens = cells.at(1).prefill_tokens = 101;
    auto full = ask_for(Question::Queue::join);
    ASSERT_TRUE(full);
    EXPECT_EQ(full->pick.kind, Pick::wait);
    EXPECT_EQ(full->cached_tokens, 32u);
}

TEST_F(PlaceTest, ManyRoutingsShareACoresScratch) {
    add("http://a:1", {"m"});
    policy.wanted = need::device;
    std::vector<uint64_t> local{1};
    request.local_hashes = local;
    kv::Block block{5, 1};
    for (int i = 0; i < 40; i++) {   // more than are kept
        routing.index = *kv::KvIndex::make({kv::index_bytes_min});
        routing.index->stored(registry.view()->ranks()[0].number, kv::Tier::device, nullptr, {&block, 1});
        EXPECT_EQ(ask("m")->overlap.device, 1u);
    }
}

// --- filters: a fleet of four, and what the request asks for ---

struct FilterTest : PlaceTest {
    Hints hints;
    std::vector<Str> taints_a{"gpu", "eu"}, taints_b{"gpu"}, loras{"sql"}, other_loras{"poet"};
    void SetUp() override {
        for (char c : {'a', 'b', 'c', 'd'}) add(std::string("http://") + c + ":1", {"m"});
        for (size_t i = 0; i < 4; i++) view(i).instance_id = 10 + i;
        view(0).taints = taints_a;
        view(1).taints = taints_b;
        view(0).loras = loras;
        view(1).loras = other_loras;
        request.hints = &hints;
    }
    std::string urls(std::vector<WorkerSlot> exclude = {}) {
        auto choice = ask("m", exclude);
        if (!choice) return std::string(name(choice.error()->code)) + ": " + choice.error()->detail;
        std::string out;
        for (size_t i = 0; i < 4; i++)
            if (scratch.slate().may(i)) out += scratch.slate().ranks[i].worker->url[7];
        return out;
    }
};

TEST_F(FilterTest, Pins) {
    EXPECT_EQ(urls(), "abcd");
    hints.pin = 12;
    EXPECT_EQ(urls(), "c");
    EXPECT_EQ(urls({2}), "no_worker: 1 tried, 3 pinned");
    hints.pin = 99;
    EXPECT_EQ(urls(), "bad_field: ");
    hints.pin.reset();
    hints.prefill_pin = 12;
    EXPECT_EQ(urls(), "abcd") << "that is about another leg";
}

TEST_F(FilterTest, Ranks) {
    hints.dp_rank = 0;
    EXPECT_EQ(urls(), "abcd");
    hints.dp_rank = 3;
    EXPECT_EQ(urls(), "no_worker: 4 dp_rank");
}

TEST_F(FilterTest, AllowedInstances) {
    std::vector<uint64_t> allowed{13, 10, 77};
    hints.allowed = allowed;
    EXPECT_EQ(urls(), "ad");
}

TEST_F(FilterTest, RequiredTaints) {
    std::vector<Str> wanted{"gpu"};
    hints.taints_required = wanted;
    EXPECT_EQ(urls(), "ab");
    wanted = {"gpu", "eu"};
    hints.taints_required = wanted;
    EXPECT_EQ(urls(), "a");
}

TEST_F(FilterTest, Adapters) {
    hints.lora = "sql";
    EXPECT_EQ(urls(), "acd") << "c and d do not say what they hold";
}

TEST_F(FilterTest, SubsetOfEndpoints) {
    std::vector<EndpointKey> keys{view(1).key, view(3).key};
    hints.subset = keys;
    EXPECT_EQ(urls(), "abcd") << "not present";
    hints.subset_present = true;
    EXPECT_EQ(urls(), "bd");
    hints.subset = {};
    EXPECT_EQ(urls(), "no_worker: 4 subset");
}

TEST_F(FilterTest, TargetByNumber) {
    hints.target_worker = "2";
    EXPECT_EQ(urls(), "c");
    EXPECT_EQ(urls({2}), "no_worker: 1 tried, 3 target") << "no other instead";
    EXPECT_EQ(urls({0}), "c") << "numbers do not move";
    for (Str bad : {"4", "-1", "x", "1x", "99999999999"}) {
        hints.target_worker = bad;
        EXPECT_EQ(urls(), "no_worker: 4 target") << bad;
    }
    policy.wanted |= need::implicit_key;
    EXPECT_EQ(urls(), "abcd") << "such a policy looks at it itself";
}

}  // namespace
}  // namespace weir::route
