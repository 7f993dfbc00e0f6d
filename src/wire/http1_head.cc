#include <algorithm>
#include <cstring>

#include "wire/chars.h"
#include "wire/http1.h"

namespace weir {
namespace {

using chars::is;

constexpr size_t method_bytes_max = 32;
constexpr int empty_lines_max = 2;   // before a request line, RFC 9112 2.2

struct Fields {                      // what the framing fields of one head said, requests and responses alike
    std::string_view host;
    uint64_t length = 0;
    bool has_length = false, has_coding = false, coding_known = false, has_host = false;
    bool close = false, keep_alive = false, lists = false, expect = false;
};

struct Reader {                      // position in the bytes, and the first thing that was wrong
    const char* p;
    const char* end;
    const char* begin;
    BadHead& bad;
    bool response = false;

    Parse fail(int status, const char* why) {
        bad = {response ? 502 : status, why};
        return Parse::bad;
    }
    // At '\r' expects CRLF and steps behind it.
    Parse crlf(const char* why) {
        if (p == end) return Parse::need_more;
        if (*p != '\r') return fail(400, why);
        if (p + 1 == end) return Parse::need_more;
        if (p[1] != '\n') return fail(400, "CR without LF");
        p += 2;
        return Parse::done;
    }
};

const char* find_not(const char* p, const char* end, uint8_t bits) {
    while (p < end && is(*p, bits)) ++p;
    return p;
}

// 1*19 digits, so it always fits.
bool parse_length(std::string_view text, uint64_t& out) {
    if (text.empty() || text.size() > 19) return false;
    uint64_t n = 0;
    for (char c : text) {
        if (c < '0' || c > '9') return false;
        n = n * 10 + static_cast<uint64_t>(c - '0');
    }
    out = n;
    return true;
}

template <class Each>   // each comma-separated element, blanks trimmed; stops when Each says false
bool each_element(std::string_view list, Each each) {
    for (;;) {
        const size_t comma = list.find(',');
        if (!each(chars::trim_blanks(list.substr(0, comma)))) return false;
        if (comma == std::string_view::npos) return true;
        list.remove_prefix(comma + 1);
    }
}

Parse take_length(Reader& r, Fields& f, std::string_view value) {
    auto one = [&](std::string_view text) {
        uint64_t n = 0;
        if (!parse_length(text, n) || (f.has_length && f.length != n)) return false;
        f.length = n;
        return f.has_length = true;
    };
    if (!r.response && f.has_length) return r.fail(400, "more than one Content-Length");
    if (r.response ? each_element(value, one) : one(value)) return Parse::done;   // RFC 9110 8.6 lets a recipient fold equal ones
    return r.fail(400, "bad Content-Length");
}

Parse take_coding(Reader& r, Fields& f, std::string_view value) {
    if (f.has_coding) return r.fail(400, "more than one Transfer-Encoding");
    f.has_coding = true;
    if (same_ignoring_case(value, "chunked")) f.coding_known = true;
    else if (!is_token(value)) {
        bool final_chunked = false;   // a well-formed list that ends in chunked names a coding we lack; anything else is malformed
        const bool tokens = each_element(value, [&](std::string_view e) {
            const bool repeated = final_chunked;
            final_chunked = same_ignoring_case(e, "chunked");
            return is_token(e) && !repeated;
        });
        if (!tokens || !final_chunked) return r.fail(400, "bad Transfer-Encoding");
    }
    return Parse::done;
}

Parse take_connection(Fields& f, std::string_view value) {
    each_element(value, [&](std::string_view e) {
        if (same_ignoring_case(e, "close")) f.close = true;
        else if (same_ignoring_case(e, "keep-alive")) f.keep_alive = true;
        else if (!e.empty() && !same_ignoring_case(e, "upgrade")) f.lists = true;
        return true;
    });
    return Parse::done;
}

bool good_port(std::string_view port) {   // digits, may be empty (RFC 3986 3.2.3)
    if (port.size() > 5) return false;
    unsigned n = 0;
    for (char c : port) {
        if (!is(c, chars::digit)) return false;
        n = n * 10 + static_cast<unsigned>(c - '0');
    }
    return n <= 65535;
}

bool good_percents(std::string_view text) {
    for (size_t i = text.find('%'); i != std::string_view::npos; i = text.find('%', i + 1))
        if (i + 2 >= text.size() || !is(text[i + 1], chars::hex) || !is(text[i + 2], chars::hex)) return false;
    return true;
}

// uri-host [":" port], without userinfo.
bool good_authority(std::string_view text) {
    if (text.empty()) return false;
    if (text.front() == '[') {
        const size_t close = text.find(']');
        if (close == std::string_view::npos || close < 3) return false;
        for (char c : text.substr(1, close - 1))
            if (!is(c, chars::hex) && c != ':' && c != '.') return false;
        const std::string_view rest = text.substr(close + 1);
        return rest.empty() || (rest.front() == ':' && good_port(rest.substr(1)));
    }
    const char* stop = find_not(text.data(), text.data() + text.size(), chars::host);
    const size_t n = static_cast<size_t>(stop - text.data());
    if (n == 0 || !good_percents(text.substr(0, n))) return false;
    return n == text.size() || (text[n] == ':' && good_port(text.substr(n + 1)));
}

Parse take_host(Reader& r, Fields& f, std::string_view value) {
    if (f.has_host) return r.fail(400, "more than one Host");
    f.has_host = true;
    f.host = value;
    return good_authority(value) ? Parse::done : r.fail(400, "bad Host");
}

Parse take_expect(Reader& r, Fields& f, std::string_view value) {
    if (!same_ignoring_case(value, "100-continue")) return r.fail(417, "unknown expectation");
    f.expect = true;
    return Parse::done;
}

// Fields that decide about framing; everything else is only checked for its characters.
Parse take_field(Reader& r, Fields& f, std::string_view name, std::string_view value) {
    switch (name.size()) {
        case 4:
            if (!r.response && same_ignoring_case(name, "host")) return take_host(r, f, value);
            break;
        case 6:
            if (!r.response && same_ignoring_case(name, "expect")) return take_expect(r, f, value);
            break;
        case 10:
            if (same_ignoring_case(name, "connection")) return take_connection(f, value);
            break;
        case 14:
            if (same_ignoring_case(name, "content-length")) return take_length(r, f, value);
            break;
        case 17:
            if (same_ignoring_case(name, "transfer-encoding")) return take_coding(r, f, value);
            break;
        default: break;
    }
    return Parse::done;
}

Parse field_line(Reader& r, Fields& f, Header& out) {
    const char* name = r.p;
    const char* colon = find_not(name, r.end, chars::token);
    if (colon == r.end) return Parse::need_more;
    if (*colon != ':' || colon == name) {
        if (chars::is_blank(*name)) return r.fail(400, "folded header line");
        if (chars::is_blank(*colon)) return r.fail(400, "space before ':' in a header");
        return r.fail(400, colon == name && *colon == ':' ? "empty header name" : "bad character in a header name");
    }
    const char* value = colon + 1;
    r.p = chars::find_control(value, r.end);
    const char* stop = r.p;
    if (const Parse line = r.crlf("control character in a header value"); line != Parse::done) return line;
    while (value < stop && chars::is_blank(*value)) ++value;
    while (stop > value && chars::is_blank(stop[-1])) --stop;
    out = {{name, static_cast<size_t>(colon - name)}, {value, static_cast<size_t>(stop - value)}};
    return take_field(r, f, out.name, out.value);
}

Parse field_lines(Reader& r, Fields& f, HeaderSpace& space, HeadersView& out) {
    uint32_t n = 0;
    for (;;) {
        if (r.p == r.end) return Parse::need_more;
        if (*r.p == '\r') break;
        if (n == space.at.size()) return r.fail(431, "too many headers");
        if (const Parse line = field_line(r, f, space.at[n]); line != Parse::done) return line;
        ++n;
    }
    out = {space.at.data(), n};
    return r.crlf("bad end of the head");
}

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
    if (*stop == '\r' || *stop == '\n') return r.fail(400, target_len == 0 ? "no request target" : "no HTTP version");   // HTTP/0.9 too
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
    if (s[-1] != ' ' || !is(s[0], chars::digit) || !is(s[1], chars::digit) || !is(s[2], chars::digit)) return r.fail(502, "bad status line");
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
    if (result == Parse::need_more && static_cast<size_t>(r.end - r.begin) == limits::header_bytes_max) return r.fail(431, "head too large");
    return result;
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

Parse parse_request_head(std::string_view bytes, HeaderSpace& space, RequestHead& out, BadHead& bad) {
    Reader r = reader(bytes, bad, false);
    out = {};
    return bound(r, request(r, space, out), out.head_bytes);
}

Parse parse_request_head(std::string_view bytes, HeaderSpace& space, RequestHead& out, BadHead& bad, HeadCursor& cursor) {
    if (!worth_parsing(bytes, cursor)) return Parse::need_more;
    ++cursor.tries;
    return parse_request_head(bytes, space, out, bad);
}

Parse parse_response_head(std::string_view bytes, bool head_request, HeaderSpace& space, ResponseHead& out, BadHead& bad) {
    Reader r = reader(bytes, bad, true);
    out = {};
    return bound(r, response(r, head_request, space, out), out.head_bytes);
}

Parse parse_response_head(std::string_view bytes, bool head_request, HeaderSpace& space, ResponseHead& out, BadHead& bad,
                          HeadCursor& cursor) {
    if (!worth_parsing(bytes, cursor)) return Parse::need_more;
    ++cursor.tries;
    return parse_response_head(bytes, head_request, space, out, bad);
}

}  // namespace weir
