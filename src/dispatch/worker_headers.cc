#include "dispatch/worker_headers.h"

#include <cstring>

namespace weir::dispatch {
namespace {

bool starts_with(std::string_view name, std::string_view lower) {
    return name.size() >= lower.size() && same_ignoring_case(name.substr(0, lower.size()), lower);
}

// By length first: most fields fall through after one comparison of integers.
bool for_worker(std::string_view name) {
    switch (name.size()) {
    case 6: return same_ignoring_case(name, "accept");
    case 10: return same_ignoring_case(name, "tracestate");
    case 11: return same_ignoring_case(name, "traceparent");
    case 12: if (same_ignoring_case(name, "content-type")) return true; break;
    case 13: if (same_ignoring_case(name, "authorization")) return true; break;
    case 16: if (same_ignoring_case(name, "x-correlation-id")) return true; break;
    case 17: if (same_ignoring_case(name, "x-smg-routing-key")) return true; break;
    default: break;
    }
    return starts_with(name, "x-weir-") || starts_with(name, "x-request-id-");
}

bool stays(std::string_view name) {   // hop-by-hop, and what the server writes itself
    switch (name.size()) {
    case 2: return same_ignoring_case(name, "te");
    case 7: return same_ignoring_case(name, "trailer") || same_ignoring_case(name, "upgrade");
    case 10: return same_ignoring_case(name, "connection") || same_ignoring_case(name, "keep-alive");
    case 12: return same_ignoring_case(name, "x-request-id");
    case 14: return same_ignoring_case(name, "content-length");
    case 16: return same_ignoring_case(name, "proxy-connection");
    case 17: return same_ignoring_case(name, "transfer-encoding");
    case 18: return same_ignoring_case(name, "proxy-authenticate");
    default: return false;
    }
}

bool listed(const HeadersView& headers, std::string_view name) {
    for (auto& h : headers) {
        if (!same_ignoring_case(h.name, "connection")) continue;
        for (std::string_view rest = h.value; !rest.empty();) {
            size_t comma = rest.find(',');
            std::string_view one = rest.substr(0, comma);
            rest = comma == std::string_view::npos ? std::string_view{} : rest.substr(comma + 1);
            while (!one.empty() && (one.front() == ' ' || one.front() == '\t')) one.remove_prefix(1);
            while (!one.empty() && (one.back() == ' ' || one.back() == '\t')) one.remove_suffix(1);
            if (one.size() == name.size() && strncasecmp(one.data(), name.data(), one.size()) == 0) return true;
        }
    }
    return false;
}

}  // namespace

void append_worker_lines(std::string& out, const HeadersView& client, std::string_view request_id) {
    for (auto& h : client)
        if (for_worker(h.name)) append_header(out, h.name, h.value);
    if (!request_id.empty()) append_header(out, "x-request-id", request_id);
}

bool append_client_lines(std::string& out, const ResponseHead& worker) {
    bool date = false;
    for (auto& h : worker.headers) {
        if (stays(h.name)) continue;
        if (worker.connection_lists && listed(worker.headers, h.name)) continue;
        if (h.name.size() == 4 && same_ignoring_case(h.name, "date")) date = true;
        append_header(out, h.name, h.value);
    }
    return date;
}

}  // namespace weir::dispatch
