// Answers about routing: the newest decisions, and from when on workers count as busy.
#include <algorithm>

#include "api/decode.h"
#include "gateway/flow.h"
#include "gateway/routings.h"
#include "wire/json_top.h"
#include "wire/json_walk.h"
#include "wire/json_write.h"

namespace weir {
namespace {

constexpr auto relaxed = std::memory_order_relaxed;

api::Reply json(int status, std::string body) {
    api::Reply r;
    r.status = status;
    r.content_type = "application/json";
    r.body = std::move(body);
    return r;
}

api::Reply refusal(int status, std::string_view why) {
    std::string body;
    JsonWriter(body).object().member("error", why).end_object();
    return json(status, std::move(body));
}

void write_limit(JsonWriter& w, std::string_view name, float value) {
    if (value < 0) w.member(name, nullptr);
    else w.member(name, value);
}
void write_limits(JsonWriter& w, std::string_view model, const route::BusyLimits& busy) {
    w.object().member("model", model);
    write_limit(w, "active_decode_blocks_threshold", busy.decode_blocks_share.load(relaxed));
    uint32_t tokens = busy.prefill_tokens.load(relaxed);
    if (tokens == route::BusyLimits::off_tokens) w.member("active_prefill_tokens_threshold", nullptr);
    else w.member("active_prefill_tokens_threshold", tokens);
    write_limit(w, "active_prefill_tokens_threshold_frac", busy.prefill_batch_share.load(relaxed));
    w.end_object();
}

}  // namespace

// Of all cores, oldest first, so that what is kept of two answers can be put behind each other.
api::Reply Flow::decisions(const CoreState& here, std::string_view id) {
    std::vector<route::Decision> all;
    for (CoreState* core : cores_) {
        auto some = id.empty() ? core->decisions.newest(route::DecisionRing::size) : core->decisions.of(id);
        all.insert(all.end(), some.begin(), some.end());
    }
    std::ranges::sort(all, [](const auto& a, const auto& b) { return a.at != b.at ? a.at < b.at : a.number < b.number; });
    const FleetView& fleet = *here.fleet;
    auto url = [&](const route::Decision::Candidate& c) {
        auto* entry = fleet.entry(c.slot);
        return entry && entry->view.key == c.key ? entry->view.url : Str{};
    };
    api::Reply r;
    r.content_type = "application/x-ndjson";
    if (!id.empty() && all.empty()) return refusal(404, "no decision for that request is kept");
    for (const auto& d : all) {
        route::append_json(d, url, r.body);
        r.body.push_back('\n');
    }
    return r;
}

// Body empty: all models. A member that is missing or null leaves its threshold alone, so one with `model` only asks.
Result<api::Reply> Flow::busy_thresholds(const CoreState& here, std::string_view body) {
    std::string out;
    JsonWriter w(out);
    if (body.empty()) {
        w.object().key("thresholds").array();
        for (auto& model : here.fleet->models()) write_limits(w, model, routing_of(here, model).busy);
        w.end_array().end_object();
        return json(200, std::move(out));
    }
    std::array<Member, 64> members;
    TRY(TopScan scan, scan_top(body, members));
    Arena arena;
    Str model, decode, tokens, frac;
    for (uint32_t i = 0; i < scan.members; i++) {
        Str key = body.substr(members[i].key.off, members[i].key.len), value = body.substr(members[i].value.off, members[i].value.len);
        if (value == "null") continue;
        if (key == "model") model = json_kind(value) == JsonKind::string ? json_text(value, arena) : Str{};
        else if (key == "active_decode_blocks_threshold") decode = value;
        else if (key == "active_prefill_tokens_threshold") tokens = value;
        else if (key == "active_prefill_tokens_threshold_frac") frac = value;
    }
    if (model.empty()) return refusal(400, "model must be given");
    auto number = [](Str v) { return json_kind(v) == JsonKind::number ? json_double(v) : std::nullopt; };
    auto share = number(decode.empty() ? "0" : decode), part = number(frac.empty() ? "0" : frac);
    auto count = json_kind(tokens.empty() ? Str("0") : tokens) == JsonKind::number ? json_uint(tokens.empty() ? "0" : tokens) : std::nullopt;
    if (!share || *share < 0 || *share > 1)
        return refusal(400, "active_decode_blocks_threshold must be between 0.0 and 1.0, got " + std::string(decode.substr(0, 64)));
    if (!count || *count >= route::BusyLimits::off_tokens)
        return refusal(400, "active_prefill_tokens_threshold must be a whole number below 4294967295, got " + std::string(tokens.substr(0, 64)));
    if (!part || *part < 0) return refusal(400, "active_prefill_tokens_threshold_frac must not be negative, got " + std::string(frac.substr(0, 64)));
    if (std::ranges::find(here.fleet->models(), model) == here.fleet->models().end())
        return refusal(404, "Model '" + std::string(model) + "' not found. Thresholds can only be set for discovered models.");
    route::BusyLimits& busy = routing_of(here, model).busy;
    if (!decode.empty()) busy.decode_blocks_share.store(static_cast<float>(*share), relaxed);
    if (!tokens.empty()) busy.prefill_tokens.store(static_cast<uint32_t>(*count), relaxed);
    if (!frac.empty()) busy.prefill_batch_share.store(static_cast<float>(*part), relaxed);
    write_limits(w, model, busy);
    return json(200, std::move(out));
}

Task<void> Flow::routing_answer(HttpExchange& http, RequestScope& scope, CoreState& here, const api::Row& row, std::string rest) {
    scope.origin_is(cors_of(http.head().headers));
    const bool busy = row.endpoint == api::Endpoint::busy || row.endpoint == api::Endpoint::busy_set || row.endpoint == api::Endpoint::busy_put;
    if (busy && options_.no_admin) co_return fail(http, scope, Failure(Code::route_unknown, ""));
    const bool open = busy && options_.api.dialect == Dialect::frontend;   // as Dynamo has it: whoever reaches the port
    if (!open && !from_this_host(http.peer))   // until there are roles
        co_return fail(http, scope, Failure(Code::forbidden, "routing is looked into from the gateway's own host only"));
    if (!http.body_complete()) {
        auto taken = co_await http.read_body(limits::read_chunk);
        if (!taken) co_return fail(http, scope, taken.error());
    }
    Result<api::Reply> reply = api::Reply{};
    switch (row.endpoint) {
    case api::Endpoint::busy: reply = busy_thresholds(here, {}); break;
    case api::Endpoint::busy_set:
    case api::Endpoint::busy_put: reply = busy_thresholds(here, http.body().empty() ? "{}" : http.body()); break;
    default: {
        Arena arena;
        reply = decisions(here, rest.empty() ? Str{} : api::model_of_path(rest, arena));
    }
    }
    if (!reply) co_return fail(http, scope, reply.error());
    scope.finish(reply->status < 400 ? Code::ok : reply->status == 404 ? Code::model_unknown : Code::bad_request, Outcome::gateway);
    this->reply(http, scope, *reply);
}

}  // namespace weir
