// A small client on the gateway's own parts: finds workers in a folder of records, sends them token requests, prints what comes back as
// JSON lines. Driven by dynamo_suite.py.
//   dynamo_probe FOLDER MODEL COMMAND [ARGUMENT...]     FOLDER of records, or etcd:http://host:port; NATS_SERVER: where NATS is;
//                                                      DYN_ZMQ_BROKER_URL: the broker that events come through; DYN_TCP_TLS_*
//     workers N                     until N workers of the model are found
//     gone                          until the model has no worker left
//     ask COUNT PROMPT MAX [CODEC [IDLE_MS]]   COUNT requests at once, PROMPT tokens each, round robin over the workers
//     wrong-endpoint | no-tokens    requests that cannot succeed
//     leave                         leaves a stream after its first tokens, then asks again
//     files                         the card's files against their checksums
//     fetch CACHE                   the card's files into a cache folder
//     schedule FILE                 requests at their times, a line each: MS MAX PROMPT and the names of the prompt's blocks of 512 tokens;
//                                   for each when its tokens came, ms since it was sent
//     events COUNT PROMPT           hears the KV events of COUNT requests; then asks the worker for all it holds
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <iostream>
#include <map>
#include <random>
#include <set>
#include <sstream>

#include "discovery/card_files.h"
#include "discovery/dynamo_fleet.h"
#include "dispatch/dynamo_stream.h"
#include "engine/kv_feed.h"
#include "net/core.h"
#include "net/tls.h"
#include "planes/event_subscriber.h"
#include "planes/nats_planes.h"
#include "planes/zmq_broker.h"
#include "wire/blake3.h"
#include "wire/json_write.h"

using namespace weir;

namespace {

struct Probe final : FoundSink {
    std::string model_name, command;
    std::vector<std::string> arguments;
    std::map<std::string, FoundWorker> found;
    bool ready = false, all_told = false;
    size_t kv_channels = 0, kv_sources = 0;
    EventChannel kv_channel;
    EventSource kv_source;
    Signal changed;

