#include "mocker/engine.h"

#include <algorithm>
#include <charconv>

#include "base/assert.h"
#include "base/limits.h"
#include "mocker/pages.h"
#include "sim/text.h"
#include "wire/http1.h"

namespace weir::mocker {
namespace {

enum class Route : uint8_t {
    chat, completions, embeddings, generate, models, model, health, health_generate, metrics, version, vllm_load,
    model_info, server_info, get_load, loads, flush,
};
enum Kinds : uint8_t { both, vllm_only, sglang_only };
enum Methods : uint8_t { get, post, get_post, post_put };

struct RouteRow { std::string_view path; Route route; Methods methods; Kinds kinds; };
constexpr RouteRow routes[] = {
    {"/v1/chat/completions", Route::chat, post, both},
    {"/v1/completions", Route::completions, post, both},
    {"/v1/embeddings", Route::embeddings, post, both},
    {"/generate", Route::generate, post_put, sglang_only},
    {"/v1/models", Route::models, get, both},
    {"/v1/models/", Route::model, get, both},            // and what follows
    {"/health", Route::health, get, both},
    {"/ping", Route::health, get_post, both},
    {"/health_generate", Route::health_generate, get, sglang_only},
    {"/metrics", Route::metrics, get, both},
    {"/version", Route::version, get, vllm_only},
    {"/load", Route::vllm_load, get, vllm_only},
    {"/get_model_info", Route::model_info, get, sglang_only},
    {"/model_info", Route::model_info, get, sglang_only},
    {"/get_server_info", Route::server_info, get, sglang_only},
    {"/server_info", Route::server_info, get, sglang_only},
    {"/get_load", Route::get_load, get, sglang_only},
    {"/v1/loads", Route::loads, get, sglang_only},
    {"/flush_cache", Route::flush, get_post, sglang_only},
    {"/reset_prefix_cache", Route::flush, post, vllm_only},
};

const RouteRow* find_route(std::string_view path, const EngineSettings& s) {
    for (const RouteRow& r : routes) {
        if (s.strict && r.kinds != both && (r.kinds == vllm_only) != (s.kind == EngineKind::vllm)) continue;
        if (r.route == Route::model ? path.starts_with(r.path) && path.size() > r.path.size() : path == r.path) return &r;
    }
    return nullptr;
}

bool takes(Methods methods, std::string_view method) {
    if (method == "GET" || method == "HEAD") return methods == get || methods == get_post;
    if (method == "POST") return methods != get;
    return method == "PUT" && methods == post_put;
}

bool generating(Route r) { return r <= Route::generate; }

}  // namespace

MockEngine::MockEngine(EngineSettings settings, uint32_t index, Instant now, UnixMs wall)
    : settings_(std::move(settings)), index_(index), faults_(settings_.faults, index, sim::draw(settings_.seed, index), now),
      started_(now), started_wall_(wall) {
    ASSERT(settings_.dp_size > 0);
    for (uint32_t i = 0; i < settings_.dp_size; ++i) ranks_.push_back(std::make_unique<Rank>(*this, settings_.engine));
}

Instant MockEngine::next_event_time() const {
    Instant next = sim::never;
    for (const auto& r : ranks_) next = std::min(next, r->model.next_event_time());
    return next;
}

void MockEngine::advance(Instant now, size_t steps_max) {
    for (auto& r : ranks_) r->model.advance(now, *r, steps_max);
}

sim::EngineLoad MockEngine::load() const {
    sim::EngineLoad sum;
    for (const auto& r : ranks_) {
        const sim::EngineLoad l = r->model.load();
        sum.running += l.running, sum.waiting += l.waiting;
        sum.blocks_in_use += l.blocks_in_use, sum.blocks_total += l.blocks_total;
        sum.context_tokens += l.context_tokens;
    }
    return sum;
}

sim::EngineTotals MockEngine::totals() const {
    sim::EngineTotals sum;
    for (const auto& r : ranks_) sum += r->model.totals();
    return sum;
}

sim::EngineModel* MockEngine::choose_rank(const Ask& ask, std::string_view header) {
    std::optional<uint32_t> wanted = ask.rank;
    if (!header.empty()) {
        uint32_t number = 0;
        auto [end, ec] = std::from_chars(header.data(), header.data() + header.size(), number);
        if (ec != std::errc{} || end != header.data() + header.size()) return nullptr;
        wanted = number;
    }
    if (wanted) return *wanted < ranks_.size() ? &ranks_[*wanted]->model : nullptr;
    auto busy = [](const auto& r) { return r->model.running() + r->model.waiting(); };
    auto least = std::min_element(ranks_.begin(), ranks_.end(), [&](const auto& a, const auto& b) { return busy(a) < busy(b); });
    return &(*least)->model;
}

// vLLM guards /v1, SGLang everything but health and metrics.
bool MockEngine::allowed(const MockRequest& r) const {
    if (settings_.api_key.empty()) return true;
    const bool open = settings_.kind == EngineKind::vllm ? !r.path.starts_with("/v1")
                                                         : r.path.starts_with("/health") || r.path == "/metrics";
    if (open) return true;
    return r.authorization.starts_with("Bearer ") && r.authorization.substr(7) == settings_.api_key;
}

std::string MockEngine::hex_id() {
    static constexpr char digits[] = "0123456789abcdef";
    std::string out;
    for (int half = 0; half < 2; ++half)
        for (uint64_t v = sim::draw(settings_.seed ^ uint64_t{index_} << 32, ids_given_++), i = 0; i < 16; ++i)
            out.push_back(digits[v >> 4 * i & 15]);
    return out;
}

bool MockEngine::serves(std::string_view model) const {
    const auto& more = settings_.aliases;
    return model.empty() || model == settings_.model || std::find(more.begin(), more.end(), model) != more.end();
}

Outcome MockEngine::refused(MockReply reply) {
    ++counts_.refused;
    return {{}, std::move(reply), nullptr};
}

Outcome MockEngine::answer(const MockRequest& request, Instant now, UnixMs wall) {
    const RouteRow* row = find_route(request.path, settings_);
    if (!row) return {{}, detail_reply(404, "Not Found"), nullptr};
    if (!takes(row->methods, request.method)) {
        static constexpr std::string_view names[] = {"GET", "POST", "GET, POST", "POST, PUT"};
        Outcome o{{}, detail_reply(405, "Method Not Allowed"), nullptr};
        o.reply.lines.append("allow: ").append(names[row->methods]).append("\r\n");
        return o;
    }
    if (!allowed(request)) return refused(json_reply(401, "{\"error\":\"Unauthorized\"}"));
    sim::Fault fault = faults_.on_request(request.path, generating(row->route), now);
    if (!request.fault.empty()) {
        auto rules = sim::parse_faults(request.fault);
        if (!rules) return refused(error_reply(settings_.kind, rules.error()));
        if (!rules->empty()) fault = sim::FaultPlan::of_header(*rules);
    }
    const bool starting = now - started_ < settings_.startup_ms * ns_per_ms;
    if (fault.status) {
        Outcome o = refused(error_reply(settings_.kind, fault.status, "a fault rule asked for this status"));
        o.fault = fault;
        return o;
    }
    if (generating(row->route)) {
        if (starting) return refused(error_reply(settings_.kind, 503, "the engine is starting"));
        return generate(static_cast<Face>(row->route), request, fault, now, wall);
    }
    Outcome o;
    o.fault = fault;
    switch (row->route) {
        case Route::models: o.reply = models_page(*this); break;
        case Route::model: o.reply = model_page(*this, request.path.substr(row->path.size())); break;
        case Route::health:
        case Route::health_generate: o.reply = text_reply(starting ? 503 : 200, ""); break;
        case Route::metrics: o.reply = metrics_page(*this); break;
        case Route::version: o.reply = version_page(*this); break;
        case Route::vllm_load: o.reply = vllm_load_page(*this); break;
        case Route::model_info: o.reply = model_info_page(*this); break;
        case Route::server_info: o.reply = server_info_page(*this); break;
        case Route::get_load: o.reply = get_load_page(*this); break;
        case Route::loads: o.reply = loads_page(*this); break;
        default: o.reply = flush(); break;
    }
    return o;
}

MockReply MockEngine::flush() {
    bool done = load().running == 0;
    for (auto& r : ranks_) done = done && r->model.flush_cache(*r);
    if (settings_.kind == EngineKind::vllm) return text_reply(done ? 200 : 400, "");
    return text_reply(done ? 200 : 400, done ? "Cache flushed.\n" : "Requests are running, the cache was not flushed.\n");
}

Outcome MockEngine::generate(Face face, const MockRequest& request, const sim::Fault& fault, Instant now, UnixMs wall) {
    auto parsed = parse_ask(face, request.body);
    if (!parsed) return refused(error_reply(settings_.kind, parsed.error()));
    Ask& ask = *parsed;
    const EngineKind kind = settings_.kind;
    if (!serves(ask.model)) return refused(error_reply(kind, 404, "The model `" + ask.model + "` does not exist.", "model"));
    const uint64_t room = context_max();
    for (const auto& p : ask.prompts) {
        if (p.size() + ask.max_tokens.value_or(face == Face::embeddings ? 0 : 1) <= room) continue;
        return refused(error_reply(kind, 400, "This model's maximum context length is " + std::to_string(room) +
                                                  " tokens. The request has " + std::to_string(p.size()) +
                                                  " in its prompt and asks for " + std::to_string(ask.max_tokens.value_or(1)) + "."));
    }
    sim::EngineModel* model = choose_rank(ask, request.rank);
    if (!model) return refused(error_reply(kind, 400, "data_parallel_rank: there is no such rank", "data_parallel_rank"));
    AnswerHead head;
    head.kind = kind;
    const bool own_id = request.request_id.size() > limits::request_id_max || !is_token(request.request_id);
    head.id = own_id ? hex_id() : std::string(request.request_id);
    head.model = ask.model.empty() ? settings_.model : ask.model;
    head.created = static_cast<int64_t>(wall / 1'000);
    head.cached_details = settings_.cached_details;
    head.dimensions = settings_.dimensions;
    const size_t prompts = ask.prompts.size();
    auto generation = std::make_unique<Generation>(*model, std::move(ask), std::move(head), fault, now);
    auto submitted = generation->submit(next_id_, settings_.seed, settings_.natural_min, settings_.natural_max, now);
    if (!submitted) return refused(error_reply(kind, submitted.error()));
    next_id_ += prompts;
    ++counts_.requests;
    return {fault, {}, std::move(generation)};
}

void MockEngine::finished(const Generation& g) { counts_.cancelled += g.cancelled(); }

}  // namespace weir::mocker
