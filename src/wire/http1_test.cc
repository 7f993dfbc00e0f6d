#include "wire/http1.h"

#include <gtest/gtest.h>

#include "tests/support/split.h"

namespace weir {
namespace {

struct Parsed {
    Parse parse;
    RequestHead head;
    BadHead bad;
    HeaderSpace space;
};
std::unique_ptr<Parsed> request(std::string_view bytes) {
    auto p = std::make_unique<Parsed>();
    p->parse = parse_request_head(bytes, p->space, p->head, p->bad);
    return p;
}
int refused(std::string_view bytes) {   // the status, or 0 when it was not refused
    auto p = request(bytes);
    return p->parse == Parse::bad ? p->bad.status : 0;
}
std::string get(std::string_view lines) { return "GET /x HTTP/1.1\r\nHost: a\r\n" + std::string(lines) + "\r\n"; }

struct Answer {
    Parse parse;
    ResponseHead head;
    BadHead bad;
    HeaderSpace space;
};
std::unique_ptr<Answer> response(std::string_view bytes, bool head_request = false) {
    auto a = std::make_unique<Answer>();
    a->parse = parse_response_head(bytes, head_request, a->space, a->head, a->bad);
    return a;
}

TEST(RequestHead, ReadsAllParts) {
    const std::string bytes = "POST /v1/chat/completions?a=1&b HTTP/1.1\r\nHost: gw.local:8000\r\nContent-Type:application/json \t\r\n"
                              "X-Empty:\r\nContent-Length: 12\r\n\r\n{\"model\":1}\n";
    auto p = request(bytes);
    ASSERT_EQ(p->parse, Parse::done);
    const RequestHead& h = p->head;
    EXPECT_EQ(h.method, "POST");
    EXPECT_EQ(h.target, "/v1/chat/completions?a=1&b");
    EXPECT_EQ(h.path, "/v1/chat/completions");
    EXPECT_EQ(h.query, "a=1&b");
    EXPECT_EQ(h.host, "gw.local:8000");
    EXPECT_EQ(h.body, BodyKind::length);
    EXPECT_EQ(h.content_length, 12u);
    EXPECT_TRUE(h.keep_alive);
    EXPECT_EQ(bytes.size() - h.head_bytes, 12u);
    ASSERT_EQ(h.headers.size(), 4u);
    EXPECT_EQ(h.headers.get("content-type"), "application/json");
    EXPECT_TRUE(h.headers.has("x-empty"));
    EXPECT_EQ(h.headers.get("x-empty"), "");
    EXPECT_FALSE(h.headers.has("x-none"));
}

TEST(RequestHead, KeepAliveFollowsVersionAndConnection) {
    auto keeps = [](std::string_view bytes) { return request(bytes)->head.keep_alive; };
    EXPECT_TRUE(keeps(get("")));
    EXPECT_FALSE(keeps(get("Connection: close\r\n")));
    EXPECT_FALSE(keeps(get("Connection: Keep-Alive, CLOSE\r\n")));
    EXPECT_TRUE(keeps(get("Connection: closed\r\n")));
    EXPECT_FALSE(keeps("GET / HTTP/1.0\r\n\r\n"));
    EXPECT_TRUE(keeps("GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n"));
    EXPECT_TRUE(request(get("Connection: keep-alive, x-secret\r\n"))->head.connection_lists);
    EXPECT_FALSE(request(get("Connection: keep-alive, Upgrade\r\n"))->head.connection_lists);
}

TEST(RequestHead, TargetForms) {
    auto p = request("GET http://h.example:81/p?q HTTP/1.1\r\nHost: other\r\n\r\n");
    ASSERT_EQ(p->parse, Parse::done);
    EXPECT_EQ(p->head.path, "/p");
    EXPECT_EQ(p->head.query, "q");
    EXPECT_EQ(p->head.host, "h.example:81");
    EXPECT_EQ(request("GET http://[::1] HTTP/1.1\r\nHost: a\r\n\r\n")->head.path, "/");
    EXPECT_EQ(request("GET http://h?x=1 HTTP/1.1\r\nHost: a\r\n\r\n")->head.query, "x=1");
    EXPECT_EQ(request("OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n")->head.path, "*");
    EXPECT_EQ(request("GET /a?b?c HTTP/1.1\r\nHost: a\r\n\r\n")->head.query, "b?c");
    EXPECT_EQ(request("\r\n\r\nGET /late HTTP/1.1\r\nHost: a\r\n\r\n")->head.path, "/late");
}

TEST(RequestHead, ExpectContinueNeedsABody) {
    EXPECT_TRUE(request(get("Expect: 100-Continue\r\nContent-Length: 1\r\n"))->head.expect_continue);
    EXPECT_TRUE(request(get("Expect: 100-continue\r\nTransfer-Encoding: chunked\r\n"))->head.expect_continue);
    EXPECT_FALSE(request(get("Expect: 100-continue\r\n"))->head.expect_continue);
    EXPECT_FALSE(request("POST / HTTP/1.0\r\nContent-Length: 1\r\nExpect: 100-continue\r\n\r\n")->head.expect_continue);
}

TEST(RequestHead, BadLinesAreReportedBeforeTheHeadIsComplete) {
    EXPECT_EQ(refused("GET /\r\n"), 400);
    EXPECT_EQ(refused("GET / HTTP/1.1\n"), 400);
    EXPECT_EQ(refused("\x16\x03\x01"), 400);
    EXPECT_EQ(refused("GET / HTTP/1.1\r\nbad line\r\n"), 400);
    EXPECT_EQ(refused(std::string(40, 'A')), 501);
    EXPECT_EQ(refused("GET /" + std::string(limits::uri_bytes_max, 'a')), 414);
}

TEST(RequestHead, LimitsAreReachedExactly) {
    std::string head = "GET / HTTP/1.1\r\nHost: a\r\n";
    for (size_t i = 1; i < limits::headers_max; ++i) head += "x: y\r\n";
    EXPECT_EQ(request(head + "\r\n")->head.headers.size(), limits::headers_max);
    EXPECT_EQ(refused(head + "x: y\r\n\r\n"), 431);

    const std::string start = "GET / HTTP/1.1\r\nHost: a\r\nx: ";
    const std::string fits = start + std::string(limits::header_bytes_max - start.size() - 4, 'v') + "\r\n\r\n";
    EXPECT_EQ(request(fits)->parse, Parse::done);
    EXPECT_EQ(request(fits)->head.head_bytes, limits::header_bytes_max);
    EXPECT_EQ(refused(start + std::string(limits::header_bytes_max - start.size() - 3, 'v') + "\r\n\r\n"), 431);
    EXPECT_EQ(refused(start + std::string(limits::header_bytes_max, 'v')), 431);

    auto target = [](size_t n) { return "GET /" + std::string(n - 1, 'a') + " HTTP/1.1\r\nHost: a\r\n\r\n"; };
    EXPECT_EQ(request(target(limits::uri_bytes_max))->parse, Parse::done);
    EXPECT_EQ(refused(target(limits::uri_bytes_max + 1)), 414);
}

TEST(ResponseHead, BodyKinds) {
    auto kind = [](std::string_view lines, bool head = false) { return response("HTTP/1.1 " + std::string(lines) + "\r\n", head)->head.body; };
    EXPECT_EQ(kind("200 OK\r\nContent-Length: 5\r\n"), BodyKind::length);
    EXPECT_EQ(kind("200 OK\r\nContent-Length: 0\r\n"), BodyKind::none);
    EXPECT_EQ(kind("200 OK\r\nContent-Length: 5\r\n", true), BodyKind::none);
    EXPECT_EQ(kind("200 OK\r\nTransfer-Encoding: Chunked\r\n"), BodyKind::chunked);
    EXPECT_EQ(kind("200 OK\r\n"), BodyKind::until_close);
    EXPECT_EQ(kind("204 No Content\r\n"), BodyKind::none);
    EXPECT_EQ(kind("304 Not Modified\r\nContent-Length: 9\r\n"), BodyKind::none);
    EXPECT_EQ(kind("100 Continue\r\n"), BodyKind::none);
    EXPECT_FALSE(response("HTTP/1.1 200 OK\r\n\r\n")->head.keep_alive);
    EXPECT_TRUE(response("HTTP/1.1 204\r\n\r\n")->head.keep_alive);
    EXPECT_EQ(response("HTTP/1.1 200 \r\nContent-Length: 5, 5\r\nContent-Length: 5\r\n\r\n")->head.content_length, 5u);
    EXPECT_EQ(response("HTTP/1.1 418 I'm a teapot\r\nContent-Length: 1\r\n\r\n")->head.reason, "I'm a teapot");
}

TEST(ResponseHead, GarbageIsRefused) {
    for (std::string_view bytes : {
             "HTTP/1.1 99 x\r\n\r\n", "HTTP/1.1 600 x\r\n\r\n", "HTTP/1.1 2x0 x\r\n\r\n", "HTTP/1.1  200 OK\r\n\r\n", "HTTP/1.1 200OK\r\n\r\n",
             "HTTP/2.0 200 OK\r\n\r\n", "http/1.1 200 OK\r\n\r\n", "ICY 200 OK\r\n\r\n", "HTTP/1.1 200 OK\n\n", "HTTP/1.1\r\n",
             "HTTP/1.1 200 OK\r\nContent-Length: 5, 6\r\n\r\n", "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\n",
             "HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n", "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n",
             "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\n", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked, chunked\r\n\r\n",
             "HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", "HTTP/1.1 200 OK\r\nA: b\r\n c\r\n\r\n", "HTTP/1.1 200 OK\r\nA : b\r\n\r\n",
             "HTTP/1.1 200 O\x01K\r\n\r\n", "\r\nHTTP/1.1 200 OK\r\n\r\n", "<html>", "{}"}) {
        EXPECT_EQ(response(bytes)->parse, Parse::bad) << bytes;
        EXPECT_EQ(response(bytes)->bad.status, 502) << bytes;
    }
}

std::string show(const RequestHead& h) {
    std::string s = std::string(h.method) + " " + std::string(h.path) + " ? " + std::string(h.query) + " @ " + std::string(h.host);
    s += " " + std::to_string(h.minor) + std::to_string(static_cast<int>(h.body)) + std::to_string(h.keep_alive) + std::to_string(h.content_length);
    s += " " + std::to_string(h.head_bytes) + "\n";
    for (const Header& f : h.headers) s += std::string(f.name) + "=" + std::string(f.value) + "\n";
    return s;
}
std::string grow_head(std::span<const std::string_view> pieces, bool with_cursor) {   // as a server does: more and more bytes of one message
    HeaderSpace space;
    std::string so_far;
    HeadCursor cursor;
    for (std::string_view piece : pieces) {
        so_far += piece;
        const std::string exact(so_far.data(), so_far.size());
        RequestHead out;
        BadHead bad;
        const Parse p = with_cursor ? parse_request_head(exact, space, out, bad, cursor) : parse_request_head(exact, space, out, bad);
        if (p == Parse::done) return show(out);
        if (p == Parse::bad) return "bad " + std::to_string(bad.status) + " " + bad.why;
    }
    return "need more";
}

TEST(RequestHead, SplitsDoNotMatter) {
    for (std::string text : {get("A: b\r\nConnection: close\r\nContent-Length: 77\r\n"), "\r\n" + get(""), get("A : b\r\n"), get("A: b\r\n c\r\n"),
                             std::string("GET / HTTP/1.1\r\nHost: a\r\nX: y\n\r\n"), std::string("GET /a b HTTP/1.1\r\n\r\n"), get("X: \x01\r\n"),
                             std::string("GET / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nContent-Length: 1\r\n\r\nabc"),
                             std::string("GET / HTTP/1.1\r\rHost: a\r\n\r\n"), std::string("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"), get("Host: a\r\n")}) {
        for (bool with_cursor : {false, true})
            EXPECT_EQ(split::difference(text, [=](auto pieces) { return grow_head(pieces, with_cursor); }), "") << text;
    }
}

TEST(RequestHead, AHeadThatComesByteByByteCostsLinearTime) {
    const std::string bytes = get("x: " + std::string(60'000, 'v') + "\r\n");
    HeaderSpace space;
    RequestHead out;
    BadHead bad;
    HeadCursor cursor;
    for (size_t n = 1; n < bytes.size(); ++n)
        ASSERT_EQ(parse_request_head(std::string_view(bytes).substr(0, n), space, out, bad, cursor), Parse::need_more) << n;
    EXPECT_EQ(parse_request_head(bytes, space, out, bad, cursor), Parse::done);
    EXPECT_LT(cursor.tries, 16u);   // full parses; everything else only looked at the new bytes
}

std::string decode(std::span<const std::string_view> pieces, BodyKind kind, uint64_t length) {
    BodyFramer framer;
    framer.start(kind, length);
    std::string out;
    size_t used = 0;
    for (std::string_view piece : pieces) {
        while (!piece.empty() && !framer.done() && !framer.bad()) {
            std::string_view payload;
            const size_t n = framer.next(piece, payload);
            out += payload;
            used += n;
            if (n == 0 && payload.empty() && !framer.bad()) return "stuck";
            piece.remove_prefix(n);
        }
    }
    return out + "|" + std::to_string(used) + (framer.done() ? " done" : framer.bad() ? " bad " : " more") + framer.why();
}
std::string relay(std::span<const std::string_view> pieces, BodyKind kind, uint64_t length) {
    BodyFramer framer;
    framer.start(kind, length);
    size_t used = 0;
    for (std::string_view piece : pieces) {
        const size_t n = framer.feed(piece);
        used += n;
        if (n < piece.size()) break;
    }
    return std::to_string(used) + (framer.done() ? " done" : framer.bad() ? " bad " : " more") + framer.why();
}

TEST(BodyFramer, DecodesAndFindsTheEnd) {
    const std::string_view body = "5\r\nhello\r\n6;x=\"y;z\"\r\n world\r\n0\r\nTrailer: v\r\n\r\nGET /next";
    EXPECT_EQ(decode(std::span(&body, 1), BodyKind::chunked, 0), "hello world|46 done");
    EXPECT_EQ(relay(std::span(&body, 1), BodyKind::chunked, 0), "46 done");
    EXPECT_EQ(decode(std::span(&body, 1), BodyKind::length, 3), "5\r\n|3 done");
    EXPECT_EQ(relay(std::span(&body, 1), BodyKind::none, 0), "0 done");
    EXPECT_EQ(relay(std::span(&body, 1), BodyKind::until_close, 0), std::to_string(body.size()) + " more");
}

TEST(BodyFramer, SplitsDoNotMatter) {
    for (std::string_view body : {std::string_view("5\r\nhello\r\n10\r\n0123456789abcdef\r\n0\r\n\r\nrest"), std::string_view("0\r\nA: b\r\nC:\r\n\r\n"),
                                  std::string_view("1\r\nab\r\n"), std::string_view("5 \r\nhello\r\n"), std::string_view("2\r\nab\n0\r\n\r\n"),
                                  std::string_view("00000000000000001\r\na\r\n"), std::string_view("1;a=b;c\r\nx\r\n0;d\r\n\r\n")}) {
        EXPECT_EQ(split::difference(body, [](auto p) { return decode(p, BodyKind::chunked, 0); }), "") << body;
        EXPECT_EQ(split::difference(body, [](auto p) { return relay(p, BodyKind::chunked, 0); }), "") << body;
        EXPECT_EQ(split::difference(body, [](auto p) { return decode(p, BodyKind::length, 9); }), "") << body;
    }
}

TEST(BodyFramer, RefusesLooseChunks) {
    auto why = [](std::string_view body) {
        BodyFramer framer;
        framer.start(BodyKind::chunked, 0);
        framer.feed(body);
        return std::string(framer.why());
    };
    for (std::string_view body : {"\r\n", "x\r\n", "-1\r\n", "+1\r\n", "0x1\r\n", " 1\r\n", "1 \r\n", "1\n", "1\r\r", "1\r\nab", "1\r\na\n", "1\r\na\rb", ";\r\n",
                                  "1;\x01\r\n", "1;a\n", "1;a\rb", "0\r\n\n", "0\r\n\rx", "0\r\n a: b\r\n", "0\r\n: b\r\n", "0\r\na b: c\r\n",
                                  "0\r\na: \x01\r\n", "0\r\na: b\n", "0\r\na: b\rc", "4000000000000000\r\n", "ffffffffffffffff\r\n"})
        EXPECT_NE(why(body), "") << body;
    EXPECT_EQ(why("3fffffffffffffff\r\n"), "");
    EXPECT_EQ(why("1;" + std::string(limits::chunk_line_max - 2, 'e') + "\r\n"), "");
    EXPECT_EQ(why("1;" + std::string(limits::chunk_line_max - 1, 'e') + "\r\n"), "chunk extension too long");
    EXPECT_EQ(why("1;" + std::string(limits::chunk_line_max + 1, 'e')), "chunk extension too long");
    EXPECT_EQ(why("0\r\na: " + std::string(limits::trailer_bytes_max - 5, 't') + "\r\n\r\n"), "");
    EXPECT_EQ(why("0\r\na: " + std::string(limits::trailer_bytes_max - 4, 't') + "\r\n\r\n"), "trailers too large");
    EXPECT_EQ(why("0\r\na: " + std::string(limits::trailer_bytes_max, 't')), "trailers too large");
}

TEST(BodyFramer, FinishKnowsAProperEnd) {
    BodyFramer framer;
    framer.start(BodyKind::until_close, 0);
    framer.feed("abc");
    EXPECT_TRUE(framer.finish());
    framer.start(BodyKind::length, 4);
    framer.feed("abc");
    EXPECT_FALSE(framer.finish());
    EXPECT_TRUE(framer.bad());
    framer.start(BodyKind::chunked, 0);
    framer.feed("0\r\nT: v\r\n\r\n");
    EXPECT_TRUE(framer.finish());
    EXPECT_TRUE(framer.has_trailers());
}

TEST(Http1Write, ChunksRoundTrip) {
    std::string out;
    append_chunk(out, "hello");
    append_chunk(out, "");
    append_chunk(out, std::string(300, 'x'));
    out += last_chunk;
    const std::string_view view = out;
    EXPECT_EQ(out.substr(0, 15), "5\r\nhello\r\n12c\r\n");
    EXPECT_EQ(decode(std::span(&view, 1), BodyKind::chunked, 0), "hello" + std::string(300, 'x') + "|" + std::to_string(out.size()) + " done");
}

TEST(Http1Write, HeadsParseBack) {
    std::string out;
    append_status_line(out, 404);
    append_header(out, "content-length", "0");
    out += "\r\n";
    EXPECT_EQ(out, "HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\n\r\n");
    EXPECT_EQ(response(out)->parse, Parse::done);
    EXPECT_TRUE(is_token("x-a") && !is_token("") && !is_token("a b") && !is_token("a:"));
    EXPECT_TRUE(is_field_value("a\tb \xc3\xa4") && !is_field_value("a\r\nb") && !is_field_value(std::string_view("a\0b", 3)));
}

TEST(BodyFramer, AnOpenChunkCanBeClosedWhereverItBreaks) {
    const std::string body = "3\r\nabc\r\n05;x=y\r\nhello\r\n";
    for (size_t at = 0; at <= body.size(); at++) {
        for (std::string broken : {"", "\x01"}) {   // ends, or goes on with a byte that belongs nowhere but in a payload
            BodyFramer framer;
            framer.start(BodyKind::chunked, 0);
            std::string passed = body.substr(0, at) + broken;
            passed.resize(framer.feed(passed));
            if (broken.empty()) framer.finish();
            ASSERT_TRUE(framer.close_chunk(passed, 100)) << at;
            BodyFramer reader;
            reader.start(BodyKind::chunked, 0);
            EXPECT_EQ(reader.feed(passed + "0\r\n\r\n"), passed.size() + 5) << at;
            EXPECT_TRUE(reader.done()) << at << ": " << passed;
        }
    }
    for (std::string_view never : {"ffffff\r\nx", "0\r\n", "0\r\nx", "0\r\n\r\n"}) {   // too much is missing, or the body is over
        BodyFramer framer;
        framer.start(BodyKind::chunked, 0);
        framer.feed(never);
        std::string out;
        EXPECT_FALSE(framer.close_chunk(out, 1'000)) << never;
    }
}

}  // namespace
}  // namespace weir
