// A request to Dynamo's workers: template and tokens, a worker chosen, its stream begun. What comes back passes as Events (event_path.h).
#include "api/decode.h"
#include "gateway/encode_text.h"
#include "gateway/flow_streaming.h"
#include "gateway/routings.h"
#include "obs/log.h"
#include "prepare/prepare.h"

namespace weir {
namespace {

constexpr uint32_t block_needs = need::device | need::lower_tiers | need::predicted | need::active;

constexpr Str passed_headers[] = {"traceparent", "tracestate", "x-request-id"};   // to the worker, as they came

// The prompt as text, where the request has one.
struct PromptText { std::string text; EncodeOptions how; };

Result<void> check_model(const DynamoPeer::Serves& served, const Call& call) {
    const uint32_t wanted = call.api == Api::chat ? model_type::chat : call.api == Api::completions ? model_type::completions : 0;
    if (!wanted) return Failure(Code::not_supported, "Dynamo workers are asked for chat and completions only, so far");
    if (!(served.card->types & wanted)) return Failure(Code::model_unknown, "the model does not do that", "model");
    if (call.prompts.size() > 1) return Failure(Code::not_supported, "several prompts in a request are not supported yet for this model", "prompt");
    return {};
}

tok::StopRules stop_rules(const Call& call, const prepare::Model& model) {
    const Sampling& s = call.sampling;
    tok::StopRules rules;
    for (Str text : s.stop) rules.strings.emplace_back(text);
    rules.eos_ids = model.stop_ids;
    rules.hidden_ids.assign(s.stop_ids.begin(), s.stop_ids.end());
    rules.min_tokens = s.min_tokens && *s.min_tokens > 0 ? static_cast<uint32_t>(*s.min_tokens) : 0;
    rules.ignore_eos = s.ignore_eos;
    rules.include_stop = s.include_stop;
    return rules;
}

bool elsewhere(Code code) { return code == Code::connect_failed || code == Code::ack_error; }   // nothing is done there

}  // namespace

// Tokens of the prompt into `ask`. The body is held.
Task<Result<void>> Flow::know_tokens(CoreState& here, const Call& call, const DynamoPeer::Serves& served, RouteAsk& ask, std::string* echo) {
    if (!ask.said.ids.empty()) co_return Nothing{};   // they came with the request
    PromptText prompt;
    prompt.how.special_as_text = tokenizers_->special_as_text() && call.api == Api::completions;
    if (call.api == Api::chat) {
        CO_TRY(prepare::Rendered rendered, co_await render_prompt(*tokenizers_, served.model, call.doc.body));
        prompt.text = std::move(rendered.text);
        ask.ids = rendered.ids;
    } else if (call.prompts[0].is_tokens) {
        ask.said.ids.assign(call.prompts[0].tokens.begin(), call.prompts[0].tokens.end());
        if (echo) *echo = served.model->tokenizer->decode(ask.said.ids, false);
        co_return Nothing{};
    } else {
        prompt.text = call.prompts[0].text;
    }
    if (echo) *echo = prompt.text;
    if (!ask.ids) {
        CO_TRY(ask.ids, co_await encode_in_slices(*tokenizers_, here, served.model, std::move(prompt.text), prompt.how));
    }
    co_return Nothing{};
}

// Everything up to the beginning of the worker's answer.
Task<Result<void>> Flow::start_tokens(HttpExchange& http, RequestScope& scope, CoreState& here, const api::Row& row, Str content_type, Call& call,
                                      Arena& arena, Streaming& out) {
    if (!http.hold()) co_return Failure(Code::shed, "the gateway's budget for request bodies is used up");
    if (http.body().data() != call.doc.body.data()) {
        call = Call{};
        CO_TRY_OK(decode(http, here, row, content_type, call, arena));
    }
    out.fleet = here.fleet;
    const DynamoPeer::Serves* served = dynamo_model(*out.fleet, call.model);
    if (!served) co_return Failure(Code::no_worker, "no worker serves the model any more");
    const FleetViewRef first_fleet = out.fleet;      // `served` lives in there
    scope.model_is(row.api, call.model, true, call.wants & wants::stream);
    CO_TRY_OK(api::decode_full(options_.api, call, arena));
    CO_TRY_OK(check_model(*served, call));
    RouteAsk ask;
    CO_TRY_OK(read_hints(http, call, arena, ask));
    if (!served->card->lora.empty()) ask.hints.lora = served->card->lora;
    std::string echo;
    CO_TRY_OK(co_await know_tokens(here, call, *served, ask, call.wants & wants::echo ? &echo : nullptr));
    const std::span<const uint32_t> ids = ask.ids ? std::span<const uint32_t>(*ask.ids) : std::span<const uint32_t>(ask.said.ids);
    if (served->context && ids.size() >= served->context)
        co_return Failure(Code::bad_field, "Validation: The prompt has " + std::to_string(ids.size()) + " tokens, the model's context is " +
                                               std::to_string(served->context), "messages");
    route::Routing* routing = &routing_of(here, call.model);
    if (const WorkerView* worker = first_serving(*out.fleet, call.model); worker && routings_) {
        ask.block = routings_->block_of(*worker);
        if (route::needs_of(*routing) & block_needs)
            ask.hashes = kv::hash_blocks(ids, {ask.block, kv::hash_seed(ask.hints.lora, ask.hints.cache_salt)});
    }
    Prepared prepared = prepare::run(call, false);
    ask.fill(prepared);
    call.hints = ask.hints;

    if (options_.total_ms) out.deadline = http.received + options_.total_ms * ns_per_ms;
    out.events = std::make_unique<EventPath>(options_.api, call, here.core.clock().wall() / 1'000, true);
    respond::TokenTextRules rules;
    rules.tokenizer = served->model->tokenizer;
    CO_TRY(rules.stops, tok::StopSet::make(stop_rules(call, *served->model)));
    rules.prompt = ids;
    rules.prompt_tokens = static_cast<uint32_t>(ids.size());
    rules.choices = call.choices;
    rules.skip_special = call.sampling.skip_special;
    rules.logprobs = call.sampling.logprobs;
    rules.echo = std::move(echo);
    out.events->spell(std::make_unique<respond::TokenText>(std::move(rules)));
    out.events->keep(served->model);
    scope.origin_is(cors_of(http.head().headers));
    scope.events_path();
    CO_TRY_OK(co_await send_tokens(http, scope, here, *routing, call, prepared, ask, *served, out));
    http.drop_body();
    scope.worker_answered(200);
    scope.outcome().status = 200;
    co_return Nothing{};
}

// A worker is chosen, booked and asked; another one when it was not reached.
Task<Result<void>> Flow::send_tokens(HttpExchange& http, RequestScope& scope, CoreState& here, route::Routing& routing, const Call& call,
                                     const Prepared& prepared, RouteAsk& ask, const DynamoPeer::Serves& served, Streaming& out) {
    std::vector<std::pair<std::string, std::string>> headers;
    for (Str name : passed_headers)
        if (Str value = http.head().headers.get(name); !value.empty()) headers.emplace_back(name, value);
    const std::string id = api::answer_id(call.api, call.id).substr(call.api == Api::chat ? 9 : 5);
    std::string body;
    std::array<WorkerSlot, limits::retries_max> tried;
    for (unsigned attempt = 1;; attempt++) {
        const Attempt before{attempt, {tried.data(), attempt - 1}};
        const auto queue = routing.queue && !ask.hints.do_not_queue ? route::Question::Queue::join : route::Question::Queue::never;
        const route::Question question{prepared, *out.fleet, routing, Leg::whole, before.tried, here.core.now(), queue};
        CO_TRY(route::Choice choice, choose(scope, here, question, ask, attempt));
        route::QueueGate::Turn turn;
        if (!choice.at) {
            Result<route::Choice> got = co_await wait_for_turn(http, scope, here, routing, prepared, ask, before, out, choice, turn);
            if (!got) co_return std::move(got).error();
            choice = *got;
        }
        const WorkerView& worker = *choice.at.worker;
        out.booking = {};
        out.booking = route::book(prepared, choice.at, choice.cached_tokens, routing, here.core.now(), Leg::whole, &here.leases);
        route::remember({prepared, *out.fleet, routing, Leg::whole, before.tried, here.core.now()}, choice);
        turn = {};
        scope.outcome().attempt = static_cast<uint8_t>(attempt);
        scope.picked(worker, routing.policy_name);
        const std::shared_ptr<const DynamoPeer> peer = out.fleet->entry(worker.slot)->spec.dynamo;
        if (!peer) co_return Failure(Code::no_worker, "the worker takes no tokens");
        engine::DynamoAsk what;
        what.model = served.card->name;
        what.tokens = prepared.tokens;
        what.eos = served.model->stop_ids;
        what.dp_rank = choice.at.rank;
        body.clear();
        CO_TRY_OK(engine::write_dynamo_request(call, what, peer->to.codec, body));
        PlaneRequest request;
        request.id = id;
        request.body = body;
        request.headers = headers;
        PlaneTimes times;
        times.prologue_ms = options_.prologue_ms;
        times.idle_ms = options_.idle_ms;
        times.end = out.deadline;
        const dispatch::DynamoPlanes planes{here.dynamo->plane, here.dynamo->home};
        if (attempt == 1) scope.sent(0);
        auto stream = co_await dispatch::send_dynamo(planes, peer->to, request, times);
        if (stream) {
            out.worker = &worker;
            out.events->from(*std::move(stream));
            co_return Nothing{};
        }
        const FailureBody& why = *stream.error();
        scope.attempt_failed(why.code);
        LOG_WARN(dispatch, "a worker did not begin to answer", {"worker", worker.url}, {"why", why.message}, {"detail", why.detail},
                 {"request_id", scope.id()});
        const bool again = elsewhere(why.code) && attempt < options_.connect_attempts_max &&
                           choice.candidates + choice.rejects[route::Reject::session] > 1;
        if (!again) {
            if (elsewhere(why.code)) scope.exhausted();
            co_return std::move(stream).error();
        }
        scope.retrying(attempt + 1);
        tried[attempt - 1] = worker.slot;
    }
}

}  // namespace weir
