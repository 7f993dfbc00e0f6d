#include "gateway/request_scope.h"

#include "obs/error_types.h"

namespace weir {

RequestScope::RequestScope(CoreState& here, HttpExchange& http) : here_(here), http_(http), bytes_in_(http.head().content_length) {
    here_.active.fetch_add(1, std::memory_order_relaxed);
    outcome_.code = Code::cancelled;   // until somebody says better
    outcome_.ended_by = Outcome::client;
}

RequestScope::~RequestScope() {
    Instant end = here_.core.clock().now();
    outcome_.end = end;
    // Without a worker the whole time is ours; with one, what is spent before sending and after each read.
    uint64_t overhead = sent_ ? busy_ns_ : end - http_.received;
    int status = outcome_.status ? outcome_.status : 499;
    std::string_view error_code = error_code_ ? std::string_view(*error_code_) : error_types(outcome_.code, status).launch;
    here_.metrics.http_end(row_, status, error_code, end - http_.received);
    if (mark_.row) {
        here_.metrics.end(mark_, outcome_, end);
        here_.metrics.overhead(plan_, overhead);
    }
    if (decision_) tell_decision(status, end);
    if (here_.access) write_access_line(end, overhead);
    here_.active.fetch_sub(1, std::memory_order_relaxed);
    if (booked_) here_.booked.fetch_sub(1, std::memory_order_relaxed);
}

void RequestScope::route_is(const char* method, const char* template_path) {
    method_ = method;
    route_ = template_path;
    row_ = here_.metrics.http_begin(method, template_path);
}

void RequestScope::id_is(std::string_view id, bool given) {
    names_.reserve(id.size() + 32);
    names_.assign(id);
    id_len_ = static_cast<uint16_t>(id.size());
    id_given_ = given;
}

void RequestScope::origin_is(std::string_view origin) { names_.append(origin); }

void RequestScope::model_is(Api api, std::string_view model, bool served, bool stream) {
    std::string_view kept = model.substr(0, limits::model_name_logged_max);
    names_.append(kept);
    model_len_ = static_cast<uint16_t>(kept.size());
    stream_ = stream;
    plan_ = "forward";
    mark_ = here_.metrics.begin(api, model, model.empty() ? ModelIs::unnamed : served ? ModelIs::served : ModelIs::unserved, stream,
                                http_.received);
}

void RequestScope::picked(const WorkerView& worker, const char* policy) {
    policy_ = policy;
    if (!std::exchange(booked_, true)) here_.booked.fetch_add(1, std::memory_order_relaxed);
    std::string_view url = worker.url;
    size_t scheme = url.find("://");
    worker_ = scheme == std::string_view::npos ? url : url.substr(scheme + 3);
    here_.metrics.picked(mark_, policy);
    here_.metrics.sent(mark_, worker.key, worker.url);
}

void RequestScope::attempt_failed(Code code) { here_.metrics.attempt_failed(code); }

void RequestScope::sent(uint64_t waited_ns) {
    sent_ = true;
    uint64_t before = here_.core.clock().now() - http_.received;
    busy_ns_ += before - std::min(before, waited_ns);
}

void RequestScope::worker_answered(int status) { here_.metrics.upstream_answer(status); }

void RequestScope::first_byte() {
    outcome_.first_byte = true;
    outcome_.ttft = here_.core.now();
    here_.metrics.first_byte(mark_, outcome_.ttft);
}

void RequestScope::tokens(Instant read_at, uint32_t n) {
    if (!stream_ || n == 0) return;
    events_ += n;
    here_.metrics.tokens(mark_, n, read_at);
}

void RequestScope::usage(uint32_t prompt, uint32_t out, uint32_t cached) {
    outcome_.prompt_tokens = prompt;
    outcome_.out_tokens = out;
    outcome_.cached_tokens = cached;
}

void RequestScope::finish(Code code, Outcome::By by) {
    outcome_.code = code;
    outcome_.ended_by = by;
    outcome_.finished = code == Code::ok;
    if (outcome_.out_tokens == 0) outcome_.out_tokens = events_;
}

void RequestScope::tell_decision(int status, Instant end) {
    auto since = [&](Instant at) { return static_cast<uint32_t>(at > http_.received ? (at - http_.received) / 1'000 : 0); };
    here_.decisions.end(decision_, {true, status, outcome_.ttft ? since(outcome_.ttft) : 0, since(end), outcome_.prompt_tokens,
                                    outcome_.cached_tokens, outcome_.out_tokens});
}

void RequestScope::write_access_line(Instant end, uint64_t overhead_ns) {
    AccessRecord r;
    uint64_t total = end - http_.received;
    r.at = here_.core.clock().wall() - total / ns_per_ms;
    r.bytes_in = bytes_in_;
    r.bytes_out = http_.bytes_out();
    r.total_us = total / 1'000;
    r.ttft_us = outcome_.ttft ? static_cast<uint32_t>((outcome_.ttft - http_.received) / 1'000) : 0;
    r.overhead_us = static_cast<uint32_t>(overhead_ns / 1'000);
    r.tokens_in = outcome_.prompt_tokens;
    r.tokens_out = outcome_.out_tokens;
    r.tokens_cached = outcome_.cached_tokens;
    r.status = static_cast<uint16_t>(outcome_.status);
    r.attempt = sent_ ? outcome_.attempt : 0;
    r.http_major = http_.http_major;
    r.code = outcome_.code;
    r.ended_by = outcome_.ended_by;
    r.stream = stream_;
    r.method = method_;
    r.route = route_;
    r.policy = policy_;
    r.request_id = id();
    r.model = model();
    r.worker = worker_;
    char client[64];
    r.client = std::string_view(client, http_.peer.format(client));
    here_.access->push(here_.core.index(), r);
}

}  // namespace weir
