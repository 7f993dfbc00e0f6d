#include <array>

#include "base/assert.h"
#include "config/options/rows.h"

namespace weir::config {

std::span<const Area> areas() {
    static const Area list[] = {
        {"listen", "Listening", listen_rows()},
        {"paths", "Endpoint paths", paths_rows()},
        {"tls", "TLS", tls_rows()},
        {"workers", "Workers", workers_rows()},
        {"discovery", "Discovery", discovery_rows()},
        {"planes", "Dynamo planes", planes_rows()},
        {"router", "Routing", router_rows()},
        {"kv", "KV-aware routing", kv_rows()},
        {"policies", "Policy settings", policies_rows()},
        {"disagg", "Disaggregation", disagg_rows()},
        {"limits", "Limits and timeouts", limits_rows()},
        {"admission", "Admission", admission_rows()},
        {"resilience", "Retries, breakers, health", resilience_rows()},
        {"api", "API", api_rows()},
        {"text", "Tokenizers, templates, parsers", text_rows()},
        {"hub", "Model files", hub_rows()},
        {"media", "Media", media_rows()},
        {"history", "History", history_rows()},
        {"mcp", "MCP and plug-ins", mcp_rows()},
        {"mesh", "Mesh", mesh_rows()},
        {"auth", "Keys and sign-in", auth_rows()},
        {"metrics", "Metrics", metrics_rows()},
        {"log", "Logs", log_rows()},
        {"trace", "Traces", trace_rows()},
        {"shutdown", "Shutdown", shutdown_rows()},
        {"run", "Process", run_rows()},
        {"epp", "Endpoint picker", epp_rows()},
        {"mocker", "Simulated engines", mocker_rows()},
    };
    return list;
}

size_t row_count() {
    static const size_t n = [] {
        size_t sum = 0;
        for (const Area& area : areas()) sum += area.rows.size();
        return sum;
    }();
    return n;
}

const Row& row_at(size_t index) {
    for (const Area& area : areas()) {
        if (index < area.rows.size()) return area.rows[index];
        index -= area.rows.size();
    }
    ASSERT(!"no such row");
}

size_t index_of(const Row& row) {
    size_t before = 0;
    for (const Area& area : areas()) {
        if (&row >= area.rows.data() && &row < area.rows.data() + area.rows.size()) return before + static_cast<size_t>(&row - area.rows.data());
        before += area.rows.size();
    }
    ASSERT(!"not a row of the table");
}

const Row* find_key(Str key) {
    const Str area_name = key.substr(0, key.find('.'));
    for (const Area& area : areas()) {
        if (area.name != area_name) continue;
        for (const Row& row : area.rows)
            if (row.key == key) return &row;
    }
    return nullptr;
}

}  // namespace weir::config
