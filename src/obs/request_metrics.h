// The metric work of one request in a few calls: what the flow knows (Api, model, Outcome) to the rows of metric_list.h.
#pragma once
#include "obs/error_types.h"
#include "obs/metrics.h"
#include "types/call.h"
#include "types/outcome.h"
#include "types/worker.h"

#include <memory>
#include <string_view>
#include <unordered_map>

namespace weir {

enum class ModelIs : uint8_t { served, unserved, unnamed };   // an unserved name never becomes a label value

struct RouterLabels {            // the constant labels of the smg_router_* and smg_worker_* families
    std::string_view router_type = "http", backend_type = "regular", connection_mode = "http", worker_type = "regular";
};

// One per core, used by its thread alone. A request costs about 150 ns in all once its labels have been seen.
class RequestMetrics {
public:
    struct Row;                  // resolved series of (endpoint, model, streaming)
    struct HttpRow;              // resolved series of (method, route)
    struct Mark {                // held by the request's guard
        Row* row = nullptr;      // null: nothing is counted
        Instant begun = 0, first = 0, last_token = 0;
        bool queued = false;
    };

    RequestMetrics(Metrics&, unsigned core, RouterLabels = {});
    ~RequestMetrics();

    // --- any HTTP request. `method` and `route` have static storage; `route` is a template or "other". ---
    HttpRow* http_begin(const char* method, const char* route);
    void http_end(HttpRow*, int status, std::string_view error_code, uint64_t ns);   // error_code: as in the body, "" for none; null row: nothing

    // --- inference. begin() and end() once each, in the guard; what is between may never come. ---
    Mark begin(Api, std::string_view model, ModelIs, bool streaming, Instant now);
    // First byte of the answer: ends queueing, counts the time to it when the answer is a stream.
    void first_byte(Mark&, Instant now);
    // An event of a stream with `n` tokens (1 where the engine does not say) was read at `now`.
    void tokens(Mark& mark, uint32_t n, Instant now);
    void end(Mark&, const Outcome&, Instant now);
    void overhead(const char* plan, uint64_t ns);    // plan: static storage, "forward", "events", "answer"

    // --- attempts at workers ---
    void picked(const Mark&, const char* policy);                   // static storage
    void sent(const Mark&, EndpointKey worker, std::string_view url);
    void upstream_answer(int status);                               // a worker's status line was read
    void attempt_failed(Code);
    void retrying(const Mark&, unsigned attempt, uint64_t backoff_ns);   // attempt: the coming one, from 2
    void exhausted(const Mark&);                                    // the last attempt allowed has failed

private:
    struct ModelRows;
    struct Cache;
    Row& row_for(Api, std::string_view model, ModelIs, bool streaming);
    void count_end(Row&, const Outcome&, EndpointNames error);
    void count_tokens(Row&, const Mark&, const Outcome&, Instant now);
    template <class... Label>
    Series lazy(Series& s, Metric m, const Label&... labels) {   // resolved at first use; the labels are looked at only then
        if (!s) [[unlikely]] resolve(s, m, {std::string_view(labels)...});
        return s;
    }
    void resolve(Series&, Metric, std::initializer_list<std::string_view>);
    Metrics& metrics_;
    CoreMetrics& core_;
    const RouterLabels labels_;
    std::unique_ptr<Cache> cache_;
};

}  // namespace weir