    void put(const FoundWorker& w) override {
        if (w.model == model_name) found[w.key] = w;
        changed.notify();
    }
    void gone(const FoundWorker& w) override {
        found.erase(w.key);
        changed.notify();
    }
    void model(const std::string& name, bool is) override {
        if (name == model_name) ready = is;
        changed.notify();
    }
    void channel(const EventChannel& c, bool there) override {
        if (c.topic == "kv-events" && there) kv_channels++, kv_channel = c, changed.notify();
    }
    void source(const EventSource& s, bool there) override {
        if (s.topic == "kv-events" && there && s.recovery) kv_sources++, kv_source = s, changed.notify();
    }
    void synced() override {
        all_told = true;
        changed.notify();
    }
    size_t number(size_t i, size_t otherwise) const { return i < arguments.size() ? std::stoul(arguments[i]) : otherwise; }
};

void print(const std::string& line) { std::cout << line << std::endl; }

struct Asked {
    std::vector<uint32_t> ids;
    std::string finish, error, reason;
    Usage usage;
    size_t batches = 0;
    bool ended = false;
    Instant sent = 0;
    std::vector<Instant> came;     // of each token
};

struct Client {
    explicit Client(Core& core, CallHomeOptions options) : core(core), home(core, std::move(options)) {}
    Core& core;
    Resolver resolver{core};
    RequestPlane plane{core, resolver};
    std::unique_ptr<NatsClient> nats;
    std::unique_ptr<NatsRequests> subjects;
    CallHome home;
    PlaneTimes times;
    size_t asked = 0;
};

struct Question {
    size_t prompt = 40, max = 8;
    PayloadCodec codec = PayloadCodec::msgpack;
    bool with_tokens = true, first_batch_only = false;
    std::vector<uint32_t> ids;     // of the prompt; empty: made up
};

Task<void> ask(Client& client, const FoundWorker& worker, Question q, Asked& out) {
    Call call;
    call.sampling.ignore_eos = true;
    std::vector<uint32_t> ids = std::move(q.ids);
    for (size_t i = ids.size(); i < q.prompt; i++) ids.push_back(static_cast<uint32_t>((i * 7 + client.asked) % 250));
    client.asked++;
    engine::DynamoAsk what;
    what.model = worker.model;
    what.tokens = ids;
    what.max_tokens = static_cast<uint32_t>(q.max);
    std::string body;
    auto written = engine::write_dynamo_request(call, what, q.codec, body);
    if (!q.with_tokens) body = q.codec == PayloadCodec::json ? "{}" : "\x80";
    auto address = plane_address(worker.instance);
    if (!written || !address) {
        out.error = "cannot ask";
        co_return;
    }
    char id[40];
    std::snprintf(id, sizeof id, "probe-%zu", client.asked);
    PlaneRequest request;
    request.id = id;
    request.body = body;
    dispatch::DynamoWorker to{*address, q.codec, worker.instance.id};
    dispatch::DynamoPlanes planes{client.plane, client.home};
    out.sent = client.core.now_exact();
    auto stream = co_await dispatch::send_dynamo(planes, to, request, client.times);
    if (!stream) {
        out.error = name(stream.error()->code);
        out.reason = stream.error()->detail;
        co_return;
    }
    Batch batch;
    for (;;) {
        auto n = co_await (*stream)->next(batch);
        if (!n) {
            out.error = name(n.error()->code);
            co_return;
        }
        if (*n == 0) break;
        out.batches++;
        const Instant now = client.core.now_exact();
        for (const Event& e : batch.events) {
            if (e.kind == Event::tokens)
                for (size_t i = 0; i < e.data.size(); i += 4) std::memcpy(&out.ids.emplace_back(), e.data.data() + i, 4);
            if (e.kind == Event::finish) out.finish = name(e.finish_reason());
            if (e.kind == Event::usage) out.usage = *e.as<Usage>();
            if (e.kind == Event::failure) out.error = name(e.code()), out.reason = e.as<FailureBody>()->detail;
        }
        out.came.resize(out.ids.size(), now);
        if (q.first_batch_only && !out.ids.empty()) co_return;
    }
    out.ended = true;
}

void show(const Asked& a) {
    std::string line;
    JsonWriter w(line);
    w.object().member("tokens", a.ids.size()).member("finish", a.finish).member("prompt", a.usage.prompt).member("completion", a.usage.completion);
    w.member("cached", a.usage.cached).member("batches", a.batches).member("ended", a.ended).member("error", a.error).member("reason", a.reason);
    w.end_object();
    print(line);
}

void files(const FoundWorker& worker) {
    std::vector<CardFile> all(worker.card->extra_files);
    for (auto* f : {&worker.card->config, &worker.card->tokenizer, &worker.card->formatter, &worker.card->generation})
        if (*f) all.push_back(**f);
    for (const CardFile& f : all) {
        std::ifstream file(f.path, std::ios::binary);
        const std::string bytes{std::istreambuf_iterator<char>(file), {}};
        std::string line;
        JsonWriter(line).object().member("file", f.path).member("size", bytes.size() == f.size).member("blake3", blake3_hex(bytes) == f.blake3).end_object();
        print(line);
    }
}

// What one worker holds, as its events say.
struct Holding final : EventListener, engine::KvEventSink {
    std::map<uint64_t, uint64_t> blocks;   // the worker's name: local hash
    engine::KvFeed feed{*this, true};
    uint64_t dumped_to = 0;
    std::set<uint64_t> wrong_parents;
    size_t events = 0, messages = 0, bad = 0, gaps = 0;
    uint64_t last_sequence = 0;
    bool up = false;
    void connected() override { up = true; }
    void lost() override { up = false; }
    void message(const std::vector<std::string>& frames) override {
        auto envelope = frames.size() == 4 ? engine::read_event_frame(frames[3]) : Failure(Code::engine_garbage, "frames");
        auto inside = envelope ? engine::read_envelope(*envelope) : Failure(Code::engine_garbage, "envelope");
        struct Live final : engine::KvEventSink {
            engine::KvFeed& feed;
            explicit Live(engine::KvFeed& feed) : feed(feed) {}
            void event(const engine::KvEvent& e) override { feed.live(e); }
        } live(feed);
        if (!inside || !engine::read_kv_events(inside->payload, live)) return void(bad++);
        gaps += messages > 0 && inside->sequence != last_sequence + 1;
        last_sequence = inside->sequence;
        messages++;
    }
    void event(const engine::KvEvent& e) override {
        events++;
        if (e.has_parent && !blocks.contains(e.parent)) wrong_parents.insert(e.parent);
        for (auto& b : e.blocks) blocks[b.name] = b.local;
        for (uint64_t name : e.names) blocks.erase(name);
        if (e.kind == engine::KvEvent::cleared) blocks.clear();
    }
};

// All that the worker holds, asked over the request plane.
Task<std::string> recover(Client& client, const EventSource& source, Holding& into) {
    engine::RecoveryQuestion question{source.worker_id, source.dp_rank, {}, {}};
    std::string body;
    engine::append_recovery_question(body, question);
    auto address = plane_address(*source.recovery);
    if (!address) co_return std::string("no address");
    PlaneRequest request;
    request.id = "recovery-1";
    request.body = body;
    request.instance_id = source.recovery->id;
    auto stream = co_await call_worker(client.plane, client.home, *address, request, client.times);
    if (!stream) co_return std::string(name(stream.error()->code));
    std::string said = "nothing";
    for (;;) {
        auto more = co_await (*stream)->read();
        if (!more || !*more) co_return said;
        for (Str frame; (*stream)->take(frame);) {
            auto answer = engine::read_recovery_answer(frame, into);
            if (!answer || answer->kind == engine::RecoveryAnswer::end) continue;
            into.dumped_to = answer->last_event_id;
            said = answer->kind == engine::RecoveryAnswer::dump ? "dump" : answer->kind == engine::RecoveryAnswer::events ? "events" : answer->why;
        }
    }
}

Task<void> events(Client& client, Probe& probe) {
    const char* broker_url = std::getenv("DYN_ZMQ_BROKER_URL");
    const auto broker = read_zmq_broker(broker_url ? broker_url : "");
    while ((!probe.kv_channels && !broker) || !probe.kv_sources) co_await probe.changed.wait();
    Holding live, dumped;
    Nursery tasks;
    const EventChannel& from = probe.kv_channel;
    if (broker) tasks.spawn(subscribe_broker_events(client.resolver, broker->xpub, event_subject(probe.kv_source.scope, "kv-events"), "kv-events", live));
    else if (from.transport == EventChannel::nats) tasks.spawn(subscribe_nats_events(*client.nats, from.endpoint + "." + from.topic, from.topic, live));
    else tasks.spawn(subscribe_events(client.resolver, from.endpoint, from.topic, live));
    live.feed.ask_all();
    while (!live.up) co_await sleep_ms(5);
    const std::string before = co_await recover(client, probe.kv_source, live);   // what was published before we came
    live.feed.answered_dump(live.dumped_to);
    live.events = 0;
    const FoundWorker worker = probe.found.begin()->second;
    for (size_t i = 0; i < probe.number(0, 5); i++) {
        Asked answer;
        Question q{probe.number(1, 40), 20, worker.instance.codec};
        co_await ask(client, worker, q, answer);
    }
    for (size_t quiet = 0, seen = 0; quiet < 40; quiet++, seen = live.messages) {
        if (seen != live.messages) quiet = 0;
        co_await sleep_ms(10);
    }
    const std::string after = co_await recover(client, probe.kv_source, dumped);
    std::string line;
    JsonWriter w(line);
    w.object().member("messages", live.messages).member("events", live.events).member("bad", live.bad).member("gaps", live.gaps + live.feed.counts.gaps);
    w.member("blocks", live.blocks.size()).member("dumped", dumped.blocks.size()).member("equal", live.blocks == dumped.blocks);
    w.member("orphans", live.wrong_parents.size() + dumped.wrong_parents.size()).member("before", before).member("after", after).end_object();
    print(line);
}

Task<void> ask_later(Client& client, const FoundWorker& worker, uint64_t ms, Question q, Asked& out) {
    co_await sleep_ms(ms);
    co_await ask(client, worker, std::move(q), out);
}

Task<void> schedule(Client& client, const FoundWorker& worker, const std::string& path) {
    constexpr size_t block = 512;
    std::ifstream file(path);
    std::vector<std::pair<uint64_t, Question>> all;
    for (std::string text; std::getline(file, text);) {
        std::istringstream line(text);
        auto& [ms, q] = all.emplace_back();
        q.codec = worker.instance.codec;
        line >> ms >> q.max >> q.prompt;
        for (uint64_t name; line >> name;)
            for (size_t i = 0; i < block && q.ids.size() < q.prompt; i++) q.ids.push_back(static_cast<uint32_t>(mix64(name * block + i) % 250));
    }
    std::vector<Asked> answers(all.size());
    Nursery nursery;
    for (size_t i = 0; i < all.size(); i++) nursery.spawn(ask_later(client, worker, all[i].first, std::move(all[i].second), answers[i]));
    while (nursery.size()) co_await sleep_ms(5);
    for (const Asked& a : answers) {
        std::string line;
        JsonWriter w(line);
        w.object().member("finish", a.finish).member("error", a.error).member("cached", a.usage.cached).member("sent", a.sent).key("came").array();
        for (const Instant at : a.came) w.number(static_cast<double>((at - a.sent) / 1'000) / 1e3);
        w.end_array().end_object();
        print(line);
    }
}

Task<void> script(Client& client, Probe& probe) {
    const size_t wanted = probe.command == "workers" ? probe.number(0, 1) : 1;
    const bool none = probe.command == "gone";
    while (!probe.all_told) co_await probe.changed.wait();
    while (none ? !probe.found.empty() || probe.ready : probe.found.size() < wanted || !probe.ready) co_await probe.changed.wait();
    std::vector<FoundWorker> workers;
    for (auto& [key, w] : probe.found) workers.push_back(w);
    if (none || probe.command == "workers") {
        co_await sleep_ms(200);   // the event records come last
        std::string line;
        JsonWriter(line).object().member("workers", workers.size()).member("ready", probe.ready).member("kv_channels", probe.kv_channels)
            .member("kv_sources", probe.kv_sources).end_object();
        print(line);
        co_return;
    }
    const bool leave = probe.command == "leave";
    const size_t count = probe.command == "ask" ? probe.number(0, 1) : 1, prompt = probe.number(1, 40);
    const size_t max = leave ? 50'000 : probe.number(2, 8);
    if (probe.command == "files") co_return files(workers[0]);
    if (probe.command == "fetch") {
        Pool pool(1, 16);
        CardFilesOptions options;
        options.cache = probe.arguments.at(0);
        auto folder = co_await fetch_card_files(client.resolver, pool, workers[0].card, options);
        std::string line;
        JsonWriter w(line);
        w.object().member("folder", folder ? *folder : std::string()).member("error", folder ? std::string() : folder.error()->message);
        w.member("from", workers[0].card->config ? workers[0].card->config->path : std::string()).end_object();
        print(line);
        co_return;
    }
    if (probe.command == "events") {
        co_await events(client, probe);
        co_return;
    }
    if (probe.command == "schedule") co_return co_await schedule(client, workers[0], probe.arguments.at(0));
    if (probe.command == "wrong-endpoint") workers[0].instance.address += "-not";
    client.times.prologue_ms = probe.command == "no-tokens" ? 1'000 : 30'000;
    client.times.idle_ms = probe.number(4, 0);
    std::vector<Asked> answers(count);
    Nursery nursery;
    for (size_t i = 0; i < count; i++) {
        const FoundWorker& worker = workers[i % workers.size()];
        Question q{prompt, max, worker.instance.codec, probe.command != "no-tokens", leave};
        if (probe.arguments.size() > 3) q.codec = probe.arguments[3] == "json" ? PayloadCodec::json : PayloadCodec::msgpack;
        nursery.spawn(ask(client, worker, q, answers[i]));
    }
    while (nursery.size()) co_await sleep_ms(5);
    for (auto& a : answers) show(a);
    if (leave) {
        Asked again;
        Question q{20, 5, workers[0].instance.codec};
        co_await ask(client, workers[0], q, again);
        show(again);
    }
    std::string line;
    JsonWriter w(line);
    w.object().member("connections", client.plane.connections()).member("waiting", client.plane.waiting()).member("expected", client.home.expected());
    w.member("called", client.home.counts.called).end_object();
    print(line);
}

Task<void> play(Client& client, Probe& probe) {
    co_await script(client, probe);
    client.core.stop();
}

}  // namespace

int main(int argc, char** argv) {
    if (argc < 4) {
        std::cerr << "usage: dynamo_probe FOLDER MODEL COMMAND [ARGUMENT...]\n";
        return 2;
    }
    Core core(0, system_clock(), std::make_unique<EpollPoller>(), std::random_device{}());
    Core::Enter enter(core);
    Probe probe;
    probe.model_name = argv[2];
    probe.command = argv[3];
    probe.arguments.assign(argv + 4, argv + argc);
    std::unique_ptr<Discovery> discovery;
    if (const std::string where = argv[1]; where.starts_with("etcd:")) {
        EtcdDiscoveryOptions options;
        options.endpoints = {where.substr(5)};
        discovery = *etcd_discovery(std::move(options));
    } else {
        discovery = file_discovery({where});
    }
    DynamoFleet fleet({}, probe);
    auto variable = [](const char* name) { return std::string(std::getenv(name) ? std::getenv(name) : ""); };
    CallHomeOptions home;
    std::unique_ptr<TlsServer> tls_server;
    std::unique_ptr<TlsClient> tls_client;
    if (const std::string ca = variable("DYN_TCP_TLS_CA_CERT_PATH"); !ca.empty()) {
        auto listens = TlsServer::load({variable("DYN_TCP_TLS_CERT_PATH"), variable("DYN_TCP_TLS_KEY_PATH"), variable("DYN_TCP_TLS_CLIENT_CA_CERT_PATH")});
        auto dials = TlsClient::load({variable("DYN_TCP_TLS_CLIENT_CERT_PATH"), variable("DYN_TCP_TLS_CLIENT_KEY_PATH"), {ca}});
        if (!listens || !dials) return 1;
        tls_server = *std::move(listens), tls_client = *std::move(dials);
        home.tls = tls_server.get();
    }
    Client client(core, home);
    if (tls_client) client.plane.secure(tls_client.get(), variable("DYN_TCP_TLS_SERVER_NAME"));
    if (const char* server = std::getenv("NATS_SERVER")) {
        NatsOptions options;
        options.servers = {server};
        auto setup = nats_setup(options);
        if (!setup) return 1;
        client.nats = std::make_unique<NatsClient>(core, client.resolver, *setup);
        client.subjects = std::make_unique<NatsRequests>(*client.nats);
        client.plane.subjects_through(client.subjects.get());
        client.nats->start();
    }
    if (auto ok = client.home.listen(); !ok) {
        std::cerr << ok.error()->message << "\n";
        return 1;
    }
    client.home.start();
    Nursery tasks;
    tasks.spawn(discovery->run(fleet));
    tasks.spawn(play(client, probe));
    core.run();
    tasks.cancel();
    return 0;
}
