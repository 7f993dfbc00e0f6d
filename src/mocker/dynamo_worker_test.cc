// A simulated worker and the gateway's own client, both on one core over real sockets.
#include "mocker/dynamo_worker.h"

#include <gtest/gtest.h>

#include <cstring>
#include <deque>
#include <map>

#include "engine/dynamo_codec.h"
#include "mocker/dynamo_card.h"
#include "planes/event_subscriber.h"
#include "planes/response_stream.h"
#include "tests/support/net_loop.h"
#include "wire/json_top.h"
#include "wire/msgpack.h"

namespace weir::mocker {
namespace {

struct Asked {
    std::vector<uint32_t> ids;
    std::string finish, error, detail, extra;
    uint32_t prompt = 0, completion = 0, cached = 0;
    bool ended = false, done = false;
};

struct Want {
    std::vector<uint32_t> tokens = {1, 2, 3, 4, 5, 6, 7, 8, 9};
    std::optional<uint32_t> max_tokens = 8, rank;
    int64_t seed = 5;
    PayloadCodec codec = PayloadCodec::msgpack;
    std::string fault;
    size_t stop_after = 0, leave_after = 0;    // tokens
    uint64_t prologue_ms = 30'000;
    std::vector<uint32_t> eos;
};

WorkerSettings instant() {
    WorkerSettings s;
    s.engine.model = "mock";
    s.engine.engine.speedup_ratio = 0;
    s.engine.engine.block_size = 4, s.engine.engine.num_blocks = 256;
    s.engine.engine.ids = std::make_shared<const std::vector<uint32_t>>(answer_ids("/nonexistent"));
    s.engine.natural_min = 20;
    return s;
}

struct WorkerLoop : testing::Test {
    test::NetLoop loop;
    Resolver resolver{loop.core};
    RequestPlane plane{loop.core, resolver};
    CallHome home{loop.core, {.bind_host = "127.0.0.1", .advertise = "127.0.0.1"}};
    std::vector<std::unique_ptr<DynamoWorker>> workers;
    Nursery asking;

