// Follows one request and settles it exactly once, whatever ends it: metrics, the access line, the count of active requests.
#pragma once
#include <memory>
#include <string>

#include "gateway/core_state.h"
#include "net/exchange.h"
#include "types/outcome.h"

namespace weir {

// Lives in the frame that serves the request; its destructor settles. A request destroyed midway ends as "client left".
class RequestScope {
public:
    RequestScope(CoreState& here, HttpExchange& http);
    RequestScope(const RequestScope&) = delete;
    ~RequestScope();

    void route_is(const char* method, const char* template_path);   // both static storage
    void id_is(std::string_view id, bool given);
    std::string_view id() const { return std::string_view(names_).substr(0, id_len_); }
    std::string_view model() const { return std::string_view(names_).substr(id_len_, model_len_); }
    bool id_given() const { return id_given_; }    // by the client, rather than made here
    void origin_is(std::string_view origin);       // an allowed CORS origin; empty: none
    std::string_view origin() const { return std::string_view(names_).substr(id_len_ + model_len_); }
    void model_is(Api, std::string_view model, bool served, bool stream);
    void picked(const WorkerView&, const char* policy);              // policy: static storage
    void decided(uint64_t number) { decision_ = number; }            // in the core's ring of decisions
    void explain(std::string line) { explain_ = std::make_unique<std::string>(std::move(line)); }
    std::string_view explanation() const { return explain_ ? std::string_view(*explain_) : std::string_view(); }
    void attempt_failed(Code);
    void retrying(unsigned attempt) { here_.metrics.retrying(mark_, attempt, 0); }   // attempt: the coming one
    void exhausted() { here_.metrics.exhausted(mark_); }
    void error_code_is(std::string code) { error_code_ = std::make_unique<std::string>(std::move(code)); }   // the word in the answer's body
    void sent(uint64_t waited_ns);                 // the request left for a worker, after waiting that long for a connection
    void worker_answered(int status);
    void first_byte();                             // the client gets the head of its answer
    void tokens(Instant read_at, uint32_t n);      // a streamed piece with that many tokens
    void busy(uint64_t ns) { busy_ns_ += ns; }     // our own time after sent()
    void usage(uint32_t prompt, uint32_t out, uint32_t cached);
    void events_path() { plan_ = "events"; }
    void finish(Code, Outcome::By);
    Outcome& outcome() { return outcome_; }
    bool streaming() const { return stream_; }

private:
    void write_access_line(Instant end, uint64_t overhead_ns);
    void tell_decision(int status, Instant end);
    CoreState& here_;
    HttpExchange& http_;
    RequestMetrics::HttpRow* row_ = nullptr;
    RequestMetrics::Mark mark_;
    const char *method_ = "OTHER", *route_ = "other", *policy_ = "", *plan_ = "answer";
    std::string names_;               // request id, model, CORS origin, one behind the other
    Str worker_;                      // in the fleet's view, which the serving frame holds
    Outcome outcome_;
    std::unique_ptr<std::string> error_code_;   // null: as the outcome's code is usually spelled
    std::unique_ptr<std::string> explain_;      // the client asked for it
    uint64_t bytes_in_, busy_ns_ = 0, decision_ = 0;
    uint32_t events_ = 0;
    uint16_t id_len_ = 0, model_len_ = 0;
    bool stream_ = false, id_given_ = false, sent_ = false, booked_ = false;
};

}  // namespace weir
