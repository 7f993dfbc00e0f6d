// A small client on the gateway's own parts: finds workers in a folder of records, sends them token requests, prints what comes back as
// JSON lines. Driven by dynamo_suite.py.
//   dynamo_probe FOLDER MODEL COMMAND [ARGUMENT...]
//     workers N                     until N workers of the model are found
//     gone                          until the model has no worker left
//     ask COUNT PROMPT MAX [CODEC]  COUNT requests at once, PROMPT tokens each, round robin over the workers
//     wrong-endpoint | no-tokens    requests that cannot succeed
//     leave                         leaves a stream after its first tokens, then asks again
//     files                         the card's files against their checksums
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <iostream>
#include <map>
#include <random>

#include "discovery/dynamo_fleet.h"
#include "dispatch/dynamo_stream.h"
#include "net/core.h"
#include "wire/blake3.h"
#include "wire/json_write.h"

using namespace weir;

namespace {

struct Probe final : FoundSink {
    std::string model_name, command;
    std::vector<std::string> arguments;
    std::map<std::string, FoundWorker> found;
    bool ready = false;
    size_t kv_channels = 0, kv_sources = 0;
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
    void channel(const EventChannel& c, bool there) override { kv_channels += c.topic == "kv-events" && there; }
    void source(const EventSource& s, bool there) override { kv_sources += s.topic == "kv-events" && there && s.recovery; }
    void synced() override {}
    size_t number(size_t i, size_t otherwise) const { return i < arguments.size() ? std::stoul(arguments[i]) : otherwise; }
};

void print(const std::string& line) { std::cout << line << std::endl; }

struct Asked {
    std::vector<uint32_t> ids;
    std::string finish, error, reason;
    Usage usage;
    size_t batches = 0;
    bool ended = false;
};

struct Client {
    Core& core;
    Resolver resolver{core};
    RequestPlane plane{core, resolver};
    CallHome home{core, {}};
    PlaneTimes times;
    size_t asked = 0;
};

Task<void> ask(Client& client, const FoundWorker& worker, size_t prompt, size_t max, PayloadCodec codec, bool with_tokens, bool first_batch_only, Asked& out) {
    Call call;
    call.sampling.ignore_eos = true;
    std::vector<uint32_t> ids(prompt);
    for (size_t i = 0; i < prompt; i++) ids[i] = static_cast<uint32_t>((i * 7 + client.asked) % 250);
    client.asked++;
    engine::DynamoAsk what;
    what.model = worker.model;
    what.tokens = ids;
    what.max_tokens = static_cast<uint32_t>(max);
    std::string body;
    auto written = engine::write_dynamo_request(call, what, codec, body);
    if (!with_tokens) body = codec == PayloadCodec::json ? "{}" : "\x80";
    auto address = read_plane_address(worker.instance.address);
    if (!written || !address) {
        out.error = "cannot ask";
        co_return;
    }
    char id[40];
    std::snprintf(id, sizeof id, "probe-%zu", client.asked);
    PlaneRequest request;
    request.id = id;
    request.body = body;
    dispatch::DynamoWorker to{*address, codec, worker.instance.id};
    dispatch::DynamoPlanes planes{client.plane, client.home};
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
        for (const Event& e : batch.events) {
            if (e.kind == Event::tokens)
                for (size_t i = 0; i < e.data.size(); i += 4) std::memcpy(&out.ids.emplace_back(), e.data.data() + i, 4);
            if (e.kind == Event::finish) out.finish = name(e.finish_reason());
            if (e.kind == Event::usage) out.usage = *e.as<Usage>();
            if (e.kind == Event::failure) out.error = name(e.code()), out.reason = e.as<FailureBody>()->detail;
        }
        if (first_batch_only && !out.ids.empty()) co_return;
    }
    out.ended = true;
}

void show(const Asked& a) {
    std::string line;
    JsonWriter(line).object().member("tokens", a.ids.size()).member("finish", a.finish).member("prompt", a.usage.prompt).member("completion", a.usage.completion)
        .member("cached", a.usage.cached).member("batches", a.batches).member("ended", a.ended).member("error", a.error).member("reason", a.reason).end_object();
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

Task<void> script(Client& client, Probe& probe) {
    const size_t wanted = probe.command == "workers" ? probe.number(0, 1) : probe.command == "gone" ? 0 : 1;
    while (probe.command == "gone" ? !probe.found.empty() || probe.ready : probe.found.size() < wanted || !probe.ready) co_await probe.changed.wait();
    std::vector<FoundWorker> workers;
    for (auto& [key, w] : probe.found) workers.push_back(w);
    if (probe.command == "workers" || probe.command == "gone") {
        co_await sleep_ms(200);   // the event records come last
        std::string line;
        JsonWriter(line).object().member("workers", workers.size()).member("ready", probe.ready).member("kv_channels", probe.kv_channels)
            .member("kv_sources", probe.kv_sources).end_object();
        print(line);
        co_return;
    }
    const bool leave = probe.command == "leave";
    const size_t count = probe.command == "ask" ? probe.number(0, 1) : 1, prompt = probe.number(1, 40), max = leave ? 50'000 : probe.number(2, 8);
    if (probe.command == "files") co_return files(workers[0]);
    if (probe.command == "wrong-endpoint") workers[0].instance.address += "-not";
    client.times.prologue_ms = probe.command == "no-tokens" ? 1'000 : 30'000;
    std::vector<Asked> answers(count);
    Nursery nursery;
    for (size_t i = 0; i < count; i++) {
        const FoundWorker& worker = workers[i % workers.size()];
        const PayloadCodec codec = probe.arguments.size() > 3 ? (probe.arguments[3] == "json" ? PayloadCodec::json : PayloadCodec::msgpack) : worker.instance.codec;
        nursery.spawn(ask(client, worker, prompt, max, codec, probe.command != "no-tokens", leave, answers[i]));
    }
    while (nursery.size()) co_await sleep_ms(5);
    for (auto& a : answers) show(a);
    if (leave) {
        Asked again;
        co_await ask(client, workers[0], 20, 5, workers[0].instance.codec, true, false, again);
        show(again);
    }
    std::string line;
    JsonWriter(line).object().member("connections", client.plane.connections()).member("waiting", client.plane.waiting()).member("expected", client.home.expected())
        .member("called", client.home.counts.called).end_object();
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
    auto discovery = file_discovery({argv[1]});
    DynamoFleet fleet({}, probe);
    Client client{core};
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
