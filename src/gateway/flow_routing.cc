// Before a worker is chosen: what routing wants to know of the request. And the choice itself, with what is kept of it.
#include "api/decode.h"
#include "gateway/encode_text.h"
#include "gateway/flow.h"
#include "gateway/mock_host.h"
#include "gateway/routings.h"
#include "obs/log.h"

namespace weir {
namespace {

constexpr uint32_t block_needs = need::device | need::lower_tiers | need::predicted | need::active;
constexpr uint32_t text_needs = need::tokens | need::text | need::matched;

const WorkerView* first_worker(const FleetView& fleet, Str model) {
    const std::vector<uint64_t>* serving = fleet.serving(model);
    for (size_t i = 0; serving && i < fleet.ranks().size(); i++)
        if ((*serving)[i / 64] >> (i % 64) & 1) return fleet.ranks()[i].worker;
    return nullptr;
}

}  // namespace

Result<void> Flow::read_hints(const HttpExchange& http, const Call& call, Arena& arena, RouteAsk& ask) const {
    if (options_.hints.nvext && !prepare::top_member(call.doc, "nvext").empty()) {
        Call full = call;
        TRY_OK(api::decode_full(options_.api, full, arena));
        ask.hints = full.hints;
        ask.said.ids.assign(full.tokens.begin(), full.tokens.end());
    }
    read_body_hints(options_.hints, call, arena, ask);
    TRY_OK(read_header_hints(options_.hints, http.head().headers, arena, ask));
    if (options_.pinned_only && !ask.hints.pin) return Failure(Code::bad_request, "Invalid request");
    return Nothing{};
}

// Tokens if the model's tokenizer is here, else its text. What cannot be rendered or encoded is the engine's to refuse: then routing goes
// by load. The body is held.
Task<Result<void>> Flow::know_prompt(CoreState& here, const Call& call, const FleetView& fleet, uint32_t needs, RouteAsk& ask) {
    const bool tokens_given = !ask.said.ids.empty();
    const bool mocked = mocks_ && mocks_->serves(call.model);
    prepare::ModelRef model = mocked || tokens_given || !tokenizers_ ? nullptr : tokenizers_->find(call.model);
    if (!tokens_given && !mocked) prepare::read_said(call, ask.said);
    if (mocked && !tokens_given) {
        auto ids = std::make_shared<std::vector<uint32_t>>();
        if (mocks_->prompt(call.api, call.doc.body, *ids)) ask.ids = std::move(ids);
    } else if (model && ask.said.ids.empty()) {
        EncodeOptions how;
        how.add_special_tokens = call.api == Api::completions;
        how.special_as_text = tokenizers_->special_as_text() && call.api == Api::completions;
        std::string text;
        if (call.api == Api::chat) {
            Result<prepare::Rendered> rendered = co_await render_prompt(*tokenizers_, model, call.doc.body);
            if (rendered) text = std::move(rendered->text), ask.ids = rendered->ids;
            else LOG_DEBUG(route, "a conversation was not rendered, so it is routed without tokens", {"why", rendered.error()->message});
        } else {
            text = ask.said.text;
        }
        if (!ask.ids && !text.empty()) {
            Result<TokenIds> ids = co_await encode_in_slices(*tokenizers_, here, model, std::move(text), how);
            if (ids) ask.ids = *std::move(ids);
            else LOG_DEBUG(route, "a prompt was not encoded, so it is routed without tokens", {"why", ids.error()->message});
        }
    }
    std::span<const uint32_t> ids = ask.ids ? std::span<const uint32_t>(*ask.ids) : std::span<const uint32_t>(ask.said.ids);
    const WorkerView* worker = first_worker(fleet, call.model);
    if (!ids.empty() && worker && routings_) {
        ask.block = routings_->block_of(*worker);
        if (needs & block_needs) ask.hashes = kv::hash_blocks(ids, {ask.block, kv::hash_seed(ask.hints.lora, ask.hints.cache_salt)});
        ask.said.text.clear();   // who has tokens goes by them
    } else if (!(needs & text_needs)) {
        ask.said.text.clear();
    }
    co_return Nothing{};
}

Result<route::Choice> Flow::choose(RequestScope& scope, CoreState& here, const route::Question& question, const RouteAsk& ask, unsigned attempt) {
    const Instant before = here.core.clock().now();
    TRY(route::Choice choice, route::place(question, here.scratch, here.core.random()));
    if (question.queue == route::Question::Queue::join && attempt == 1)
        question.routing.queue->count(choice.queue_class).received.fetch_add(1, std::memory_order_relaxed);
    if (choice.pick.kind == Pick::wait && question.queue != route::Question::Queue::never) return choice;
    if (!choice.at) return Failure(Code::no_worker, "no worker for the model can take the request now");
    const Slate& slate = here.scratch.slate();
    here.routing_metrics.chose(question.routing.policy_name, scope.model(), question, choice, slate, here.core.clock().now() - before);
    if (!ask.explain && !here.decisions.wants(here.core.now())) return choice;
    route::Decision decision;
    route::describe(question, choice, here.scratch, question.routing.policy_name, decision);
    decision.at = here.core.clock().wall();
    decision.queue_us = static_cast<uint32_t>(std::min<uint64_t>(ask.queued_ns / 1'000, UINT32_MAX));
    decision.attempt = static_cast<uint8_t>(attempt);
    Str id = scope.id().substr(0, route::Decision::id_max);
    std::ranges::copy(id, decision.id.begin());
    decision.id_len = static_cast<uint8_t>(id.size());
    scope.decided(here.decisions.add(decision));
    if (ask.explain) {
        std::string line;
        route::append_json(decision, [](const route::Decision::Candidate&) { return Str{}; }, line);   // clients do not see where workers are
        scope.explain(std::move(line));
    }
    return choice;
}

}  // namespace weir
