#include <algorithm>
#include <charconv>

#include "wire/chars.h"
#include "wire/http1.h"

namespace weir {

bool same_ignoring_case(std::string_view text, std::string_view lower) {
    if (text.size() != lower.size()) return false;
    for (size_t i = 0; i < text.size(); ++i)
        if (chars::lower(text[i]) != lower[i]) return false;
    return true;
}

std::string_view HeadersView::get(std::string_view lower_name) const {
    for (const Header& h : *this)
        if (same_ignoring_case(h.name, lower_name)) return h.value;
    return {};
}

bool HeadersView::has(std::string_view lower_name) const {
    return std::any_of(begin(), end(), [&](const Header& h) { return same_ignoring_case(h.name, lower_name); });
}

void append_chunk_head(std::string& out, size_t n) {
    char text[18];
    char* end = std::to_chars(text, text + 16, n, 16).ptr;
    *end++ = '\r', *end++ = '\n';
    out.append(text, static_cast<size_t>(end - text));
}

void append_chunk(std::string& out, std::string_view payload) {
    if (payload.empty()) return;   // an empty chunk would end the body
    append_chunk_head(out, payload.size());
    out.append(payload);
    out.append("\r\n");
}

std::string_view reason_phrase(int status) {
    switch (status) {
        case 100: return "Continue";
        case 101: return "Switching Protocols";
        case 200: return "OK";
        case 201: return "Created";
        case 202: return "Accepted";
        case 204: return "No Content";
        case 206: return "Partial Content";
        case 301: return "Moved Permanently";
        case 302: return "Found";
        case 304: return "Not Modified";
        case 307: return "Temporary Redirect";
        case 308: return "Permanent Redirect";
        case 400: return "Bad Request";
        case 401: return "Unauthorized";
        case 403: return "Forbidden";
        case 404: return "Not Found";
        case 405: return "Method Not Allowed";
        case 406: return "Not Acceptable";
        case 408: return "Request Timeout";
        case 409: return "Conflict";
        case 410: return "Gone";
        case 411: return "Length Required";
        case 412: return "Precondition Failed";
        case 413: return "Payload Too Large";
        case 414: return "URI Too Long";
        case 415: return "Unsupported Media Type";
        case 417: return "Expectation Failed";
        case 421: return "Misdirected Request";
        case 422: return "Unprocessable Entity";
        case 425: return "Too Early";
        case 426: return "Upgrade Required";
        case 429: return "Too Many Requests";
        case 431: return "Request Header Fields Too Large";
        case 499: return "Client Closed Request";
        case 500: return "Internal Server Error";
        case 501: return "Not Implemented";
        case 502: return "Bad Gateway";
        case 503: return "Service Unavailable";
        case 504: return "Gateway Timeout";
        case 505: return "HTTP Version Not Supported";
        case 529: return "Overloaded";
        default: return "Unknown";
    }
}

void append_status_line(std::string& out, int status) {
    const char digits[] = {static_cast<char>('0' + status / 100 % 10), static_cast<char>('0' + status / 10 % 10),
                           static_cast<char>('0' + status % 10), ' '};
    out.append("HTTP/1.1 ").append(digits, sizeof digits).append(reason_phrase(status)).append("\r\n");
}

void append_header(std::string& out, std::string_view name, std::string_view value) {
    out.append(name).append(": ").append(value).append("\r\n");
}

bool is_token(std::string_view text) {
    return !text.empty() && std::all_of(text.begin(), text.end(), [](char c) { return chars::is(c, chars::token); });
}

bool is_field_value(std::string_view text) {
    return chars::find_control(text.data(), text.data() + text.size()) == text.data() + text.size();
}

}  // namespace weir
