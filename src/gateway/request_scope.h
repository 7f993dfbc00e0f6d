// Follows one request and settles it exactly once, whatever ends it: metrics, the access line, the count of active requests.
#pragma once
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
    void id_is(std::string id, bool given) { id_ = std::move(id); id_given_ = given; }
    const std::string& id() const { return id_; }
    bool id_given() const { return id_given_; }    // by the client, rather than made here
    void model_is(Api, std::string_view model, bool served, bool stream);
    void picked(const WorkerView&, const char* policy);              // policy: static storage
    void attempt_failed(Code);
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
    CoreState& here_;
    HttpExchange& http_;
    RequestMetrics::HttpRow* row_ = nullptr;
    RequestMetrics::Mark mark_;
    const char *method_ = "OTHER", *route_ = "other", *policy_ = "", *plan_ = "answer";
    std::string id_, model_, worker_;
    Outcome outcome_;
    uint64_t bytes_in_, busy_ns_ = 0;
    uint32_t events_ = 0;
    bool stream_ = false, id_given_ = false, sent_ = false;
};

}  // namespace weir
