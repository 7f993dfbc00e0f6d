#include "gateway/flow.h"

#include "api/decode.h"
#include "api/error_body.h"
#include "dispatch/attempt.h"
#include "dispatch/worker_headers.h"
#include "gateway/dp_rank.h"
#include "gateway/flow_streaming.h"
#include "obs/log.h"
#include "prepare/prepare.h"
#include "wire/http1.h"

namespace weir {
namespace {

constexpr uint64_t pending_wait_ms = 1'000, pending_poll_ms = 5;

const char* method_name(std::string_view method) {   // static storage, and no label of a stranger's making
    for (const char* known : {"GET", "POST", "HEAD", "OPTIONS", "PUT", "DELETE", "PATCH"})
        if (method == known) return known;
    return "OTHER";
}

// What of the prompt must be known before a worker is chosen; 0: nothing, the body is not looked into.
uint32_t prompt_needs(Api api, uint32_t needs) {
    constexpr uint32_t of_prompt = need::device | need::lower_tiers | need::predicted | need::active | need::tokens | need::text | need::matched;
    return api == Api::chat || api == Api::completions ? needs & of_prompt : 0;
}

}  // namespace

// The endpoint that a worker serves, or null: the gateway answers itself.
const api::Row* Flow::classify(HttpExchange& http, RequestScope& scope, CoreState& here) {
    api::Found found = routes_->find(api::method_of(http.head().method), http.head().path);
    scope.route_is(method_name(http.head().method), found.row ? found.row->path.data() : "other");
    name_request(http, scope, here, found.row ? found.row->api : Api::none);
    return found.row && found.row->legs ? found.row : nullptr;
}

Task<void> Flow::serve(HttpExchange& http) {
    CoreState& here = *cores_[Core::here().index()];
    RequestScope scope(here, http);
    bool thrown = false;
    try {
        const api::Row* row = classify(http, scope, here);
        if (!row) co_return co_await own_answer(http, scope, here);
        Streaming s;
        auto started = co_await start(http, scope, here, *row, s);
        if (started && s.upstream) started = co_await begin(http, scope, here, s);
        if (!started) co_return fail(http, scope, started.error());
        if (s.events) {
            co_await stream_events(http, scope, here, s);
            co_return s.booking.release(scope.outcome());
        }
        Result<void> done;
        if (!s.relay.ended || http.blocked()) done = co_await dispatch::run(s.relay, http, *s.upstream, relay_rules_, s.deadline, s.passed);
        scope.busy(s.relay.busy_ns);
        s.passed.settle(scope);
        if (!done) co_return break_off(http, scope, s.relay, *s.upstream, done.error());
        scope.finish(scope.outcome().status >= 400 ? Code::engine_status : Code::ok, Outcome::engine);
        s.booking.release(scope.outcome());
    } catch (const std::exception& e) {      // libraries end at their seams; whatever still leaks costs one request, not the process
        LOG_ERROR(gateway, "exception in a request", {"what", e.what()}, {"request_id", scope.id()});
        here.cells.add(here.exceptions);
        thrown = true;
    }
    if (!thrown) co_return;
    if (http.begun()) http.abort();
    else fail(http, scope, Failure(Code::internal, "internal error"));
}

// What routing and forwarding need of the body, which must be complete.
Result<void> Flow::decode(HttpExchange& http, CoreState& here, const api::Row& row, Str content_type, Call& call, Arena& arena) const {
    call.doc.body = http.body();
    call.api = row.api;
    call.dialect = options_.api.dialect;
    call.received = http.received;
    call.id = {here.core.random().next(), here.core.random().next()};
    TRY_OK(api::decode_light(options_.api, content_type, call, arena));
    call.model = arena.copy(call.model);   // the body may move when it is held
    return Nothing{};
}

// Everything up to the request's last byte on its way to a worker. The frame, and the decoded request, are gone while it is awaited.
Task<Result<void>> Flow::start(HttpExchange& http, RequestScope& scope, CoreState& here, const api::Row& row, Streaming& out) {
    Arena arena;
    Call& call = *arena.make<Call>();
    Str content_type = arena.copy(http.head().headers.get("content-type"));   // outlives a body that arrives in pieces
    if (!http.body_complete() || http.body().size() > options_.api.body_max) CO_TRY_OK(co_await http.read_body(options_.api.body_max));
    CO_TRY_OK(decode(http, here, row, content_type, call, arena));
    // While workers are being asked for their models, a request waits a moment rather than fail.
    uint64_t waited_ms = 0;
    for (; !here.fleet->serving(call.model) && here.fleet->pending() && waited_ms < pending_wait_ms; waited_ms += pending_poll_ms) {
        if (!http.hold()) co_return Failure(Code::shed, "the gateway's budget for request bodies is used up");
        co_await sleep_ms(pending_poll_ms);
    }
    if (waited_ms) {   // the body lies elsewhere now
        call = Call{};
        CO_TRY_OK(decode(http, here, row, content_type, call, arena));
    }
    if (dynamo_ && dynamo_model(*here.fleet, call.model)) co_return co_await start_tokens(http, scope, here, row, content_type, call, arena, out);
    route::Routing* routing = &routing_of(here, call.model);   // lives as long as we do
    RouteAsk ask;
    CO_TRY_OK(read_hints(http, call, arena, ask));
    if (uint32_t needs = prompt_needs(row.api, route::needs_of(*routing))) {
        if (!http.hold()) co_return Failure(Code::shed, "the gateway's budget for request bodies is used up");
        if (http.body().data() != call.doc.body.data()) {
            call = Call{};
            CO_TRY_OK(decode(http, here, row, content_type, call, arena));
        }
        CO_TRY_OK(co_await know_prompt(here, call, *here.fleet, needs, ask));
    }
    out.fleet = here.fleet;
    const FleetView* fleet = out.fleet.get();
    scope.model_is(row.api, call.model, fleet->serving(call.model) != nullptr, call.wants & wants::stream);
    // Usage the client did not ask for can only be added where the stream is read.
    bool usage_added = options_.api.force_include_usage && call.wants & wants::stream;
    bool events = options_.path == FlowOptions::Path::events || (usage_added && options_.path == FlowOptions::Path::automatic);
    if (events) CO_TRY_OK(api::decode_full(options_.api, call, arena));
    Prepared prepared = prepare::run(call, !events);
    ask.fill(prepared);

    if (options_.total_ms) out.deadline = http.received + options_.total_ms * ns_per_ms;
    Str path = row.path;   // an operator may have moved ours; the worker's is the standard one
    if (!http.head().query.empty()) path = arena.concat({path, "?", http.head().query});
    here.lines.clear();
    dispatch::append_worker_lines(here.lines, http.head().headers, scope.id());
    dispatch::Outgoing request{row.method == api::Method::post ? "POST" : "GET", path, here.lines, {}, false};
    std::string engine_body;
    if (events) {
        out.events = std::make_unique<EventPath>(options_.api, call, here.core.clock().wall() / 1'000);
        out.events->write_request(call, engine_body);
        request.body = engine_body;
        request.own_body = true;
    }
    scope.origin_is(cors_of(http.head().headers));
    const Str lines = options_.dp_aware ? arena.copy(here.lines) : Str{};
    std::string ranked_body;
    std::array<WorkerSlot, limits::retries_max> tried;
    for (unsigned attempt = 1;; attempt++) {
        const Attempt before{attempt, {tried.data(), attempt - 1}};
        const auto queue = routing->queue && !ask.hints.do_not_queue ? route::Question::Queue::join : route::Question::Queue::never;
        const route::Question question{prepared, *fleet, *routing, Leg::whole, before.tried, here.core.now(), queue};
        CO_TRY(route::Choice choice, choose(scope, here, question, ask, attempt));
        route::QueueGate::Turn turn;
        if (!choice.at) {
            request.lines = arena.copy(request.lines);
            Result<route::Choice> got = co_await wait_for_turn(http, scope, here, *routing, prepared, ask, before, out, choice, turn);
            if (!got) co_return std::move(got).error();
            choice = *got;
            fleet = out.fleet.get();
        }
        out.booking = {};   // of the attempt before
        out.booking = route::book(prepared, choice.at, choice.cached_tokens, *routing, here.core.now(), Leg::whole, &here.leases);
        route::remember({prepared, *fleet, *routing, Leg::whole, before.tried, here.core.now()}, choice);
        turn = {};
        scope.outcome().attempt = static_cast<uint8_t>(attempt);
        scope.picked(*choice.at.worker, routing->policy_name);
        if (options_.dp_aware && choice.at.worker->ranks > 1) {
            ranked_body = with_dp_rank(events ? Str(engine_body) : http.body(), choice.at.rank);
            request.body = ranked_body, request.own_body = true;
            request.lines = arena.concat({lines, "x-data-parallel-rank: ", std::to_string(choice.at.rank), "\r\n"});
        } else if (options_.dp_aware) {
            request.body = engine_body, request.own_body = events, request.lines = lines;
        }
        const Target& target = fleet->target(choice.at.worker->slot);
        dispatch::Sent connection;
        Result<void> sent;
        Result<bool> now = dispatch::send_now(here.pool, target, http, request, connection);
        if (!now) {
            sent = std::move(now).error();
        } else if (!*now) {
            request.lines = arena.copy(request.lines);   // the core's scratch does not survive the wait
            sent = co_await dispatch::send(here.pool, target, http, request, connection);
        }
        if (!sent) {
            here.cells.add(here.connect_failed);
            scope.attempt_failed(sent.error()->code);
            LOG_WARN(dispatch, "worker not reached", {"worker", choice.at.worker->url}, {"why", sent.error()->detail}, {"request_id", scope.id()});
            const uint32_t ranks = choice.candidates + choice.rejects[route::Reject::session];   // a session moves when it must
            bool again = sent.error()->code == Code::connect_failed && attempt < options_.connect_attempts_max && ranks > 1;
            if (!again) {
                if (sent.error()->code == Code::connect_failed) scope.exhausted();
                co_return std::move(sent).error();
            }
            scope.retrying(attempt + 1);
            tried[attempt - 1] = choice.at.worker->slot;
            continue;
        }
        if (!connection.reused) here.cells.add(here.connect_ok);
        scope.sent(connection.waited_ns);
        out.upstream = std::move(connection.upstream);
        out.worker = choice.at.worker, out.rank = choice.at.rank;
        // It is not sent again: nothing of the request stays while the worker thinks, once it has it.
        if (!out.upstream->sending()) http.drop_body();
        co_return Nothing{};
    }
}

// The worker's head, and the client's with the first bytes of the body.
Task<Result<void>> Flow::begin(HttpExchange& http, RequestScope& scope, CoreState& here, Streaming& s) {
    ResponseHead head;
    s.upstream->deadline_in(options_.first_byte_ms ? options_.first_byte_ms : options_.total_ms);
    auto got = co_await s.upstream->read_head(head);
    if (!got) {
        scope.attempt_failed(got.error()->code);
        co_return std::move(got).error();
    }
    http.drop_body();
    scope.worker_answered(head.status);
    scope.outcome().status = head.status;
    if (head.status >= 400 && options_.api.dialect == Dialect::frontend) {
        std::string headers;
        dispatch::append_client_lines(headers, head);
        Failure refused = co_await engine_error(*s.upstream, head.status, std::move(headers));
        co_return refused;
    }
    if (s.events && head.status < 300) {
        scope.events_path();
        co_return Nothing{};
    }
    s.events.reset();
    scope.first_byte();
    here.lines.clear();
    bool has_date = dispatch::append_client_lines(here.lines, head);
    append_own_lines(here.lines, scope);
    if (options_.api.dialect == Dialect::launch) {
        const bool ranked = options_.dp_aware && s.worker->ranks > 1;
        append_header(here.lines, "x-smg-routed-worker-id", ranked ? std::string(s.worker->url) + "@" + std::to_string(s.rank) : s.worker->url);
    }
    s.passed.watch(scope, s.booking);
    if (!dispatch::begin(s.relay, http, *s.upstream, head, here.lines, has_date, s.passed)) co_return Failure(Code::cancelled, "client left");
    co_return Nothing{};
}

// The worker refused: its status, fields and body become a failure, which the dialect spells.
Task<Failure> Flow::engine_error(Upstream& upstream, int status, std::string headers) {
    Failure failure(Code::engine_status, "the worker refused the request");
    failure->upstream_status = status;
    failure->upstream_headers = std::move(headers);
    std::string& body = failure->upstream_body;
    while (body.size() < limits::error_body_max) {
        auto piece = co_await upstream.next();
        if (!piece) break;
        body.append(piece->bytes.substr(0, limits::error_body_max - body.size()));
        if (piece->end) break;
    }
    co_return failure;
}

// The answer's head is out already: an SSE client hears of the failure in its stream, any other by a broken connection.
void Flow::break_off(HttpExchange& http, RequestScope& scope, dispatch::Relay& relay, const Upstream& upstream, const Failure& failure) {
    if (relay.done && failure->code != Code::cancelled && (!relay.framed || relay.between_chunks)) {   // only the framing's end is missing
        scope.finish(Code::ok, Outcome::engine);
        dispatch::insert(relay, http, {}, true);
        return;
    }
    bool lost = failure->code == Code::incomplete || failure->code == Code::engine_garbage;
    Code code = lost ? Code::lost_mid_stream : failure->code;
    scope.finish(code, code == Code::cancelled ? Outcome::client : code == Code::deadline ? Outcome::gateway : Outcome::worker_lost);
    if (code == Code::cancelled) return;
    if (!relay.sse) return http.abort();
    if (relay.framed && !relay.between_chunks) {
        std::string closing;
        if (!upstream.close_chunk(closing)) return http.abort();
        if (!closing.empty() && !http.write_text(closing, false)) return;
        relay.at_boundary = false;
    }
    std::string frame;
    if (!relay.at_boundary) frame.append("\n\n");
    FailureBody body = *failure;
    body.code = code;
    api::append_error_frame(options_.api, body, frame);
    dispatch::insert(relay, http, frame, true);
}

}  // namespace weir