    WorkerLoop() {
        EXPECT_TRUE(home.listen());
        home.start();
    }
    ~WorkerLoop() override {
        asking.cancel();
        workers.clear();
    }
    DynamoWorker& make(WorkerSettings settings = instant()) {
        workers.push_back(std::make_unique<DynamoWorker>(loop.core, resolver, std::move(settings), workers.size(), 0xfffeba32b6d1d670 + workers.size()));
        EXPECT_TRUE(workers.back()->listen());
        workers.back()->start();
        return *workers.back();
    }
    Task<void> ask_into(const DynamoWorker& worker, Want want, Asked& out) {
        Call call;
        call.sampling.seed = want.seed;
        engine::DynamoAsk what;
        what.model = "mock";
        what.tokens = want.tokens;
        what.max_tokens = want.max_tokens;
        what.dp_rank = want.rank;
        what.eos = want.eos;
        std::string body;
        EXPECT_TRUE(engine::write_dynamo_request(call, what, want.codec, body));
        auto address = read_plane_address(worker.address());
        EXPECT_TRUE(address);
        const std::pair<std::string, std::string> metadata[] = {{"x-weir-fault", want.fault}};
        PlaneRequest request;
        request.id = "id-1";
        request.codec = want.codec;
        request.body = body;
        request.metadata = std::span(metadata).first(want.fault.empty() ? 0 : 1);
        struct Mark { Asked& out; ~Mark() { out.done = true; } } mark{out};
        PlaneTimes times;
        times.prologue_ms = want.prologue_ms;
        auto stream = co_await call_worker(plane, home, *address, request, times);
        if (!stream) {
            out.error = name(stream.error()->code);
            out.detail = stream.error()->detail;
            co_return;
        }
        co_await read(**stream, want, out);
    }
    Task<void> read(ResponseStream& stream, const Want& want, Asked& out) {
        engine::DynamoDecoder decoder(want.codec);
        for (;;) {
            auto more = co_await stream.read();
            if (!more) {
                out.error = name(more.error()->code);
                co_return;
            }
            for (Str body; *more && stream.take(body);) {
                Batch batch;
                auto ok = decoder.frame(body, batch);
                if (!ok) {
                    out.error = "garbage frame";
                    co_return;
                }
                for (const Event& e : batch.events) keep(e, out);
                if (want.leave_after && out.ids.size() >= want.leave_after) co_return;
                if (want.stop_after && out.ids.size() >= want.stop_after) stream.stop();
            }
            if (stream.garbage()) out.error = "garbage stream";
            if (stream.ended() || stream.garbage() || !*more) break;
        }
        out.ended = stream.ended() && decoder.complete();
        stream.whole();
    }
    static void keep(const Event& e, Asked& out) {
        if (e.kind == Event::tokens)
            for (size_t i = 0; i < e.data.size(); i += 4) std::memcpy(&out.ids.emplace_back(), e.data.data() + i, 4);
        if (e.kind == Event::finish) out.finish = name(e.finish_reason());
        if (e.kind == Event::item) out.extra = e.data;
        if (e.kind != Event::usage) return;
        const Usage& u = *e.as<Usage>();
        out.prompt = u.prompt, out.completion = u.completion, out.cached = u.cached;
    }
    // Everything the worker holds; `all.up` once it has been told.
    template <class Sink>
    Task<void> recover(EventSource source, PayloadCodec codec, Sink& all) {
        std::string body;
        engine::append_recovery_question(body, {source.worker_id, source.dp_rank, {}, {}});
        if (std::string json; codec == PayloadCodec::json && msgpack_to_json(body, json)) body = json;
        auto address = read_plane_address(source.recovery->address);
        PlaneRequest request;
        request.id = "recovery";
        request.codec = codec;
        request.body = body;
        const PlaneTimes times;
        auto stream = co_await call_worker(plane, home, *address, request, times);
        EXPECT_TRUE(stream);
        if (!stream) co_return;
        for (;;) {
            auto more = co_await (*stream)->read();
            if (!more || !*more) break;
            for (Str frame; (*stream)->take(frame);) {
                std::string packed;
                if (codec == PayloadCodec::json && json_to_msgpack(frame, packed)) frame = packed;
                auto answer = engine::read_recovery_answer(frame, all);
                EXPECT_TRUE(answer && (answer->kind == engine::RecoveryAnswer::dump || answer->kind == engine::RecoveryAnswer::end));
            }
        }
        all.up = true;
    }
    Asked ask(const DynamoWorker& worker, Want want = {}) {
        Asked out;
        asking.spawn(ask_into(worker, std::move(want), out));
        if (!loop.until([&] { return out.done; })) ADD_FAILURE() << "no end", asking.cancel();
        return out;
    }
    bool idle(const DynamoWorker& worker) {
        return loop.until([&] { return worker.answering() == 0; });
    }
};

struct Ended { Nursery& tasks; ~Ended() { tasks.cancel(); } };   // ends what still refers to the test's own variables

TEST_F(WorkerLoop, AnAnswerInBothCodecs) {
    DynamoWorker& worker = make();
    std::vector<uint32_t> first;
    for (PayloadCodec codec : {PayloadCodec::msgpack, PayloadCodec::json}) {
        Want want;
        want.codec = codec;
        const Asked a = ask(worker, want);
        EXPECT_EQ(a.error, "");
        EXPECT_EQ(a.ids.size(), 8u);
        EXPECT_EQ(a.finish, "length");
        EXPECT_EQ(a.prompt, 9u);
        EXPECT_EQ(a.completion, 8u);
        EXPECT_EQ(a.cached, codec == PayloadCodec::json ? 8u : 0u);   // two blocks of the first one's
        EXPECT_TRUE(a.ended);
        if (first.empty()) first = a.ids;
        EXPECT_EQ(a.ids, first);
    }
    EXPECT_TRUE(idle(worker));
    EXPECT_EQ(worker.counts.requests, 2u);
    EXPECT_EQ(worker.counts.ended_early, 0u);
}

TEST_F(WorkerLoop, AContinuationGoesOnWhereTheAnswerWas) {
    DynamoWorker &one = make(), &other = make();
    for (int64_t seed : {1, 2, 3}) {
        Want want;
        want.seed = seed;
        want.max_tokens = 30;
        const std::vector<uint32_t> whole = ask(one, want).ids;
        ASSERT_EQ(whole.size(), 30u);
        for (size_t cut : {1u, 7u, 29u}) {
            Want rest = want;
            rest.tokens.insert(rest.tokens.end(), whole.begin(), whole.begin() + static_cast<ptrdiff_t>(cut));
            rest.max_tokens = 30 - static_cast<uint32_t>(cut);
            EXPECT_EQ(ask(other, rest).ids, std::vector<uint32_t>(whole.begin() + static_cast<ptrdiff_t>(cut), whole.end()));
        }
    }
}

TEST_F(WorkerLoop, AnAnswerWithoutABoundEndsAtTheSameTokenWhenContinued) {
    DynamoWorker& worker = make();
    size_t tokens = 0;
    for (int64_t seed = 0; seed < 40; seed++) {
        Want want;
        want.seed = seed;
        want.max_tokens.reset();
        const Asked whole = ask(worker, want);
        EXPECT_EQ(whole.finish, "stop");
        tokens += whole.ids.size();
        if (whole.ids.size() < 2) continue;
        Want rest = want;
        rest.tokens.push_back(whole.ids[0]);
        EXPECT_EQ(ask(worker, rest).ids, std::vector<uint32_t>(whole.ids.begin() + 1, whole.ids.end())) << seed;
    }
    EXPECT_GT(tokens, 40u * 10);   // 20 is the mean
    EXPECT_LT(tokens, 40u * 40);
}

TEST_F(WorkerLoop, EndTokensAreNotDrawn) {
    DynamoWorker& worker = make();
    Want want;
    want.max_tokens = 200;
    const std::vector<uint32_t> plain = ask(worker, want).ids;
    want.eos = {plain[3], plain[50]};
    const std::vector<uint32_t> without = ask(worker, want).ids;
    EXPECT_EQ(std::count(without.begin(), without.end(), plain[3]), 0);
    EXPECT_EQ(std::count(without.begin(), without.end(), plain[50]), 0);
    EXPECT_EQ(without[0], plain[0]);
}

TEST_F(WorkerLoop, ManyAtOnceOverOneConnection) {
    DynamoWorker& worker = make();
    std::vector<Asked> all(100);
    Ended ended{asking};
    for (size_t i = 0; i < all.size(); i++) {
        Want want;
        want.seed = static_cast<int64_t>(i);
        asking.spawn(ask_into(worker, want, all[i]));
    }
    EXPECT_TRUE(loop.until([&] { return std::all_of(all.begin(), all.end(), [](auto& a) { return a.done; }); }));
    for (auto& a : all) EXPECT_TRUE(a.ended && a.ids.size() == 8) << a.error;
    EXPECT_EQ(plane.connections(), 1u);
}

TEST_F(WorkerLoop, RanksHaveCachesOfTheirOwn) {
    WorkerSettings s = instant();
    s.engine.dp_size = 2;
    DynamoWorker& worker = make(s);
    Want want;
    want.rank = 1;
    EXPECT_EQ(ask(worker, want).cached, 0u);
    EXPECT_EQ(ask(worker, want).cached, 8u);
    want.rank = 0;
    EXPECT_EQ(ask(worker, want).cached, 0u);
    want.rank = 2;
    EXPECT_EQ(ask(worker, want).error, "engine_status");
    EXPECT_EQ(worker.rank(1).totals().requests, 2u);
}

TEST_F(WorkerLoop, StopAndKill) {
    WorkerSettings s = instant();
    s.engine.engine.speedup_ratio = 1'000;   // there is an end to its speed, or it would be done before it is told
    s.engine.engine.num_blocks = 100'000;
    DynamoWorker& worker = make(s);
    Want want;
    want.max_tokens = 100'000;
    want.stop_after = 5;
    const Asked stopped = ask(worker, want);
    EXPECT_TRUE(stopped.ended) << stopped.error;
    EXPECT_EQ(stopped.finish, "stop");
    EXPECT_GE(stopped.ids.size(), 5u);
    EXPECT_LT(stopped.ids.size(), 100'000u);
    want.stop_after = 0;
    want.leave_after = 5;
    EXPECT_FALSE(ask(worker, want).ended);
    EXPECT_TRUE(idle(worker));
    EXPECT_EQ(worker.counts.ended_early, 1u);
    EXPECT_EQ(worker.rank(0).running(), 0u);
    EXPECT_EQ(worker.rank(0).totals().cancelled, 2u);
}

TEST_F(WorkerLoop, WhatCannotBeServedIsRefused) {
    DynamoWorker& worker = make();
    Want want;
    want.tokens.assign(2'000, 1);
    const Asked large = ask(worker, want);
    EXPECT_EQ(large.error, "engine_status");
    EXPECT_NE(large.detail.find("the context holds 1024"), std::string::npos) << large.detail;
    want.tokens.clear();
    EXPECT_EQ(ask(worker, want).error, "engine_status");
    EXPECT_EQ(worker.counts.refused, 2u);
    worker.stop_accepting();
    EXPECT_EQ(ask(worker).error, "ack_error");
}

TEST_F(WorkerLoop, AFullQueueIsAnOverload) {
    WorkerSettings s = instant();
    s.engine.engine.queue_len_max = 1;
    s.engine.engine.max_num_seqs = 1;
    s.engine.engine.speedup_ratio = 1e-9;    // the first one never ends
    DynamoWorker& worker = make(s);
    Asked first, second;
    Ended ended{asking};
    asking.spawn(ask_into(worker, {}, first));
    EXPECT_TRUE(loop.until([&] { return worker.rank(0).running() == 1; }));
    asking.spawn(ask_into(worker, {}, second));
    EXPECT_TRUE(loop.until([&] { return worker.rank(0).waiting() == 1; }));
    const Asked third = ask(worker);
    EXPECT_EQ(third.error, "ack_error");
}

TEST_F(WorkerLoop, Faults) {
    WorkerSettings s = instant();
    s.engine.faults = *sim::parse_faults("status:code=503,nth=1");
    DynamoWorker& worker = make(s);
    EXPECT_EQ(ask(worker).error, "ack_error");
    struct { const char *fault, *error; size_t tokens; bool ended; } cases[] = {
        {"drop:after=3,with=fin", "lost_mid_stream", 3, false}, {"drop:with=fin", "lost_mid_stream", 0, false},
        {"half_chunk:after=2", "lost_mid_stream", 2, false},   {"bad_json:after=2", "garbage frame", 2, false},
        {"cut_sse:after=2", "", 2, false},                     {"garbage_head", "first_byte_timeout", 0, false},
        {"status:code=500", "engine_status", 0, false},        {"status:code=503", "ack_error", 0, false},
        {"stall", "first_byte_timeout", 0, false},
        {"stall:ms=5,after=4", "", 8, true},                   {"slow:factor=2", "", 8, true},
        {"refuse", "engine_status", 0, false},                 {"nonsense", "engine_status", 0, false},
        {"nothing", "reset_before_byte", 0, false},
    };
    for (auto& c : cases) {
        Want want;
        want.fault = c.fault;
        want.prologue_ms = Str(c.error) == "first_byte_timeout" ? 50 : 30'000;
        const Asked a = ask(worker, want);
        EXPECT_EQ(a.error, c.error) << c.fault;
        EXPECT_EQ(a.ended, c.ended) << c.fault;
        EXPECT_EQ(a.ids.size(), c.tokens) << c.fault;
    }
    for (const char* fault : {"short_length:after=2", "long_length:after=2", "drop:after=2,with=rst"}) {   // a reset may overtake what was said
        Want want;
        want.fault = fault;
        want.prologue_ms = 50;
        const Asked a = ask(worker, want);
        EXPECT_FALSE(a.ended) << fault;
        EXPECT_NE(a.error, "") << fault;
    }
    EXPECT_EQ(ask(worker).ids.size(), 8u);
    EXPECT_FALSE(check_faults(*sim::parse_faults("close_each")));
    EXPECT_TRUE(check_faults(*sim::parse_faults("drop;stall;bad_json")));
}

TEST_F(WorkerLoop, AStalledAnswerStandsStill) {
    DynamoWorker& worker = make();
    Asked a;
    Ended ended{asking};
    Want want;
    want.fault = "stall:after=4";
    asking.spawn(ask_into(worker, want, a));
    ASSERT_TRUE(loop.until([&] { return a.ids.size() == 4; }));
    EXPECT_EQ(worker.rank(0).totals().finished_length, 1u);   // the engine made all eight, or the rest would come in the same write
    for (int i = 0; i < 5; i++) loop.core.turn(0);
    EXPECT_FALSE(a.done);
    EXPECT_EQ(a.ids.size(), 4u);
}

TEST_F(WorkerLoop, APrefillWorkerSaysWhereTheBlocksAre) {
    WorkerSettings s = instant();
    s.role = WorkerType::prefill;
    DynamoWorker& worker = make(s);
    Want want;
    want.max_tokens = 1;
    const Asked a = ask(worker, want);
    EXPECT_EQ(a.extra, R"("disaggregated_params":{"mock_worker":"fffeba32b6d1d670"})");
    EXPECT_EQ(a.ids.size(), 1u);
    EXPECT_TRUE(a.ended);
}

struct Heard final : EventListener, engine::KvEventSink {
    bool up = false;
    size_t messages = 0, bad = 0, events = 0;
    uint64_t next_sequence = 0;
    std::map<uint64_t, uint64_t> blocks;
    std::string topic;
    std::string last_payload;
    void connected() override { up = true; }
    void lost() override { up = false; }
    void message(const std::vector<std::string>& frames) override {
        messages++;
        auto inside = frames.size() == 4 ? engine::read_event_frame(frames[3]) : Failure(Code::engine_garbage, "frames");
        auto e = inside ? engine::read_envelope(*inside) : Failure(Code::engine_garbage, "envelope");
        if (!e) return void(bad++);
        bad += frames[0] != e->topic || e->sequence < next_sequence;
        next_sequence = e->sequence + 1;
        topic = e->topic;
        last_payload = e->payload;
        if (topic == "kv-events" && !engine::read_kv_events(e->payload, *this)) bad++;
    }
    void event(const engine::KvEvent& e) override {
        events++;
        for (auto& b : e.blocks) blocks[b.name] = b.local;
        for (uint64_t n : e.names) blocks.erase(n);
    }
};

TEST_F(WorkerLoop, EventsAreHeardAndTheWholeIsToldOnDemand) {
    WorkerSettings s = instant();
    s.engine.engine.num_blocks = 40;         // so that some are evicted
    DynamoWorker& worker = make(s);
    std::vector<EventChannel> channels;
    std::optional<EventSource> source;
    for (const Record& r : worker.records()) {
        EXPECT_TRUE(check_json(r.value));
        if (r.bucket == Bucket::event_channels) channels.push_back(*read_event_channel(r.value));
        if (r.bucket == Bucket::event_sources) source = *read_event_source(r.value);
        if (r.bucket == Bucket::instances) {
            EXPECT_EQ(read_instance(r.value)->id, worker.id());
        }
    }
    ASSERT_EQ(channels.size(), 2u);
    ASSERT_EQ(channels[1].topic, "kv-events");
    ASSERT_TRUE(source && source->recovery);
    EXPECT_EQ(source->worker_id, worker.id());
    Heard kv;
    Ended ended{asking};
    asking.spawn(subscribe_events(resolver, channels[1].endpoint, channels[1].topic, kv));
    ASSERT_TRUE(loop.until([&] { return kv.up; }));
    // A subscription is not acknowledged: ask until the first event is heard.
    for (uint32_t i = 0; kv.messages == 0 && i < 1'000; i++) {
        Want want;
        want.tokens.assign(20, 1'000 + i);
        ask(worker, want);
    }
    for (uint32_t i = 0; i < 30; i++) {
        Want want;
        want.tokens.assign(20 + i, i);
        ask(worker, want);
    }
    const auto dump = [&](PayloadCodec codec) {
        Heard all;
        asking.spawn(recover(*source, codec, all));
        if (!loop.until([&] { return all.up; })) ADD_FAILURE() << "no answer", asking.cancel();
        return all.blocks;
    };
    const auto held = dump(PayloadCodec::msgpack);
    EXPECT_EQ(held, dump(PayloadCodec::json));
    EXPECT_GT(held.size(), 10u);
    EXPECT_TRUE(loop.until([&] {   // those from before we listened are evicted by now
        return kv.blocks == held;
    }));
    EXPECT_EQ(kv.bad, 0u);
}

TEST_F(WorkerLoop, LoadIsReportedWhenItChanges) {
    WorkerSettings s = instant();
    s.engine.engine.speedup_ratio = 1e-9;    // what has begun goes on
    s.engine.dp_size = 2;
    DynamoWorker& worker = make(s);
    Heard load;
    const std::vector<Record> records = worker.records();
    auto channel = read_event_channel(std::find_if(records.begin(), records.end(), [](auto& r) { return r.bucket == Bucket::event_channels; })->value);
    ASSERT_EQ(channel->topic, "kv_metrics");
    std::deque<Asked> answers;
    Ended ended{asking};
    asking.spawn(subscribe_events(resolver, channel->endpoint, channel->topic, load));
    ASSERT_TRUE(loop.until([&] { return load.up; }));
    Want want;
    want.rank = 1;
    // A subscription is not acknowledged: more work until the first report is heard.
    while (load.messages == 0 && answers.size() < 60) {
        const uint32_t before = worker.rank(1).load().blocks_in_use;
        want.tokens.assign(9, static_cast<uint32_t>(answers.size()));
        asking.spawn(ask_into(worker, want, answers.emplace_back()));
        ASSERT_TRUE(loop.until([&] { return worker.rank(1).load().blocks_in_use > before || worker.rank(1).waiting() > 0; }));
        for (const Instant from = loop.core.now(); load.messages == 0 && loop.core.now() < from + 20 * ns_per_ms;) loop.core.turn(5);   // reports are 5 ms apart
    }
    ASSERT_GT(load.messages, 0u);
    EXPECT_EQ(load.bad, 0u);
    auto report = engine::read_load_report(load.last_payload);
    ASSERT_TRUE(report);
    EXPECT_EQ(report->worker_id, worker.id());
    EXPECT_EQ(report->dp_rank, 1u);
    EXPECT_GT(report->kv_used_blocks, std::optional<uint64_t>(0));
    EXPECT_EQ(report->kv_used_blocks, report->decode_blocks);
}

}  // namespace
}  // namespace weir::mocker
