#include "obs/request_metrics.h"

#include <array>
#include <string>
#include <vector>

namespace weir {
namespace {

constexpr size_t apis_n = static_cast<size_t>(Api::admin) + 1;
constexpr size_t models_max = 1'000;       // names with rows of their own; the registry folds further ones anyway
constexpr size_t answers_max = 64;         // remembered (status, error code) pairs of a route
constexpr size_t workers_max = 4'096;      // remembered workers of a row

// Series found again by the address of a static word: a handful, so a scan beats a map.
struct ByWord {
    std::vector<std::pair<const char*, Series>> at;
    Series& operator[](const char* word) {
        for (auto& [known, series] : at)
            if (known == word) return series;
        return at.emplace_back(word, Series{}).second;
    }
};

struct TextHash {
    using is_transparent = void;
    size_t operator()(std::string_view text) const { return std::hash<std::string_view>()(text); }
};

// Clocks of the flow are read at different grains (once a turn, or exactly), so a later moment may look earlier.
uint64_t since(Instant then, Instant now) { return now > then ? now - then : 0; }

std::string_view digits(unsigned value, char (&text)[12]) {
    char* p = text + sizeof text;
    do *--p = static_cast<char>('0' + value % 10);
    while (value /= 10);
    return {p, static_cast<size_t>(text + sizeof text - p)};
}

}  // namespace

struct RequestMetrics::HttpRow {
    struct Answer { int status; std::string code; Series series; };
    const char *method, *route;
    Series requests, seconds;
    std::vector<Answer> answers;
};

struct RequestMetrics::Row {
    EndpointNames endpoint, model;         // model: views into the ModelRows that owns this row
    bool streaming = false;
    Series started, inflight, queued, seconds, ttft, itl, input, output, cached, output_total, tokens_in, tokens_out;
    Series cancelled, rejected;
    Series router, router_seconds, router_ttft, router_tpot, router_generation, router_in, router_out, retries, exhausted;
    ByWord ended, failed, picked;          // by error type, error type, policy
    std::unordered_map<EndpointKey, Series> sent;
};

struct RequestMetrics::ModelRows {
    std::string frontend, launch;          // label values
    std::array<std::unique_ptr<Row>, apis_n * 2> rows;
};

struct RequestMetrics::Cache {
    ModelRows unserved{"unknown_model", "other", {}}, unnamed{"unknown_model", "unknown", {}}, beyond{"other", "other", {}};
    std::unordered_map<std::string, std::unique_ptr<ModelRows>, TextHash, std::equal_to<>> served;
    std::vector<std::unique_ptr<HttpRow>> http;
    std::unordered_map<uint64_t, HttpRow*> http_by_words;
    Series disconnected;
    ByWord overhead, errors;
    std::array<Series, 600> upstream;
    std::array<Series, 33> backoff;
};

RequestMetrics::RequestMetrics(Metrics& metrics, unsigned core, RouterLabels labels)
    : metrics_(metrics), core_(metrics.core(core)), labels_(labels), cache_(std::make_unique<Cache>()) {}
RequestMetrics::~RequestMetrics() = default;

void RequestMetrics::resolve(Series& s, Metric m, std::initializer_list<std::string_view> labels) { s = metrics_.series(m, labels); }

RequestMetrics::HttpRow* RequestMetrics::http_begin(const char* method, const char* route) {
    const uint64_t key = mix64(reinterpret_cast<uintptr_t>(method)) ^ reinterpret_cast<uintptr_t>(route);
    HttpRow*& row = cache_->http_by_words[key];
    if (!row) [[unlikely]] {
        row = cache_->http.emplace_back(std::make_unique<HttpRow>(HttpRow{method, route, {}, {}, {}})).get();
        row->requests = metrics_.series(Metric::http_requests, {method, route});
        row->seconds = metrics_.series(Metric::http_seconds, {method, route});
    }
    core_.add(row->requests);
    return row;
}

void RequestMetrics::http_end(HttpRow* row, int status, std::string_view error_code, uint64_t ns) {
    if (!row) return;
    core_.observe(row->seconds, ns);
    for (const HttpRow::Answer& answer : row->answers)
        if (answer.status == status && answer.code == error_code) return core_.add(answer.series);
    char text[12];
    const Series s = metrics_.series(Metric::http_responses, {row->route, digits(static_cast<unsigned>(status), text), error_code});
    if (row->answers.size() < answers_max) row->answers.push_back({status, std::string(error_code), s});
    core_.add(s);
}

RequestMetrics::Row& RequestMetrics::row_for(Api api, std::string_view model, ModelIs is, bool streaming) {
    ModelRows* rows = is == ModelIs::unserved ? &cache_->unserved : &cache_->unnamed;
    if (is == ModelIs::served) {
        auto it = cache_->served.find(model);
        if (it == cache_->served.end() && cache_->served.size() < models_max)
            it = cache_->served.emplace(model, new ModelRows{std::string(model), std::string(model), {}}).first;
        rows = it == cache_->served.end() ? &cache_->beyond : it->second.get();
    }
    std::unique_ptr<Row>& row = rows->rows[static_cast<size_t>(api) * 2 + streaming];
    if (!row) {
        row = std::make_unique<Row>();
        row->endpoint = endpoint_names(api);
        row->model = {rows->frontend, rows->launch};
        row->streaming = streaming;
    }
    return *row;
}

RequestMetrics::Mark RequestMetrics::begin(Api api, std::string_view model, ModelIs is, bool streaming, Instant now) {
    Row& r = row_for(api, model, is, streaming);
    const std::string_view type = streaming ? "stream" : "unary";
    core_.add(lazy(r.started, Metric::requests_started, r.endpoint.frontend, r.model.frontend, type));
    core_.add(lazy(r.inflight, Metric::requests_inflight, r.model.frontend));
    core_.add(lazy(r.queued, Metric::requests_queued, r.model.frontend));
    core_.add(lazy(r.router, Metric::router_requests, labels_.router_type, labels_.backend_type, labels_.connection_mode, r.model.launch,
                                                       r.endpoint.launch, streaming ? "true" : "false"));
    return {&r, now, 0, 0, true};
}

void RequestMetrics::first_byte(Mark& mark, Instant now) {
    if (!mark.row || !mark.queued) return;
    Row& r = *mark.row;
    mark.queued = false;
    mark.first = mark.last_token = now;
    core_.sub(r.queued);
    if (!r.streaming) return;
    core_.observe(lazy(r.ttft, Metric::ttft_seconds, r.model.frontend), since(mark.begun, now));
    core_.observe(lazy(r.router_ttft, Metric::router_ttft_seconds, labels_.router_type, labels_.backend_type, r.model.launch, r.endpoint.launch),
                  since(mark.begun, now));
}

void RequestMetrics::tokens(Mark& mark, uint32_t n, Instant now) {
    if (!mark.row || n == 0) return;
    if (mark.last_token != 0) {
        const uint64_t gap = since(mark.last_token, now);
        core_.observe_many(lazy(mark.row->itl, Metric::itl_seconds, mark.row->model.frontend), gap / n, n, gap);
    }
    mark.last_token = now;
}

void RequestMetrics::end(Mark& mark, const Outcome& outcome, Instant now) {
    if (!mark.row) return;
    Row& r = *mark.row;
    if (mark.queued) core_.sub(r.queued);
    core_.sub(r.inflight);
    core_.observe(lazy(r.seconds, Metric::request_seconds, r.model.frontend), since(mark.begun, now));
    const EndpointNames error = error_types(outcome.code, outcome.status);
    count_end(r, outcome, error);
    count_tokens(r, mark, outcome, now);
    if (error.launch.empty())
        core_.observe(lazy(r.router_seconds, Metric::router_seconds, labels_.router_type, labels_.backend_type, labels_.connection_mode,
                                                                      r.model.launch, r.endpoint.launch), since(mark.begun, now));
    mark.row = nullptr;
}

void RequestMetrics::count_end(Row& r, const Outcome& outcome, EndpointNames error) {
    const std::string_view type = r.streaming ? "stream" : "unary";
    core_.add(lazy(r.ended[error.frontend.data()], Metric::requests,
                   r.endpoint.frontend, error.frontend, r.model.frontend, type, error.frontend.empty() ? "success" : "error"));
    if (error.frontend == "overload") core_.add(lazy(r.rejected, Metric::model_rejections, r.endpoint.frontend, r.model.frontend));
    if (outcome.ended_by == Outcome::client) {
        core_.add(lazy(cache_->disconnected, Metric::disconnected_clients));
        core_.add(lazy(r.cancelled, Metric::model_cancellations, r.endpoint.frontend, r.model.frontend, type));
    }
    if (!error.launch.empty())
        core_.add(lazy(r.failed[error.launch.data()], Metric::router_errors,
                       labels_.router_type, labels_.backend_type, labels_.connection_mode, r.model.launch, r.endpoint.launch, error.launch));
}

void RequestMetrics::count_tokens(Row& r, const Mark& mark, const Outcome& outcome, Instant now) {
    const auto router = [&](Series& s, Metric m) {
        return lazy(s, m, labels_.router_type, labels_.backend_type, r.model.launch, r.endpoint.launch);
    };
    const auto router_tokens = [&](Series& s, std::string_view type) {
        return lazy(s, Metric::router_tokens, labels_.router_type, labels_.backend_type, r.model.launch, r.endpoint.launch, type);
    };
    if (const uint32_t n = outcome.prompt_tokens; n > 0) {
        core_.observe(lazy(r.input, Metric::input_tokens, r.model.frontend), n);
        core_.add(lazy(r.tokens_in, Metric::tokens, r.model.frontend, "input"), n);
        core_.add(router_tokens(r.router_in, "input"), n);
    }
    if (outcome.cached_tokens > 0) core_.observe(lazy(r.cached, Metric::cached_tokens, r.model.frontend), outcome.cached_tokens);
    if (const uint32_t n = outcome.out_tokens; n > 0) {
        core_.observe(lazy(r.output, Metric::output_tokens, r.model.frontend), n);
        core_.add(lazy(r.output_total, Metric::output_tokens_total, r.model.frontend), n);
        core_.add(lazy(r.tokens_out, Metric::tokens, r.model.frontend, "output"), n);
        core_.add(router_tokens(r.router_out, "output"), n);
    }
    if (!r.streaming || mark.first == 0) return;
    core_.observe(router(r.router_generation, Metric::router_generation_seconds), since(mark.begun, now));
    if (outcome.out_tokens > 1) core_.observe(router(r.router_tpot, Metric::router_tpot_seconds), since(mark.first, now) / (outcome.out_tokens - 1));
}

void RequestMetrics::overhead(const char* plan, uint64_t ns) {
    core_.observe(lazy(cache_->overhead[plan], Metric::overhead_seconds, plan), ns);
}

void RequestMetrics::picked(const Mark& mark, const char* policy) {
    if (!mark.row) return;
    core_.add(lazy(mark.row->picked[policy], Metric::worker_selections,
                   labels_.worker_type, labels_.connection_mode, mark.row->model.launch, policy));
}

void RequestMetrics::sent(const Mark& mark, EndpointKey worker, std::string_view url) {
    if (!mark.row) return;
    auto& known = mark.row->sent;
    if (known.size() >= workers_max) known.clear();
    core_.add(lazy(known[worker], Metric::worker_requests, mark.row->model.launch, url));
}

void RequestMetrics::upstream_answer(int status) {
    if (status < 100 || status >= static_cast<int>(cache_->upstream.size())) return;
    char text[12];
    core_.add(lazy(cache_->upstream[static_cast<size_t>(status)], Metric::upstream_responses,
                   labels_.router_type, digits(static_cast<unsigned>(status), text), ""));
}

void RequestMetrics::attempt_failed(Code code) {
    const std::string_view type = error_types(code, 0).launch;
    if (type.empty()) return;
    core_.add(lazy(cache_->errors[type.data()], Metric::worker_errors, labels_.worker_type, labels_.connection_mode, type));
}

void RequestMetrics::retrying(const Mark& mark, unsigned attempt, uint64_t backoff_ns) {
    if (!mark.row || attempt < 2) return;
    core_.add(lazy(mark.row->retries, Metric::worker_retries, labels_.worker_type, mark.row->endpoint.launch));
    char text[12];
    const unsigned retry = attempt - 1;
    Series& s = cache_->backoff[retry < cache_->backoff.size() ? retry : 0];
    core_.observe(lazy(s, Metric::retry_backoff_seconds, retry < cache_->backoff.size() ? digits(retry, text) : "other"), backoff_ns);
}

void RequestMetrics::exhausted(const Mark& mark) {
    if (mark.row) core_.add(lazy(mark.row->exhausted, Metric::worker_retries_exhausted, labels_.worker_type, mark.row->endpoint.launch));
}

}  // namespace weir
