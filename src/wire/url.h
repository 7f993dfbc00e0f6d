// Addresses of workers, strictly; percent-decoding and query parameters of requests.
#pragma once
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/result.h"

namespace weir {

struct WorkerUrl {
    enum class Scheme : uint8_t { http, https, grpc, grpcs, unix_http } scheme = Scheme::http;
    std::string host;            // name or IP address, lower case, without brackets; empty for unix_http
    uint16_t port = 0;           // always set for the others: 80, 443, 50051 for grpc(s) unless given
    bool is_ipv6 = false;
    bool scheme_given = true;    // "host:8000" is taken as http, a prober may try grpc too
    std::string path;            // prefix for request paths, without a slash at its end ("/base"); the socket's path for unix_http
    bool tls() const { return scheme == Scheme::https || scheme == Scheme::grpcs; }
    // For the Host field: "host", "host:8080", "[::1]:81"; the default port of http(s) is left out; "localhost" for a socket.
    std::string authority() const;
    std::string text() const;        // normal form: equal addresses have equal text
};

// http://host[:port][/prefix], https://, grpc://, grpcs://, unix:/path or unix:///path, host:port. No user info, query, fragment,
// blanks or control characters; ports 1..65535. Failure: Code::bad_field, says what is wrong with which URL.
Result<WorkerUrl> parse_worker_url(std::string_view text);

bool is_ipv4(std::string_view text);   // dotted, four decimal numbers, no leading zeros
bool is_ipv6(std::string_view text);   // RFC 4291 text form, without brackets and zone

// False when an escape is malformed or decodes to NUL. '+' stays '+' unless `plus_is_blank` (query strings).
bool percent_decode(std::string_view text, std::string& out, bool plus_is_blank = false);
// The decoded value of a query parameter, the first one; "a" and "a=" both give "". nullopt: absent or malformed.
std::optional<std::string> query_value(std::string_view query, std::string_view name);

}  // namespace weir
