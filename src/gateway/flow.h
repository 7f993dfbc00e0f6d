// The path of a request, one line a stage. The HttpService of the data plane; immutable after make, shared by all cores.
#pragma once
#include <atomic>
#include <memory>
#include <string>
#include <vector>

#include "api/answers.h"
#include "api/table.h"
#include "dispatch/relay.h"
#include "gateway/core_state.h"
#include "gateway/request_scope.h"
#include "gateway/route_ask.h"
#include "net/exchange.h"
#include "route/queue_gate.h"
#include "route/routing.h"

namespace weir {

class DynamoSite;
class MockHost;
class Routings;
class Tokenizers;

struct FlowOptions {
    api::Options api;
    std::vector<std::string> request_id_headers;          // lower case, first match wins
    std::vector<std::string> cors_origins;                // empty: no CORS; "*": any
    uint64_t sse_keepalive_ms = 0, first_byte_ms = 0, idle_ms = 0, total_ms = 0;   // 0: none
    enum class Path : uint8_t { automatic, forward, events } path = Path::automatic;
    unsigned connect_attempts_max = 3;                    // workers tried while nothing was sent
    bool dp_aware = false;                                // workers are told which of their data parallel ranks is meant
    uint64_t prologue_ms = 30'000;                        // of a Dynamo worker, once it took a request
    HintRules hints;
    bool pinned_only = false;                             // a request names its worker, or is refused
    bool no_admin = false;                                // /busy_threshold is not there
};

bool from_this_host(const PeerAddress&);   // loopback or a unix socket

class Flow final : public HttpService {
public:
    Flow(FlowOptions options, std::shared_ptr<const api::Routes> routes, std::shared_ptr<route::Routing> routing, Metrics& metrics,
         const std::atomic<bool>& draining)
        : options_(std::move(options)), routes_(std::move(routes)), routing_(std::move(routing)), metrics_(metrics),
          draining_(draining), relay_rules_{options_.sse_keepalive_ms, options_.idle_ms} {}
    void add_core(CoreState* state) { cores_.push_back(state); }   // in core order, before requests come
    void use(Tokenizers* tokenizers) { tokenizers_ = tokenizers; } // before requests come; null: the routes about them are not there

    void use(Routings* routings, const MockHost* mocks) { routings_ = routings, mocks_ = mocks; }   // before requests come; may be null

    void use(const DynamoSite* dynamo) { dynamo_ = dynamo; }                            // before requests come; null: no Dynamo workers
    Task<void> serve(HttpExchange& http) override;
    void refuse(int status, std::string_view why, std::string& lines, std::string& body) override;

private:
    struct Streaming;   // what survives the commit
    Task<void> answer(HttpExchange&, RequestScope&, CoreState&);
    Result<void> decode(HttpExchange&, CoreState&, const api::Row&, Str content_type, Call&, Arena&) const;
    Task<Result<void>> start(HttpExchange&, RequestScope&, CoreState&, const api::Row&, Streaming&);
    route::Routing& routing_of(const CoreState& here, Str model) const { return here.routings ? *here.routings->of(model) : *routing_; }
    Result<void> read_hints(const HttpExchange&, const Call&, Arena&, RouteAsk&) const;
    Task<Result<void>> know_prompt(CoreState&, const Call&, const FleetView&, uint32_t needs, RouteAsk&);
    Result<route::Choice> choose(RequestScope&, CoreState&, const route::Question&, const RouteAsk&, unsigned attempt);
    struct Attempt { unsigned number; std::span<const WorkerSlot> tried; };
    Task<Result<route::Choice>> wait_for_turn(HttpExchange&, RequestScope&, CoreState&, route::Routing&, const Prepared&, RouteAsk&, Attempt,
                                              Streaming&, route::Choice full, route::QueueGate::Turn&);
    Task<void> routing_answer(HttpExchange&, RequestScope&, CoreState&, const api::Row&, std::string rest);
    api::Reply decisions(const CoreState&, std::string_view id);
    Result<api::Reply> busy_thresholds(const CoreState&, std::string_view body);
    Task<Result<void>> begin(HttpExchange&, RequestScope&, CoreState&, Streaming&);
    Task<Result<void>> know_tokens(CoreState&, const Call&, const DynamoPeer::Serves&, RouteAsk&, std::string* echo);
    Task<Result<void>> start_tokens(HttpExchange&, RequestScope&, CoreState&, const api::Row&, Str content_type, Call&, Arena&, Streaming&);
    Task<Result<void>> send_tokens(HttpExchange&, RequestScope&, CoreState&, route::Routing&, const Call&, const Prepared&, RouteAsk&,
                                   const DynamoPeer::Serves&, Streaming&);
    Task<void> stream_events(HttpExchange&, RequestScope&, CoreState&, Streaming&);
    const api::Row* classify(HttpExchange&, RequestScope&, CoreState&);
    Task<void> text_answer(HttpExchange&, RequestScope&, CoreState&, const api::Row&, std::string rest);
    Task<Result<api::Reply>> tokenize(CoreState&, std::string_view body, bool plain);
    Task<Result<api::Reply>> detokenize(std::string_view body, bool plain);
    Result<api::Reply> tokenizer_list(const api::Row&, std::string_view body, std::string_view rest);
    Task<void> own_answer(HttpExchange&, RequestScope&, CoreState&);
    void reply(HttpExchange&, RequestScope&, const api::Reply&, std::string_view extra_lines = {});
    void fail(HttpExchange&, RequestScope&, const Failure&);
    bool any_model(const FleetView&) const;
    void break_off(HttpExchange&, RequestScope&, dispatch::Relay&, const Upstream&, const Failure&);
    void name_request(const HttpExchange&, RequestScope&, CoreState&, Api) const;
    Task<Failure> engine_error(Upstream&, int status, std::string headers);
    void append_own_lines(std::string& lines, const RequestScope&) const;
    std::string_view cors_of(const HeadersView&) const;

    FlowOptions options_;
    std::shared_ptr<const api::Routes> routes_;
    std::shared_ptr<route::Routing> routing_;
    Metrics& metrics_;
    const std::atomic<bool>& draining_;
    std::vector<CoreState*> cores_;
    Tokenizers* tokenizers_ = nullptr;
    Routings* routings_ = nullptr;
    const MockHost* mocks_ = nullptr;
    const DynamoSite* dynamo_ = nullptr;
    dispatch::RelayRules relay_rules_;
};

}  // namespace weir
