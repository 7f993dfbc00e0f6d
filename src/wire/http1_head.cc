#include <algorithm>
#include <cstring>

#include "wire/http1_lines.h"

namespace weir {
namespace http1 {
namespace {

using chars::is;

constexpr size_t method_bytes_max = 32;
constexpr int empty_lines_max = 2;   // before a request line, RFC 9112 2.2

// "HTTP/1.0" or "HTTP/1.1" at p, eight bytes there.
Parse version(Reader& r, const char* p, uint8_t& minor) {
    const bool shape = std::memcmp(p, "HTTP/", 5) == 0 && is(p[5], chars::digit) && p[6] == '.' && is(p[7], chars::digit);
    if (!shape) return r.fail(400, "bad HTTP version");
    if (p[5] != '1' || p[7] > '1') return r.fail(505, "HTTP version not supported");
    minor = static_cast<uint8_t>(p[7] - '0');
    return Parse::done;
}

Parse split_path(Reader& r, RequestHead& out, std::string_view path) {
    if (!good_percents(path)) return r.fail(400, "bad percent-encoding in the target");
    const size_t question = path.find('?');
    out.path = path.substr(0, question);
    out.query = question == std::string_view::npos ? std::string_view{} : path.substr(question + 1);
    return Parse::done;
}

// The four forms of RFC 9112 3.2.
Parse read_target(Reader& r, RequestHead& out) {
    const std::string_view t = out.target;
    if (out.method == "CONNECT") return r.fail(501, "CONNECT is not supported");
    if (t.front() == '/') return split_path(r, out, t);
    if (t == "*") {
        if (out.method != "OPTIONS") return r.fail(400, "'*' is a target for OPTIONS only");
        out.path = t;
        return Parse::done;
    }
    const size_t scheme = t.find("://");
    if (scheme == std::string_view::npos) return r.fail(400, "bad request target");
    if (!same_ignoring_case(t.substr(0, scheme), "http") && !same_ignoring_case(t.substr(0, scheme), "https"))
        return r.fail(400, "unknown scheme in the target");
    const std::string_view rest = t.substr(scheme + 3);
    const size_t slash = rest.find_first_of("/?");
    out.host = rest.substr(0, slash);
    if (!good_authority(out.host)) return r.fail(400, "bad authority in the target");
    if (slash == std::string_view::npos) {
        out.path = out.method == "OPTIONS" ? "*" : "/";
        return Parse::done;
    }
    if (const Parse split = split_path(r, out, rest.substr(slash)); split != Parse::done) return split;
    if (out.path.empty()) out.path = "/";   // "http://host?query"
    return Parse::done;
}

Parse request_line(Reader& r, RequestHead& out) {
    const char* method = r.p;
    const char* space = find_not(method, r.end, chars::token);
    const size_t method_len = static_cast<size_t>(space - method);
    if (method_len > method_bytes_max) return r.fail(501, "method too long");
    if (space == r.end) return Parse::need_more;
    if (*space != ' ' || method_len == 0) return r.fail(400, "bad method");
    out.method = {method, method_len};
    const char* target = space + 1;
    const char* stop = find_not(target, r.end, chars::target);
    const size_t target_len = static_cast<size_t>(stop - target);
    if (target_len > limits::uri_bytes_max) return r.fail(414, "request target too long");
    if (stop == r.end) return Parse::need_more;
    if (*stop == '\r' || *stop == '\n') return r.fail(400, target_len == 0 ? "no request target" : "no HTTP version");
    if (*stop != ' ') return r.fail(400, *stop == '#' ? "fragment in the target" : "bad character in the target");
    if (target_len == 0) return r.fail(400, "more than one space in the request line");
    out.target = {target, target_len};
    const char* v = stop + 1;
    const char* v_end = v;
    while (v_end < r.end && v_end - v < 8 && *v_end != '\r' && *v_end != '\n') ++v_end;
    if (v_end - v < 8) return v_end == r.end ? Parse::need_more : r.fail(400, "bad HTTP version");
    if (const Parse ver = version(r, v, out.minor); ver != Parse::done) return ver;
    r.p = v_end;
    if (const Parse line = r.crlf("bad end of the request line"); line != Parse::done) return line;
    return read_target(r, out);
}

Parse skip_empty_lines(Reader& r) {
    for (int n = 0; r.p < r.end && *r.p == '\r'; ++n) {
        if (n == empty_lines_max) return r.fail(400, "empty lines before the request");
        if (const Parse line = r.crlf(""); line != Parse::done) return line;
    }
    return Parse::done;
}

// After all lines: do the framing fields fit together?
Parse settle_request(Reader& r, const Fields& f, RequestHead& out) {
    if (!f.has_host && out.minor == 1) return r.fail(400, "no Host");
    if (out.host.empty()) out.host = f.host;
    if (f.has_coding) {
        if (out.minor == 0) return r.fail(400, "Transfer-Encoding in HTTP/1.0");
        if (f.has_length) return r.fail(400, "both Content-Length and Transfer-Encoding");
        if (!f.coding_known) return r.fail(501, "unknown Transfer-Encoding");
        out.body = BodyKind::chunked;
    } else if (f.length > 0) {
        out.body = BodyKind::length;
        out.content_length = f.length;
    }
    out.keep_alive = !f.close && (out.minor == 1 || f.keep_alive);
    out.expect_continue = f.expect && out.minor == 1 && out.body != BodyKind::none;
    out.connection_lists = f.lists;
    return Parse::done;
}

Parse settle_response(Reader& r, const Fields& f, bool head_request, ResponseHead& out) {
    if (f.has_coding) {
        if (out.minor == 0) return r.fail(502, "Transfer-Encoding in HTTP/1.0");
        if (f.has_length) return r.fail(502, "both Content-Length and Transfer-Encoding");
        if (!f.coding_known) return r.fail(502, "unknown Transfer-Encoding");
    }
    out.keep_alive = !f.close && (out.minor == 1 || f.keep_alive);
    out.connection_lists = f.lists;
    if (head_request || out.status < 200 || out.status == 204 || out.status == 304) out.body = BodyKind::none;
    else if (f.has_coding) out.body = BodyKind::chunked;
    else if (f.has_length) {
        out.body = f.length > 0 ? BodyKind::length : BodyKind::none;
        out.content_length = f.length;
    } else {
        out.body = BodyKind::until_close;
        out.keep_alive = false;
    }
    return Parse::done;
}

Parse status_line(Reader& r, ResponseHead& out) {
    static constexpr std::string_view shape = "HTTP/1.x ";
    const size_t have = static_cast<size_t>(r.end - r.p);
    if (std::memcmp(r.p, shape.data(), std::min<size_t>(have, 5)) != 0) return r.fail(502, "not an HTTP response");
    constexpr size_t fixed = 13;   // version, space, three digits, and the byte behind them
    if (std::memchr(r.p, '\n', std::min(have, fixed))) return r.fail(502, "bad status line");
    if (have < fixed) return Parse::need_more;
    if (const Parse ver = version(r, r.p, out.minor); ver != Parse::done) return ver;
    const char* s = r.p + 9;
    const bool digits = is(s[0], chars::digit) && is(s[1], chars::digit) && is(s[2], chars::digit);
    if (s[-1] != ' ' || !digits) return r.fail(502, "bad status line");
    out.status = (s[0] - '0') * 100 + (s[1] - '0') * 10 + (s[2] - '0');
    if (out.status < 100 || out.status > 599) return r.fail(502, "bad status code");
    const char* reason = s + 3;
    if (*reason == ' ') ++reason;   // some servers leave the space out when there is no reason
    else if (*reason != '\r') return r.fail(502, "bad status line");
    r.p = chars::find_control(reason, r.end);
    out.reason = {reason, static_cast<size_t>(r.p - reason)};
    return r.crlf("control character in the status line");
}

// A head is looked for in the first header_bytes_max bytes only, so the answer does not depend on how much came behind it.
Reader reader(std::string_view bytes, BadHead& bad, bool response) {
    return {bytes.data(), bytes.data() + std::min(bytes.size(), limits::header_bytes_max), bytes.data(), bad, response};
}

Parse bound(Reader& r, Parse result, uint32_t& head_bytes) {
    if (result == Parse::done) head_bytes = static_cast<uint32_t>(r.p - r.begin);
    const bool full = static_cast<size_t>(r.end - r.begin) == limits::header_bytes_max;
    return result == Parse::need_more && full ? r.fail(431, "head too large") : result;
}

Parse request(Reader& r, HeaderSpace& space, RequestHead& out) {
    if (const Parse skip = skip_empty_lines(r); skip != Parse::done) return skip;
    if (const Parse line = request_line(r, out); line != Parse::done) return line;
    Fields f;
    if (const Parse lines = field_lines(r, f, space, out.headers); lines != Parse::done) return lines;
    return settle_request(r, f, out);
}

Parse response(Reader& r, bool head_request, HeaderSpace& space, ResponseHead& out) {
    if (const Parse line = status_line(r, out); line != Parse::done) return line;
    Fields f;
    if (const Parse lines = field_lines(r, f, space, out.headers); lines != Parse::done) return lines;
    return settle_response(r, f, head_request, out);
}

// True when a parse can tell something new: the end of the head may be there, a line is broken, or few lines were tried yet.
bool worth_parsing(std::string_view bytes, HeadCursor& cursor) {
    constexpr uint32_t eager_tries = 4;   // the request line should be judged as soon as it is complete
    size_t from = cursor.scanned;
    cursor.scanned = static_cast<uint32_t>(bytes.size());
    if (from == 0 || bytes.size() >= limits::header_bytes_max) return true;
    while (const void* hit = from < bytes.size() ? std::memchr(bytes.data() + from, '\n', bytes.size() - from) : nullptr) {
        const size_t at = static_cast<size_t>(static_cast<const char*>(hit) - bytes.data());
        const bool bare = at == 0 || bytes[at - 1] != '\r';
        const bool blank_line = at >= 3 && bytes[at - 2] == '\n';
        if (bare || blank_line || cursor.tries < eager_tries) return true;
        from = at + 1;
    }
    return cursor.tries < 2 * eager_tries && bytes.size() <= 64;   // garbage in the first bytes shows without a line end
}

}  // namespace
}  // namespace http1

Parse parse_request_head(std::string_view bytes, HeaderSpace& space, RequestHead& out, BadHead& bad) {
    http1::Reader r = http1::reader(bytes, bad, false);
    out = {};
    return http1::bound(r, http1::request(r, space, out), out.head_bytes);
}

Parse parse_request_head(std::string_view bytes, HeaderSpace& space, RequestHead& out, BadHead& bad, HeadCursor& cursor) {
    if (!http1::worth_parsing(bytes, cursor)) return Parse::need_more;
    ++cursor.tries;
    return parse_request_head(bytes, space, out, bad);
}

Parse parse_response_head(std::string_view bytes, bool head_request, HeaderSpace& space, ResponseHead& out, BadHead& bad) {
    http1::Reader r = http1::reader(bytes, bad, true);
    out = {};
    return http1::bound(r, http1::response(r, head_request, space, out), out.head_bytes);
}

Parse parse_response_head(std::string_view bytes, bool head_request, HeaderSpace& space, ResponseHead& out, BadHead& bad,
                          HeadCursor& cursor) {
    if (!http1::worth_parsing(bytes, cursor)) return Parse::need_more;
    ++cursor.tries;
    return parse_response_head(bytes, head_request, space, out, bad);
}

}  // namespace weir
