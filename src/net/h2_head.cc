#include "net/h2_head.h"

#include <algorithm>

namespace weir {
namespace {

constexpr size_t field_overhead = 32;                             // of RFC 9113 6.5.2, for each field
constexpr size_t dropped_max = 8 * limits::header_bytes_max;      // decoding goes on for the compression state's sake; not for ever
thread_local HeaderSpace header_space;

// Keeps `space`'s headers beside the text they point into.
void keep_headers(H2Fields::Head& held, HeadersView& view) {
    held.headers.assign(view.begin(), view.end());
    view.data = held.headers.data();
}

bool refuse(BadHead& bad, int status, const char* why) {
    bad = {status, why};
    return false;
}

}  // namespace

bool is_connection_specific(std::string_view lower_name) {
    for (std::string_view n : {"connection", "transfer-encoding", "keep-alive", "upgrade", "proxy-connection", "content-length", "te"})
        if (lower_name == n) return true;
    return false;
}

void H2Fields::clear() {
    for (auto* s : {&method_, &authority_, &path_, &status_, &host_, &cookie_, &lines_}) s->clear();
    if (lines_.capacity() > limits::arena_chunk) std::string().swap(lines_);
    count_ = dropped_ = 0;
    expects_ = false;
}

bool H2Fields::add(std::string_view name, std::string_view value) {
    size_t bytes = name.size() + value.size() + field_overhead;
    if (dropped_ || count_ >= limits::headers_max || lines_.size() + path_.size() + cookie_.size() + bytes > limits::header_bytes_max) {
        dropped_ += bytes;
        return dropped_ <= dropped_max;
    }
    if (name.starts_with(':')) {
        if (name == ":method") method_ = value;
        else if (name == ":authority") authority_ = value;
        else if (name == ":path") path_ = value;
        else if (name == ":status") status_ = value;
        return true;
    }
    count_++;
    if (name == "host") {
        host_ = value;
    } else if (name == "cookie") {   // RFC 9113 8.2.3: its pieces are one field for whoever comes next
        cookie_.append(cookie_.empty() ? "" : "; ").append(value);
    } else {
        if (name == "expect") expects_ = true;
        append_header(lines_, name, value);
    }
    return true;
}

bool H2Fields::request(bool end_stream, Head& held, RequestHead& out, BadHead& bad) {
    if (path_.size() > limits::uri_bytes_max) return refuse(bad, 414, "the request target is too long");
    if (dropped_) return refuse(bad, 431, "too many header fields, or too large ones");
    if (method_ == "CONNECT") return refuse(bad, 501, "CONNECT is not supported");
    if (!authority_.empty() && !host_.empty() && authority_ != host_) return refuse(bad, 400, ":authority and host differ");
    // Only origin form (or "*"): an absolute target belongs into :scheme and :authority.
    if (path_.empty() || (path_[0] != '/' && path_ != "*")) return refuse(bad, 400, "bad :path");
    const std::string& host = authority_.empty() ? host_ : authority_;
    std::string& text = held.text;
    text.clear();
    text.reserve(method_.size() + path_.size() + host.size() + cookie_.size() + lines_.size() + 64);
    text.append(method_).append(" ").append(path_).append(" HTTP/1.1\r\nhost: ").append(host).append("\r\n").append(lines_);
    if (!cookie_.empty()) append_header(text, "cookie", cookie_);
    text.append("\r\n");
    if (parse_request_head(text, header_space, out, bad) != Parse::done) return bad.status ? false : refuse(bad, 400, "bad header fields");
    if (host.empty()) return refuse(bad, 400, "neither :authority nor host");
    keep_headers(held, out.headers);
    out.keep_alive = true;
    if (out.body == BodyKind::none && !end_stream) out.body = BodyKind::chunked;   // of unknown length
    if (end_stream) out.body = BodyKind::none;
    out.expect_continue = expects_ && !end_stream;
    return true;
}

bool H2Fields::response(bool end_stream, bool head_request, Head& held, ResponseHead& out, BadHead& bad) {
    if (dropped_) return refuse(bad, 502, "too many header fields, or too large ones");
    if (status_.empty()) return refuse(bad, 502, "no :status");
    std::string& text = held.text;
    text.clear();
    text.append("HTTP/1.1 ").append(status_).append(" \r\n").append(lines_);
    if (!host_.empty()) append_header(text, "host", host_);
    if (!cookie_.empty()) append_header(text, "cookie", cookie_);
    text.append("\r\n");
    if (parse_response_head(text, head_request, header_space, out, bad) != Parse::done)
        return bad.status ? false : refuse(bad, 502, "bad header fields");
    keep_headers(held, out.headers);
    out.keep_alive = true;
    if (end_stream) out.body = BodyKind::none;
    else if (out.body == BodyKind::until_close) out.body = BodyKind::chunked;   // of unknown length
    return true;
}

}  // namespace weir
