// Answers of the gateway itself: errors, models, health, metrics, documents, CORS.
#include <algorithm>
#include <cstring>

#include "api/decode.h"
#include "api/error_body.h"
#include "gateway/dynamo_site.h"
#include "gateway/flow.h"
#include "obs/error_types.h"

namespace weir {
namespace {

constexpr std::string_view cors_methods = "GET, POST, PUT, PATCH, DELETE, OPTIONS";
constexpr std::string_view base62 = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

bool usable_id(std::string_view id) {
    return !id.empty() && id.size() <= limits::request_id_max && std::ranges::all_of(id, [](char c) { return c > ' ' && c < 0x7f; });
}

uint32_t context_of(const FleetView& fleet, const std::string& model) {
    const DynamoPeer::Serves* served = dynamo_model(fleet, model);
    return served ? served->context : 0;
}

std::string_view id_prefix(Api api) {
    switch (api) {
    case Api::chat: return "chatcmpl-";
    case Api::completions: return "cmpl-";
    default: return "req-";
    }
}

}  // namespace

void Flow::name_request(const HttpExchange& http, RequestScope& scope, CoreState& here, Api api) const {
    for (auto& name : options_.request_id_headers) {
        std::string_view given = http.head().headers.get(name);
        if (usable_id(given)) return scope.id_is(given, true);
    }
    std::string_view prefix = id_prefix(api);
    char id[64];
    std::memcpy(id, prefix.data(), prefix.size());
    char* at = id + prefix.size();
    for (int i = 0; i < 24; i += 8) {
        uint64_t bits = here.core.random().next();
        for (int k = 0; k < 8; k++, bits >>= 8) *at++ = base62[(bits & 0xff) % base62.size()];
    }
    scope.id_is({id, static_cast<size_t>(at - id)}, false);
}

std::string_view Flow::cors_of(const HeadersView& headers) const {
    if (options_.cors_origins.empty()) return {};
    std::string_view origin = headers.get("origin");
    if (origin.empty() || !is_field_value(origin)) return {};
    for (auto& allowed : options_.cors_origins)
        if (allowed == "*" || allowed == origin) return origin;
    return {};
}

void Flow::append_own_lines(std::string& lines, const RequestScope& scope) const {
    // SMG names every answer; Dynamo only echoes what the client sent.
    if (scope.id_given() || options_.api.dialect == Dialect::launch) append_header(lines, "x-request-id", scope.id());
    if (!scope.explanation().empty()) append_header(lines, "x-weir-decision", scope.explanation());
    if (!scope.origin().empty()) {
        append_header(lines, "access-control-allow-origin", scope.origin());
        append_header(lines, "vary", "origin");
    }
}

void Flow::reply(HttpExchange& http, RequestScope& scope, const api::Reply& r, std::string_view extra_lines) {
    CoreState& here = *cores_[Core::here().index()];
    here.lines.clear();
    if (!r.content_type.empty()) append_header(here.lines, "content-type", r.content_type);
    here.lines.append(r.headers).append(extra_lines);
    append_own_lines(here.lines, scope);
    Reply out;
    out.status = r.status;
    out.lines = here.lines;
    scope.outcome().status = r.status;
    if (!r.code.empty()) scope.error_code_is(r.code);
    http.reply(out, r.body);
}

// Dynamo's frontend forgets its models with their last worker.
bool Flow::any_model(const FleetView& fleet) const { return dynamo_ ? !fleet.models().empty() : fleet.any_ever(); }

void Flow::fail(HttpExchange& http, RequestScope& scope, const Failure& failure) {
    scope.finish(failure->code, failure->code == Code::cancelled       ? Outcome::client
                                : failure->code == Code::engine_status ? Outcome::engine
                                                                       : Outcome::gateway);
    if (failure->code == Code::cancelled) return;
    if (http.begun()) return http.abort();
    api::Asked asked;
    asked.model = scope.model();
    asked.any_model_ever = any_model(*cores_[Core::here().index()]->fleet);
    reply(http, scope, api::error_reply(options_.api, *failure, asked));
}

void Flow::refuse(int status, std::string_view why, std::string& lines, std::string& body) {
    Code code = Code::bad_request;
    switch (status) {
    case 408: code = Code::request_timeout; break;
    case 413: code = Code::too_large; break;
    case 414: code = Code::uri_too_long; break;
    case 431: code = Code::too_many_headers; break;
    case 501: case 505: code = Code::not_supported; break;
    default: break;
    }
    api::Reply r = api::error_reply(options_.api, *Failure(code, std::string(why)), {});
    append_header(lines, "content-type", r.content_type.empty() ? "text/plain" : r.content_type);
    lines.append(r.headers);
    body = r.body;
    auto& metrics = cores_[Core::here().index()]->metrics;
    metrics.http_end(metrics.http_begin("OTHER", "other"), status, r.code.empty() ? error_types(code, status).launch : std::string_view(r.code), 0);
}

Task<void> Flow::own_answer(HttpExchange& http, RequestScope& scope, CoreState& here) {
    std::string method(http.head().method), path(http.head().path), extra;
    api::Found found = routes_->find(api::method_of(method), path);
    if (found.row && api::about_tokenizers(found.row->endpoint) && !tokenizers_) found = {Code::route_unknown, nullptr, {}, {}};
    if (found.row && api::about_tokenizers(found.row->endpoint)) co_return co_await text_answer(http, scope, here, *found.row, std::string(found.rest));
    if (found.row && api::about_routing(found.row->endpoint)) co_return co_await routing_answer(http, scope, here, *found.row, std::string(found.rest));
    if (!http.body_complete()) {   // a small body nobody asked for is taken, so that the connection can go on; a large one ends it
        auto taken = co_await http.read_body(limits::read_chunk);
        if (!taken && taken.error()->code == Code::cancelled) co_return fail(http, scope, taken.error());
    }
    scope.origin_is(cors_of(http.head().headers));
    if (method == "OPTIONS" && !scope.origin().empty()) {
        append_header(extra, "access-control-allow-methods", cors_methods);
        std::string_view asked = http.head().headers.get("access-control-request-headers");
        append_header(extra, "access-control-allow-headers", asked.empty() || !is_field_value(asked) ? "*" : asked);
        scope.finish(Code::ok, Outcome::gateway);
        co_return reply(http, scope, {200, "", "", ""}, extra);
    }
    api::Asked asked{method, path, {}, found.allow, any_model(*here.fleet)};
    if (!found.row) {
        scope.finish(found.code, Outcome::gateway);
        co_return reply(http, scope, api::error_reply(options_.api, *Failure(found.code, ""), asked), extra);
    }
    bool draining = draining_.load(std::memory_order_relaxed);
    uint32_t workers = static_cast<uint32_t>(here.fleet->workers());
    std::vector<api::ModelInfo> models;
    for (auto& m : here.fleet->models()) models.push_back({m, here.core.clock().wall() / 1'000, context_of(*here.fleet, m)});
    std::shared_ptr<const DynamoSite::Instances> announced = dynamo_ ? dynamo_->instances() : nullptr;
    std::vector<api::InstanceInfo> instances;
    if (announced)
        for (auto& i : *announced)
            instances.push_back({i.endpoint.name, i.endpoint.component, i.endpoint.ns, i.id, i.address, i.plane == DynamoInstance::nats ? "nats_tcp" : "tcp",
                                 i.device, name(i.codec)});
    api::Standing standing{draining, workers + static_cast<uint32_t>(here.fleet->pending()), workers, instances};
    api::Reply r;
    switch (found.row->endpoint) {
    case api::Endpoint::models: r = api::models_reply(options_.api, models); break;
    case api::Endpoint::model: {
        Arena arena;
        r = api::model_reply(options_.api, models, api::model_of_path(found.rest, arena), asked);
        break;
    }
    case api::Endpoint::health: r = api::health_reply(options_.api, standing); break;
    case api::Endpoint::live:
    case api::Endpoint::liveness: r = api::live_reply(options_.api, standing); break;
    case api::Endpoint::readiness: r = api::readiness_reply(options_.api, standing); break;
    case api::Endpoint::metrics:
        r.content_type = options_.api.dialect == Dialect::frontend ? metrics_type_frontend : metrics_type_launch;
        metrics_.render(r.body);
        break;
    case api::Endpoint::openapi: r = api::openapi_reply(options_.api, *routes_); break;
    default: r = api::docs_reply(options_.api, *routes_, found.rest, http.head().headers.get("accept-encoding"), asked); break;
    }
    scope.finish(r.status < 400 ? Code::ok : r.status == 404 ? Code::model_unknown : Code::not_ready, Outcome::gateway);
    reply(http, scope, r, extra);
}

}  // namespace weir
