// Inside the HTTP/1 head parser: the reader's position, and what the header lines of a request or response said. Not for others.
#pragma once
#include "wire/chars.h"
#include "wire/http1.h"

namespace weir::http1 {

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

inline const char* find_not(const char* p, const char* end, uint8_t bits) {
    while (p < end && chars::is(*p, bits)) ++p;
    return p;
}

// Reads header lines up to and with the empty line; every line is checked, the framing fields are noted in `f`.
Parse field_lines(Reader& r, Fields& f, HeaderSpace& space, HeadersView& out);

bool good_percents(std::string_view text);    // every '%' begins an escape
bool good_authority(std::string_view text);   // uri-host [":" port], without user info

}  // namespace weir::http1
