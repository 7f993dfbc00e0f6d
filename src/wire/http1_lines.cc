#include "wire/http1_lines.h"

namespace weir::http1 {
namespace {

using chars::is;

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
        // A well-formed list that ends in chunked names a coding that we lack; anything else is malformed.
        bool final_chunked = false;
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

}  // namespace

bool good_percents(std::string_view text) {
    for (size_t i = text.find('%'); i != std::string_view::npos; i = text.find('%', i + 1))
        if (i + 2 >= text.size() || !is(text[i + 1], chars::hex) || !is(text[i + 2], chars::hex)) return false;
    return true;
}

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

namespace {

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

}  // namespace

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

}  // namespace weir::http1
