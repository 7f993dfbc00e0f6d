#include "mocker/dynamo_workers.h"

#include "mocker/dynamo_card.h"
#include "mocker/from_config.h"

namespace weir::mocker {
namespace {

constexpr uint64_t look_ms = 20;

// "dyn://namespace.component.endpoint"
Result<DynamoEndpoint> read_endpoint(Str text) {
    constexpr Str scheme = "dyn://";
    const Str rest = text.starts_with(scheme) ? text.substr(scheme.size()) : text;
    const size_t first = rest.find('.'), last = rest.rfind('.');
    DynamoEndpoint e;
    if (first != Str::npos && first != last) {
        e.ns = rest.substr(0, first);
        e.component = rest.substr(first + 1, last - first - 1);
        e.name = rest.substr(last + 1);
    }
    if (e.ns.empty() || e.component.empty() || e.name.empty() || e.component.find('.') != std::string::npos)
        return Failure(Code::bad_field, "--endpoint is not of the form dyn://namespace.component.endpoint: " + std::string(text.substr(0, 300)), "endpoint");
    return e;
}

}  // namespace

Result<WorkerSettings> worker_settings_of(const MockerConfig& c) {
    TRY(FleetSettings fleet, settings_of(c, c.workers));
    WorkerSettings s;
    s.engine = std::move(fleet.engine);
    s.host = c.host;
    s.codec = c.codec == "json" ? PayloadCodec::json : PayloadCodec::msgpack;
    const std::string role = !c.role.empty() ? c.role : c.prefill_worker ? "prefill" : c.decode_worker ? "decode" : "agg";
    if (c.prefill_worker && c.decode_worker) return Failure(Code::bad_field, "--is-prefill-worker and --is-decode-worker exclude each other", "role");
    if ((c.prefill_worker && role != "prefill") || (c.decode_worker && role != "decode"))
        return Failure(Code::bad_field, "--disaggregation-mode " + role + " and --is-prefill-worker or --is-decode-worker disagree", "role");
    if (role == "prefill") s.role = WorkerType::prefill, s.engine.engine.role = sim::EngineParams::prefill;
    if (role == "decode") s.role = WorkerType::decode, s.engine.engine.role = sim::EngineParams::decode;
    const std::string component = role == "prefill" ? "prefill" : "backend";
    if (c.endpoint.empty()) s.endpoint = {c.ns, component, "generate"};
    else {
        TRY(s.endpoint, read_endpoint(c.endpoint));
    }
    if (c.model_path.empty()) return Failure(Code::bad_field, "--dynamo needs --model-path, a folder with config.json and a tokenizer", "model_path");
    TRY_OK(check_faults(s.engine.faults));
    s.engine.engine.ids = std::make_shared<const std::vector<uint32_t>>(answer_ids(c.model_path));
    return s;
}

DynamoWorkers::DynamoWorkers(Core& core, const WorkerSettings& settings, std::string card_json, std::unique_ptr<Discovery> discovery, uint32_t workers)
    : core_(core), card_json_(std::move(card_json)), discovery_(std::move(discovery)), resolver_(core) {
    for (uint32_t i = 0; i < workers; ++i)
        workers_.push_back(std::make_unique<DynamoWorker>(core, resolver_, settings, i, core.random().next()));
}

DynamoWorkers::~DynamoWorkers() {
    Core::Enter enter(core_);
    tasks_.cancel();
    workers_.clear();
}

Result<void> DynamoWorkers::listen() {
    for (auto& w : workers_) TRY_OK(w->listen());
    return Nothing{};
}

void DynamoWorkers::start(uint64_t startup_ms, std::function<void(Result<void>)> announced) {
    for (auto& w : workers_) w->start();
    tasks_.spawn(discovery_->run(ignored_));
    tasks_.spawn(announce(startup_ms, std::move(announced)));
}

Task<void> DynamoWorkers::announce(uint64_t startup_ms, std::function<void(Result<void>)> announced) {
    co_await sleep_ms(startup_ms);
    auto done = co_await publish_all();
    announced(std::move(done));
}

// The card comes last: who sees it finds the worker complete.
Task<Result<void>> DynamoWorkers::publish_all() {
    for (auto& w : workers_) {
        std::vector<Record> records = w->records();
        records.push_back(w->card_record(card_json_));
        for (Record& r : records) CO_TRY_OK(co_await discovery_->publish(std::move(r)));
    }
    co_return Nothing{};
}

void DynamoWorkers::leave(uint64_t grace_ms, std::function<void()> done) { tasks_.spawn(wait_and_leave(grace_ms, std::move(done))); }

Task<void> DynamoWorkers::wait_and_leave(uint64_t grace_ms, std::function<void()> done) {
    co_await discovery_->retire();
    const Instant end = core_.now_exact() + grace_ms * ns_per_ms;
    // Frontends learn of it a little later; what they send meanwhile is still served.
    while (core_.now() < end && answering() > 0) co_await sleep_ms(look_ms);
    for (auto& w : workers_) w->stop_accepting();
    while (core_.now() < end && answering() > 0) co_await sleep_ms(look_ms);
    done();
}

size_t DynamoWorkers::answering() const {
    size_t n = 0;
    for (auto& w : workers_) n += w->answering();
    return n;
}

}  // namespace weir::mocker
