// HTTP/1.x on bytes: strict heads (RFC 9112), where a body ends, chunked both ways. No sockets, no allocation, no copies.
// Anything two parsers could read differently (bare LF, obs-fold, space before ':', two lengths, odd codings) is refused.
#pragma once
#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "base/limits.h"

namespace weir {

// Views into the bytes parsed; valid as long as those bytes stay where they are.
struct Header {
    std::string_view name, value;   // name as sent (any case), value without surrounding blanks
};

bool same_ignoring_case(std::string_view text, std::string_view lower);   // ASCII; `lower` must be lower case

struct HeadersView {
    const Header* data = nullptr;
    uint32_t count = 0;
    std::string_view get(std::string_view lower_name) const;   // the first one's value; empty when there is none
    bool has(std::string_view lower_name) const;
    const Header* begin() const { return data; }
    const Header* end() const { return data + count; }
    size_t size() const { return count; }
    bool empty() const { return count == 0; }
};

enum class BodyKind : uint8_t { none, length, chunked, until_close };   // length with content_length 0 is reported as none

struct RequestHead {
    std::string_view method, target;   // as sent
    std::string_view path, query;      // path starts with '/' (or is "*" for OPTIONS); query without '?'; neither is percent-decoded
    std::string_view host;             // authority of an absolute-form target, else the Host field; empty only for HTTP/1.0
    uint8_t minor = 1;                 // HTTP/1.minor
    BodyKind body = BodyKind::none;
    bool keep_alive = true;
    bool expect_continue = false;      // the client waits for "100 Continue"; never set without a body or for HTTP/1.0
    bool connection_lists = false;     // Connection names something besides close, keep-alive, upgrade: a forwarder must drop those fields
    uint64_t content_length = 0;       // bytes, body == length only
    uint32_t head_bytes = 0;           // from bytes.begin() to the first body byte, tolerated leading empty lines included
    HeadersView headers;
};

struct ResponseHead {
    int status = 0;                    // 100..599
    std::string_view reason;           // may be empty
    uint8_t minor = 1;
    BodyKind body = BodyKind::none;
    bool keep_alive = true;            // false whenever the body ends with the connection
    bool connection_lists = false;
    uint64_t content_length = 0;
    uint32_t head_bytes = 0;
    HeadersView headers;
};

enum class Parse : uint8_t { need_more, done, bad };

struct BadHead {
    int status = 0;          // what a server answers: 400, 414, 417, 431, 501, 505; for an engine's response always 502
    const char* why = "";    // static text, no request bytes in it; safe to show
};

struct HeaderSpace {         // where the Header views of the head being parsed are written; one per core, not per connection
    std::array<Header, limits::headers_max> at;
};

// Remembers how far an incomplete head was searched, so that a head arriving byte by byte costs linear time.
// Zero it when a new message begins (HeadCursor{}); `bytes` must begin at the same message byte in each call.
struct HeadCursor {
    uint32_t scanned = 0;    // bytes searched for the end of the head
    uint32_t tries = 0;      // full parses that asked for more
};

// `bytes` begins at the message. A complete line that is wrong is reported at once, even if the head goes on.
// done: `out` is filled, its views point into `bytes` and `space`. bad: `bad` is filled, the connection must close after the answer.
// need_more: call again with the same bytes and more behind them; asked for at most limits::header_bytes_max bytes, then 431.
Parse parse_request_head(std::string_view bytes, HeaderSpace& space, RequestHead& out, BadHead& bad);
Parse parse_request_head(std::string_view bytes, HeaderSpace& space, RequestHead& out, BadHead& bad, HeadCursor& cursor);
// Engine side, equally strict. 1xx is reported as done with body none: parse again behind head_bytes.
Parse parse_response_head(std::string_view bytes, bool head_request, HeaderSpace& space, ResponseHead& out, BadHead& bad);
Parse parse_response_head(std::string_view bytes, bool head_request, HeaderSpace& space, ResponseHead& out, BadHead& bad,
                          HeadCursor& cursor);

// Tracks where a message body ends, without copying or allocating. Use feed() or next() for one body, not both in turn.
// 32 bytes; lives in the connection.
class BodyFramer {
public:
    void start(BodyKind kind, uint64_t content_length);
    template <class Head>
    void start(const Head& head) { start(head.body, head.content_length); }

    // Framing only (pass-through): how many leading bytes belong to this body. Less than bytes.size() only when done() or bad().
    size_t feed(std::string_view bytes);
    // Decoding: consumes some leading bytes, sets at most one piece of payload (a view into `bytes`, maybe empty).
    // Call until it has consumed everything, or done(), or bad().
    size_t next(std::string_view bytes, std::string_view& payload);
    // The peer closed: true if that is a proper end (done already, or a body that ends with the connection).
    bool finish();

    bool done() const { return state_ == State::done; }
    bool bad() const { return state_ == State::bad; }
    const char* why() const { return why_; }              // static text; "" unless bad
    int status() const { return status_; }                // bad, as a server: 400, or 431 for trailers beyond their bound
    bool between_chunks() const { return state_ == State::size_first || state_ == State::done; }   // no chunk is open
    // The chunks passed on so far break off here: appends what closes the open one, line feeds for the payload that is missing (an SSE
    // reader skips empty lines). False: it would take more than `fill_max` of them, or no chunk may follow any more.
    bool close_chunk(std::string& out, size_t fill_max) const;
    bool has_trailers() const { return has_trailers_; }   // at least one trailer field was seen (they are checked and skipped)

private:
    enum class State : uint8_t {
        done, bad, fixed, until_close,
        size_first, size, ext, size_lf, data, data_cr, data_lf,
        trailer_start, trailer_name, trailer_value, trailer_lf, last_lf,
    };
    void fail(const char* why, uint16_t status = 400);
    void line_byte(unsigned char c);      // one byte of chunked framing
    void size_byte(unsigned char c);
    void trailer_byte(unsigned char c);

    uint64_t left_ = 0;                   // payload bytes of the body (fixed) or chunk still to come; the size while it is read
    const char* why_ = "";
    State state_ = State::done, before_ = State::done;   // before_: the state in which it went bad
    bool has_trailers_ = false;
    uint16_t line_ = 0;                   // bytes of the size line or of the trailer lines so far, the closing CRLF not counted
    uint16_t status_ = 400;
};

// Writing.
inline constexpr std::string_view last_chunk = "0\r\n\r\n";
void append_chunk_head(std::string& out, size_t n);                  // "1a\r\n"; n > 0: 0 would end the body
void append_chunk(std::string& out, std::string_view payload);       // head, payload, CRLF; nothing when payload is empty
std::string_view reason_phrase(int status);                          // "Not Found"; "Unknown" for codes without one
void append_status_line(std::string& out, int status);               // "HTTP/1.1 404 Not Found\r\n"
void append_header(std::string& out, std::string_view name, std::string_view value);   // "name: value\r\n"; the caller has checked both
bool is_token(std::string_view text);         // a legal field name or method, not empty
bool is_field_value(std::string_view text);   // no control bytes but HTAB: nothing that could end the line

}  // namespace weir
