#include "api/answers.h"

#include <set>

#include "wire/json_write.h"

namespace weir::api {
namespace {

Reply json(int status, std::string body) {
    Reply r;
    r.status = status;
    r.content_type = "application/json";
    r.body = std::move(body);
    return r;
}

void put_model(const Options& options, const ModelInfo& m, JsonWriter& w) {
    bool frontend = options.dialect == Dialect::frontend;
    w.object().member("id", m.id).member("object", "model").member("created", frontend ? m.created_s : 0);
    w.member("owned_by", frontend ? "nvidia" : "self_hosted");
    if (frontend) w.member("context_window", m.context);
    w.end_object();
}

}  // namespace

Reply models_reply(const Options& options, std::span<const ModelInfo> models) {
    if (models.empty() && options.dialect == Dialect::launch) {
        Reply r = json(503, R"({"error":{"type":"server_error","code":"no_models_available","message":"No models available","param":null}})");
        r.headers = "x-smg-error-code: no_models_available\r\n";
        return r;
    }
    std::string body;
    JsonWriter w(body);
    w.object().member("object", "list").key("data").array();
    for (const ModelInfo& m : models) put_model(options, m, w);
    w.end_array().end_object();
    return json(200, std::move(body));
}

Reply model_reply(const Options& options, std::span<const ModelInfo> models, Str id, const Asked& asked) {
    for (const ModelInfo& m : models) {
        if (m.id != id) continue;
        std::string body;
        JsonWriter w(body);
        put_model(options, m, w);
        return json(200, std::move(body));
    }
    Asked with_model = asked;
    with_model.model = id;
    with_model.any_model_ever = true;
    FailureBody f;
    f.code = Code::model_unknown;
    return error_reply(options, f, with_model);
}

static void put_instances(const Standing& standing, JsonWriter& w) {
    w.key("endpoints").array();
    std::set<std::string> endpoints;
    for (const InstanceInfo& i : standing.instances)
        endpoints.insert("dyn://" + std::string(i.namespace_) + "." + std::string(i.component) + "." + std::string(i.endpoint));
    for (const std::string& e : endpoints) w.text(e);
    w.end_array().key("instances").array();
    for (const InstanceInfo& i : standing.instances) {
        w.object().member("component", i.component).member("endpoint", i.endpoint).member("namespace", i.namespace_).member("instance_id", i.id);
        const Str transport = !i.transport.empty() ? i.transport : i.address.starts_with("http") ? Str("http") : Str("tcp");
        w.key("transport").object().member(transport, i.address).end_object();
        if (!i.device.empty()) w.member("device_type", i.device);
        if (!i.codec.empty()) w.member("request_plane_codec", i.codec);
        w.end_object();
    }
    w.end_array();
}

Reply health_reply(const Options& options, const Standing& standing) {
    if (options.dialect == Dialect::launch) return live_reply(options, standing);
    std::string body;
    JsonWriter w(body);
    w.object().member("status", standing.draining ? "not_ready" : "healthy");
    if (standing.draining) w.member("stage", "draining");
    put_instances(standing, w);
    w.end_object();
    return json(standing.draining ? 503 : 200, std::move(body));
}

Reply live_reply(const Options& options, const Standing& standing) {
    if (options.dialect == Dialect::launch) {   // stays OK while draining; readiness is what tells a balancer to leave
        Reply r;
        r.content_type = "text/plain; charset=utf-8";
        r.body = "OK";
        return r;
    }
    if (standing.draining) return json(503, R"({"status":"shutting_down","message":"Service is shutting down"})");
    return json(200, R"({"status":"live","message":"Service is live"})");
}

Reply readiness_reply(const Options&, const Standing& standing) {
    if (standing.draining) return json(503, R"({"status":"not ready","reason":"draining"})");
    if (standing.workers_healthy == 0) return json(503, R"({"status":"not ready","reason":"insufficient healthy workers"})");
    std::string body;
    JsonWriter w(body);
    w.object().member("status", "ready").member("healthy_workers", standing.workers_healthy).member("total_workers", standing.workers_total).end_object();
    return json(200, std::move(body));
}

}  // namespace weir::api
