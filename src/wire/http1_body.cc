#include <algorithm>

#include "wire/chars.h"
#include "wire/http1.h"

namespace weir {
namespace {
constexpr uint16_t size_digits_max = 16;
constexpr uint64_t chunk_bytes_max = uint64_t{1} << 62;   // above it a counter could wrap
}  // namespace

void BodyFramer::start(BodyKind kind, uint64_t content_length) {
    *this = {};
    left_ = content_length;
    switch (kind) {
        case BodyKind::none: break;
        case BodyKind::length: state_ = content_length > 0 ? State::fixed : State::done; break;
        case BodyKind::chunked: left_ = 0, state_ = State::size_first; break;
        case BodyKind::until_close: state_ = State::until_close; break;
    }
}

void BodyFramer::fail(const char* why, uint16_t status) {
    before_ = state_;
    state_ = State::bad;
    why_ = why;
    status_ = status;
}

size_t BodyFramer::next(std::string_view bytes, std::string_view& payload) {
    payload = {};
    size_t used = 0;
    while (used < bytes.size()) {
        switch (state_) {
            case State::done:
            case State::bad: return used;
            case State::until_close: payload = bytes; return bytes.size();
            case State::fixed:
            case State::data: {
                const size_t n = static_cast<size_t>(std::min<uint64_t>(left_, bytes.size() - used));
                payload = bytes.substr(used, n);
                left_ -= n;
                if (left_ == 0) state_ = state_ == State::fixed ? State::done : State::data_cr;
                return used + n;
            }
            default:
                line_byte(static_cast<unsigned char>(bytes[used]));
                if (state_ == State::bad) return used;
                ++used;
        }
    }
    return used;
}

size_t BodyFramer::feed(std::string_view bytes) {
    size_t used = 0;
    for (std::string_view piece; used < bytes.size() && state_ != State::done && state_ != State::bad;)
        used += next(bytes.substr(used), piece);
    return used;
}

bool BodyFramer::finish() {
    if (state_ == State::until_close) state_ = State::done;
    if (state_ != State::done && state_ != State::bad) fail("connection closed inside the body");
    return state_ == State::done;
}

bool BodyFramer::close_chunk(std::string& out, size_t fill_max) const {
    const State at = state_ == State::bad ? before_ : state_;
    uint64_t missing = left_;
    switch (at) {
        case State::size_first: return true;
        case State::size:
            if (missing == 0) out.push_back('1'), missing = 1;   // "0" alone would end the body
            [[fallthrough]];
        case State::ext: out.push_back('\r'); [[fallthrough]];
        case State::size_lf:
            if (missing == 0) return false;
            out.push_back('\n');
            [[fallthrough]];
        case State::data:
            if (missing > fill_max) return false;
            out.append(static_cast<size_t>(missing), '\n');
            [[fallthrough]];
        case State::data_cr: out.push_back('\r'); [[fallthrough]];
        case State::data_lf: out.push_back('\n'); return true;
        default: return false;
    }
}

void BodyFramer::line_byte(unsigned char c) {
    switch (state_) {
        case State::size_first:
        case State::size: size_byte(c); break;
        case State::ext:
            if (++line_ > limits::chunk_line_max) fail("chunk extension too long");
            else if (c == '\r') state_ = State::size_lf;
            else if (chars::is_control(static_cast<char>(c))) fail("control character in a chunk extension");
            break;
        case State::size_lf:
            if (c != '\n') return fail("chunk size line without CRLF");
            state_ = left_ > 0 ? State::data : State::trailer_start;
            line_ = 0;
            break;
        case State::data_cr:
            if (c != '\r') return fail("chunk longer than its size");
            state_ = State::data_lf;
            break;
        case State::data_lf:
            if (c != '\n') return fail("chunk without CRLF");
            state_ = State::size_first;
            line_ = 0;
            break;
        default: trailer_byte(c);
    }
}

void BodyFramer::size_byte(unsigned char c) {
    const int digit = chars::hex_value(static_cast<char>(c));
    if (digit >= 0) {
        if (++line_ > size_digits_max) return fail("chunk size too long");
        left_ = left_ << 4 | static_cast<uint64_t>(digit);   // 16 digits fit; the bound below catches the top ones
        if (left_ >= chunk_bytes_max) return fail("chunk size too large");
        state_ = State::size;
    } else if (state_ == State::size_first) {
        fail("bad chunk size");
    } else if (c == '\r') {
        state_ = State::size_lf;
    } else if (c == ';') {
        state_ = State::ext;
    } else {
        fail("bad chunk size");
    }
}

void BodyFramer::trailer_byte(unsigned char c) {
    const bool last_line = state_ == State::last_lf || (state_ == State::trailer_start && c == '\r');
    if (!last_line && ++line_ > limits::trailer_bytes_max) return fail("trailers too large", 431);
    const char ch = static_cast<char>(c);
    switch (state_) {
        case State::trailer_start:
            if (c == '\r') state_ = State::last_lf;
            else if (chars::is(ch, chars::token)) has_trailers_ = true, state_ = State::trailer_name;
            else fail("bad trailer line");
            break;
        case State::trailer_name:
            if (c == ':') state_ = State::trailer_value;
            else if (!chars::is(ch, chars::token)) fail("bad trailer name");
            break;
        case State::trailer_value:
            if (c == '\r') state_ = State::trailer_lf;
            else if (chars::is_control(ch)) fail("control character in a trailer");
            break;
        case State::trailer_lf:
            if (c != '\n') fail("CR without LF in a trailer");
            else state_ = State::trailer_start;
            break;
        case State::last_lf:
            if (c != '\n') fail("CR without LF after the last chunk");
            else state_ = State::done;
            break;
        default: fail("framing state");
    }
}

}  // namespace weir
