#include "mocker/dynamo_worker.h"

#include <unistd.h>

#include <algorithm>

#include "obs/log.h"
#include "planes/call_home.h"
#include "sim/text.h"
#include "wire/json_top.h"
#include "wire/json_write.h"
#include "wire/msgpack.h"
#include "wire/two_part.h"

namespace weir::mocker {
namespace {

constexpr uint64_t json_safe = (uint64_t{1} << 53) - 1;
constexpr uint64_t load_apart_ms = 5;          // reports of load are never nearer to each other
constexpr size_t connections_max = 4'096, answers_max = 65'536;

std::string hex(uint64_t v) {
    char text[20];
    std::snprintf(text, sizeof text, "%llx", static_cast<unsigned long long>(v));
    return text;
}

std::string escaped(Str part) {                // one segment of an endpoint's path
    std::string out;
    for (char c : part) c == '%' ? out.append("%25") : c == '/' ? out.append("%2F") : out.append(1, c);
    return out;
}

CallSettings call_settings(const WorkerSettings& s) { return {s.engine.seed, s.engine.natural_min, s.role == WorkerType::prefill}; }

std::string where_blocks_are(uint64_t worker_id) {
    std::string json;
    JsonWriter(json).object().member("mock_worker", hex(worker_id)).end_object();
    return json;
}

}  // namespace

struct DynamoWorker::Rank final : sim::EngineSink {
    Rank(DynamoWorker& worker, uint32_t number, uint64_t publisher_id)
        : number(number), model(worker.settings_.engine.engine), log(worker.id_, number), events(worker.core_, "kv-events", publisher_id) {}
    void on_token(const sim::TokenEvent& e) override { static_cast<DynamoCall*>(e.user)->on_token(e); }
    void on_kv(const sim::KvEvent& e) override { log.add(e); }
    void tell(UnixMs now) {
        for (payload.clear(); log.take(payload); payload.clear()) events.publish(payload, now);
    }
    const uint32_t number;
    sim::EngineModel model;
    KvLog log;
    EventPublisher events;
    std::string payload;                       // scratch
    uint32_t used_told = ~0u;
};

DynamoWorker::DynamoWorker(Core& core, Resolver& resolver, WorkerSettings settings, uint32_t index, uint64_t id)
    : core_(core), resolver_(resolver), settings_(std::move(settings)), id_(id), listener_(core),
      load_(core, "kv_metrics", core.random().next() & json_safe), msgpack_(PayloadCodec::msgpack, where_blocks_are(id)),
      json_(PayloadCodec::json, where_blocks_are(id)),
      faults_(settings_.engine.faults, index, sim::draw(settings_.engine.seed, index), core.clock().now()),
      pace_(core, [this](Instant now) { advance(now); }, [this] { return next_event_time(); }) {
    for (uint32_t i = 0; i < settings_.engine.dp_size; ++i) ranks_.push_back(std::make_unique<Rank>(*this, i, core.random().next() & json_safe));
    load_alarm_.worker = this;
    load_alarm_.fire = [](Timer& t) { static_cast<LoadAlarm&>(t).worker->tell_load(); };
}

DynamoWorker::~DynamoWorker() {
    Core::Enter enter(core_);
    accepting_.cancel();
    serving_.cancel();
    answering_.cancel();
    listener_.close();
}

Result<void> DynamoWorker::listen() {
    TRY_OK(listener_.open(settings_.host, 0));
    TRY_OK(load_.open(settings_.host));
    const std::string base = hex(id_) + "/" + escaped(settings_.endpoint.ns) + "/" + escaped(settings_.endpoint.component) + "/";
    paths_[base + escaped(settings_.endpoint.name)] = ranks_.size();
    for (auto& r : ranks_) {
        TRY_OK(r->events.open(settings_.host));
        paths_[base + query_name(*r)] = r->number;
    }
    return Nothing{};
}

const sim::EngineModel& DynamoWorker::rank(size_t i) const { return ranks_[i]->model; }

void DynamoWorker::start() {
    listener_.watch();
    accepting_.spawn(accept_loop());
    load_.start();
    for (auto& r : ranks_) r->events.start();
    tell_load();
}

// --- what discovery is told ---

std::string DynamoWorker::announced_host() const {
    const std::string host = settings_.host == "0.0.0.0" || settings_.host == "::" ? local_address() : settings_.host;
    return host.find(':') == host.npos ? host : "[" + host + "]";
}

std::string DynamoWorker::query_name(const Rank& r) const { return "worker_kv_query_source_" + hex(r.events.id()); }

std::string DynamoWorker::address_of(const std::string& endpoint_name) const {
    return announced_host() + ":" + std::to_string(port()) + "/" + hex(id_) + "/" + escaped(settings_.endpoint.ns) + "/" +
           escaped(settings_.endpoint.component) + "/" + escaped(endpoint_name);
}

DynamoInstance DynamoWorker::instance(const std::string& endpoint_name) const {
    DynamoInstance i;
    i.endpoint = {settings_.endpoint.ns, settings_.endpoint.component, endpoint_name};
    i.id = id_;
    i.address = address_of(endpoint_name);
    i.codec = settings_.codec;
    i.device = "cuda";
    return i;
}

std::vector<Record> DynamoWorker::records() const {
    std::vector<Record> all;
    const std::string base = settings_.endpoint.ns + "/" + settings_.endpoint.component + "/";
    auto endpoint = [&](const std::string& name) { all.push_back({Bucket::instances, base + name + "/" + hex(id_), write_instance(instance(name))}); };
    const EventScope scope{EventScope::endpoint, settings_.endpoint};
    auto channel = [&](const EventPublisher& p) {
        EventChannel c;
        c.scope = scope;
        c.topic = p.topic();
        c.publisher_id = p.id();
        c.endpoint = "tcp://" + announced_host() + ":" + std::to_string(p.port());
        all.push_back({Bucket::event_channels, event_key(scope, c.topic, c.publisher_id), write_event_channel(c)});
    };
    endpoint(settings_.endpoint.name);
    channel(load_);
    if (settings_.role == WorkerType::decode) return all;   // its blocks come from others: nobody is to be routed by them
    for (auto& r : ranks_) {
        endpoint(query_name(*r));
        channel(r->events);
        EventSource source;
        source.scope = scope;
        source.topic = r->events.topic();
        source.publisher_id = r->events.id();
        source.worker_id = id_;
        source.dp_rank = r->number;
        source.recovery = instance(query_name(*r));
        all.push_back({Bucket::event_sources, event_key(scope, source.topic, source.publisher_id), write_event_source(source)});
    }
    return all;
}

Record DynamoWorker::card_record(const std::string& card_json) const {
    std::string value;
    JsonWriter w(value);
    w.object().member("type", "Model").member("namespace", settings_.endpoint.ns).member("component", settings_.endpoint.component);
    w.member("endpoint", settings_.endpoint.name).member("instance_id", id_).key("card_json").raw(card_json).end_object();
    return {Bucket::cards, settings_.endpoint.ns + "/" + settings_.endpoint.component + "/" + settings_.endpoint.name + "/" + hex(id_), std::move(value)};
}

// --- requests ---

Task<void> DynamoWorker::accept_loop() {
    for (;;) {
        const int fd = co_await listener_.accept();
        if (serving_.size() < connections_max) serving_.spawn(serve(fd));
        else ::close(fd);
    }
}

Task<void> DynamoWorker::serve(int fd) {
    SocketTransport socket(fd);
    RequestFrameReader reader;
    std::string acks, ack;
    for (bool go = true; go;) {
        auto got = co_await socket.recv();
        if (got.n <= 0) co_return;
        Str bytes = got.view();
        acks.clear();
        for (RequestFrame frame; go && reader.next(bytes, frame);) {
            ack.clear();
            go = take(frame, ack);
            if (go) append_ack(acks, ack);
        }
        const bool sent = acks.empty() || socket.send(acks);
        start_taken();                         // they read too: not before these bytes are used up
        go = go && sent && !reader.bad();
        if (socket.blocked()) {
            const bool on = co_await socket.drained();
            go = go && on;
        }
    }
}

bool DynamoWorker::take(const RequestFrame& frame, std::string& ack) {
    const auto at = paths_.find(std::string(frame.path));
    if (at == paths_.end()) {
        counts.unknown++;
        ack = "Server unavailable: unknown endpoint " + std::string(frame.path);
        return true;
    }
    if (leaving_) {
        ack = "Server unavailable: the worker is leaving";
        return true;
    }
    TwoPart parts;
    auto control = read_two_part(frame.payload, parts) ? read_control_header(parts.header) : Failure(Code::bad_field, "no two-part message");
    if (!control) {                            // there is nobody to be called: as real workers, which say nothing
        LOG_WARN(mocker, "a request that cannot be understood", {"why", control.error()->message});
        return true;
    }
    if (answering_.size() + taken_.size() >= answers_max) {
        ack = "Server overloaded: too many answers under way";
        return true;
    }
    if (at->second == ranks_.size()) return generate(*std::move(control), parts.body, ack);
    asked_.push_back({*std::move(control), at->second, std::string(parts.body)});
    return true;
}

DynamoWorker::Rank* DynamoWorker::choose_rank(const std::optional<uint32_t>& wanted) {
    if (wanted) return *wanted < ranks_.size() ? ranks_[*wanted].get() : nullptr;
    auto busy = [](const auto& r) { return r->model.running() + r->model.waiting(); };
    return std::min_element(ranks_.begin(), ranks_.end(), [&](const auto& a, const auto& b) { return busy(a) < busy(b); })->get();
}

bool DynamoWorker::generate(ControlHeader control, Str body, std::string& ack) {
    counts.requests++;
    const Instant now = core_.now_exact();
    sim::Fault fault = faults_.on_request("/generate", true, now);
    std::string refusal, kind = "InvalidArgument";
    for (auto& [name, value] : control.metadata) {   // as a frontend forwards a client's header
        if (!Str(name).ends_with("weir-fault")) continue;
        auto rules = sim::parse_faults(value);
        auto fine = rules ? check_faults(*rules) : Result<void>(std::move(rules).error());
        if (fine) fault = sim::FaultPlan::of_header(*rules);
        else refusal = fine.error()->message;
    }
    if (fault.wrong == sim::Fault::nothing) return false;
    if (fault.status == 503) return ack = "Server overloaded: a fault rule asked for it", true;
    if (fault.status) refusal = "a fault rule asked for status " + std::to_string(fault.status), kind = fault.status < 500 ? kind : "Unknown";
    const bool many_in = control.many_in;
    const PayloadCodec codec = control.codec;
    auto call = std::make_unique<DynamoCall>(std::move(control), items(codec), fault, now);
    if (refusal.empty()) {
        auto ask = many_in ? Result<TokenAsk>(Failure(Code::not_supported, "requests of many frames are not taken here")) : read_token_ask(body, codec);
        Rank* rank = ask ? choose_rank(ask->rank) : nullptr;
        Result<void> done;
        if (!ask) done = std::move(ask).error();
        else if (!rank) done = Failure(Code::bad_field, "there is no such rank", "dp_rank");
        else done = call->submit(rank->model, *std::move(ask), next_id_, call_settings(settings_), now);
        if (!done && done.error()->code == Code::queue_full) return ack = "Server overloaded: " + done.error()->message, true;
        if (!done) refusal = done.error()->message;
        next_id_ += done ? 1 : 0;
    }
    if (!refusal.empty()) counts.refused++, call->refuse(kind, refusal);
    taken_.push_back(std::move(call));
    return true;
}

void DynamoWorker::start_taken() {
    auto taken = std::exchange(taken_, {});
    auto asked = std::exchange(asked_, {});
    if (!taken.empty()) pace_.poke();
    for (auto& call : taken) answering_.spawn(answer(std::move(call)));
    for (auto& question : asked) answering_.spawn(recover(std::move(question)));
}

Task<void> DynamoWorker::answer(std::unique_ptr<DynamoCall> call) {
    co_await call->run(resolver_);
    if (!call->ended_early()) co_return;
    counts.ended_early++;
    call.reset();
    pace_.poke();                              // blocks came free
}

Task<void> DynamoWorker::recover(Question q) {
    counts.recoveries++;
    auto fd = co_await dial_home(resolver_, q.control.address);
    if (!fd) co_return;
    SocketTransport socket(*fd);
    std::string out, packed, answer;
    append_handshake(out, q.control.subject);
    if (q.control.codec == PayloadCodec::json && check_json(q.body) && json_to_msgpack(q.body, packed)) q.body = packed;
    auto question = read_recovery_question(q.body);
    if (!question) {
        append_refusal(out, "InvalidArgument", question.error()->message);
    } else {
        ranks_[q.rank]->log.answer(*question, answer);
        append_prologue(out, {});
        items(q.control.codec).answer(out, answer);
        items(q.control.codec).end(out);
    }
    const iovec all{out.data(), out.size()};
    if (!socket.send_large(&all, 1)) co_return;
    constexpr uint64_t silence_ms = 10'000;
    socket.deadline_in(silence_ms);
    const bool on = co_await socket.drained();
    if (!on) co_return;
    for (;;) {                                 // until the asker closes
        auto got = co_await socket.recv();
        if (got.n <= 0) co_return;
    }
}

// --- time ---

Instant DynamoWorker::next_event_time() const {
    Instant next = sim::never;
    for (const auto& r : ranks_) next = std::min(next, r->model.next_event_time());
    return next;
}

void DynamoWorker::advance(Instant now) {
    const UnixMs wall = core_.clock().wall();
    for (auto& r : ranks_) {
        r->model.advance(now, *r);
        r->tell(wall);
    }
    tell_load();
}

// Reports the ranks whose use of KV blocks has changed, or comes back when it is time to.
void DynamoWorker::tell_load() {
    const Instant now = core_.now();
    const Instant earliest = load_told_ + load_apart_ms * ns_per_ms;
    bool told = false;
    for (auto& r : ranks_) {
        const uint32_t used = r->model.load().blocks_in_use;
        if (used == r->used_told) continue;
        if (load_told_ && now < earliest) {
            if (!load_alarm_.armed()) core_.arm(load_alarm_, ms_until(earliest, now));
            return;
        }
        r->used_told = used;
        std::string payload;
        MsgpackWriter w(payload);
        w.map(5).text("worker_id").number(id_).text("dp_rank").number(r->number).text("active_decode_blocks").number(used);
        w.text("active_prefill_tokens").nil().text("kv_used_blocks").number(used);
        load_.publish(payload, core_.clock().wall());
        told = true;
    }
    if (told) load_told_ = now;
}

}  // namespace weir::mocker
