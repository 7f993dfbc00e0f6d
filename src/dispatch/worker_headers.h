// Which header fields cross the gateway, in both directions. Everything else stays where it came from.
#pragma once
#include <string>
#include <string_view>

#include "wire/http1.h"

namespace weir::dispatch {

// Appends the client's fields that workers may see (facts of SMG's allow-list: authorization, content-type, accept, tracing, routing
// key, request ids; and weir's own x-weir-*), then x-request-id. Each as "name: value\r\n".
void append_worker_lines(std::string& out, const HeadersView& client, std::string_view request_id);

// Appends the worker's end-to-end fields: all but hop-by-hop ones, framing, and those named in its Connection field.
// Returns whether a date field was among them.
bool append_client_lines(std::string& out, const ResponseHead& worker);

}  // namespace weir::dispatch
