// Heads and bodies: no input may crash, be read differently when cut, or be accepted with anything in it that another parser could
// take for a line end or a second length. The first byte chooses what the rest is read as.
#include <cstdlib>

#include "wire/http1_body.cc"
#include "wire/http1_head.cc"
#include "wire/http1_lines.cc"
#include "wire/http1_write.cc"

#include "base/clock.h"

namespace {

using namespace weir;

void require(bool holds) {
    if (!holds) abort();
}

void check_lines(std::string_view head) {
    for (size_t i = 0; i < head.size(); ++i) {
        require(head[i] != '\0');
        require((head[i] == '\n') == (i > 0 && head[i - 1] == '\r'));
    }
    require(head.size() >= 4 && head.substr(head.size() - 4) == "\r\n\r\n");
}

template <class Head>
std::string show(Parse parse, const Head& h, const BadHead& bad) {
    if (parse == Parse::need_more) return "more";
    if (parse == Parse::bad) return "bad " + std::to_string(bad.status) + bad.why;
    std::string s = std::to_string(h.head_bytes) + " " + std::to_string(static_cast<int>(h.body)) + " ";
    s += std::to_string(h.content_length) + " " + std::to_string(h.keep_alive);
    for (const Header& f : h.headers) s.append(f.name).append("=").append(f.value).append("\n");
    return s;
}

Parse parse(std::string_view bytes, HeaderSpace& space, RequestHead& out, BadHead& bad, HeadCursor& cursor) {
    return parse_request_head(bytes, space, out, bad, cursor);
}
Parse parse(std::string_view bytes, HeaderSpace& space, ResponseHead& out, BadHead& bad, HeadCursor& cursor) {
    return parse_response_head(bytes, false, space, out, bad, cursor);
}

template <class Head>
std::string grown(std::string_view bytes, Random* random) {   // in one go, or as a connection that grows
    HeaderSpace space;
    Head out;
    BadHead bad;
    HeadCursor cursor;
    size_t have = random ? 0 : bytes.size();
    for (;;) {
        if (random) have = std::min(bytes.size(), have + 1 + random->below(1 + bytes.size() / 3));
        Parse p = parse(bytes.substr(0, have), space, out, bad, cursor);
        if (p == Parse::need_more && have < bytes.size()) continue;
        if (p == Parse::need_more && random) {   // the cursor may see a bad line later, never the end of a good head
            HeadCursor fresh;
            p = parse(bytes, space, out, bad, fresh);
            require(p != Parse::done);
        }
        if (p == Parse::done) {
            require(out.head_bytes <= have);
            check_lines(bytes.substr(0, out.head_bytes));
            require(!(out.headers.has("content-length") && out.headers.has("transfer-encoding")));
            for (const Header& f : out.headers) require(is_token(f.name) && is_field_value(f.value));
        }
        return show(p, out, bad);
    }
}

struct Bodied {
    std::string payload, end;
    bool operator==(const Bodied&) const = default;
};
Bodied decoded(std::string_view bytes, BodyKind kind, uint64_t length, Random* random, bool relay) {
    BodyFramer framer;
    framer.start(kind, length);
    Bodied out;
    size_t used = 0;
    while (used < bytes.size() && !framer.done() && !framer.bad()) {
        const std::string_view piece = bytes.substr(used, random ? 1 + random->below(1 + bytes.size() / 3) : bytes.size());
        std::string_view payload;
        const size_t n = relay ? framer.feed(piece) : framer.next(piece, payload);
        require(n <= piece.size() && (n > 0 || framer.done() || framer.bad()));
        out.payload += payload;
        used += n;
    }
    out.end = std::to_string(used) + (framer.done() ? "done" : framer.bad() ? "bad" : "more") + framer.why();
    return out;
}

void bodies(std::string_view bytes, BodyKind kind, uint64_t length, Random& random) {
    const Bodied whole = decoded(bytes, kind, length, nullptr, false);
    require(decoded(bytes, kind, length, &random, false) == whole);
    require(decoded(bytes, kind, length, nullptr, true).end == whole.end);
    require(decoded(bytes, kind, length, &random, true).end == whole.end);
    std::string again;
    append_chunk(again, whole.payload);
    again += last_chunk;
    require(decoded(again, BodyKind::chunked, 0, &random, false).payload == whole.payload);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
    if (size == 0) return 0;
    const std::string_view bytes(reinterpret_cast<const char*>(data) + 1, size - 1);
    Random random(size * 31 + data[0]);
    switch (data[0] % 4) {
        case 0: require(grown<RequestHead>(bytes, nullptr) == grown<RequestHead>(bytes, &random)); break;
        case 1: require(grown<ResponseHead>(bytes, nullptr) == grown<ResponseHead>(bytes, &random)); break;
        case 2: bodies(bytes, BodyKind::chunked, 0, random); break;
        default: bodies(bytes, BodyKind::length, data[0], random);
    }
    return 0;
}
