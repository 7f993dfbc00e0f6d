// Answers that need no engine: models, health, readiness, the OpenAPI document and its page.
#pragma once
#include <span>
#include <string>

#include "api/error_body.h"
#include "api/table.h"

namespace weir::api {

struct ModelInfo { Str id; uint64_t created_s = 0; uint32_t context = 0; };
struct InstanceInfo {                    // frontend /health rows
    Str endpoint, component, namespace_;
    uint64_t id = 0;
    Str address, transport = {};         // transport: the member's name; empty: as the address begins
    Str device = {}, codec = {};         // empty: not said
};
struct Standing {                        // a snapshot, gathered by the caller
    bool draining = false;
    uint32_t workers_total = 0, workers_healthy = 0;
    std::span<const InstanceInfo> instances;
};

Reply models_reply(const Options&, std::span<const ModelInfo>);
Reply model_reply(const Options&, std::span<const ModelInfo>, Str id, const Asked&);   // unknown: the dialect's 404
Reply health_reply(const Options&, const Standing&);
Reply live_reply(const Options&, const Standing&);        // /live and /liveness
Reply readiness_reply(const Options&, const Standing&);
Reply openapi_reply(const Options&, const Routes&);       // built from the rows, OpenAPI 3.0.3
// GET /docs and /docs/*: redirect, page, assets (Swagger UI, embedded). accept_encoding: of the request.
Reply docs_reply(const Options&, const Routes&, Str rest, Str accept_encoding, const Asked&);

}  // namespace weir::api
