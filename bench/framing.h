// Where HTTP/1.1 heads and bodies begin and end: the least a relay can get away with. Lenient on purpose, for a closed rig only.
#pragma once
#include <strings.h>

#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <string>
#include <string_view>

namespace weir::bench {

struct Head {
    size_t length = 0;                      // with the empty line
    int status = 0;                         // answers
    std::string_view method, target;        // requests
    uint64_t content_length = 0;
    bool has_length = false, chunked = false, close = false;
};
enum class Found { partial, whole, broken };

namespace detail {
inline bool is(std::string_view name, const char* lower) { return strncasecmp(name.data(), lower, name.size()) == 0; }

// Returns whether the field is end-to-end.
inline bool note(std::string_view name, std::string_view value, bool request, Head& head) {
    switch (name.size()) {
        case 4: return !(request && is(name, "host"));
        case 10:
            if (is(name, "keep-alive")) return false;
            if (!is(name, "connection")) return true;
            head.close = value.size() >= 5 && is(value.substr(0, 5), "close");
            return false;
        case 14:
            if (!is(name, "content-length")) return true;
            head.has_length = true;
            head.content_length = std::strtoull(value.data(), nullptr, 10);
            return !request;
        case 17:
            if (!is(name, "transfer-encoding")) return true;
            head.chunked = true;
            return !request;
        default: return true;
    }
}
}  // namespace detail

// `kept`, when given, receives the end-to-end field lines (of requests without host and framing, which the caller writes anew).
// The views of `head` point into `bytes`.
inline Found find_head(std::string_view bytes, bool request, Head& head, std::string* kept = nullptr) {
    auto* stop = static_cast<const char*>(memmem(bytes.data(), bytes.size(), "\r\n\r\n", 4));
    if (!stop) return bytes.size() > 65536 ? Found::broken : Found::partial;
    head = Head{};
    head.length = static_cast<size_t>(stop - bytes.data()) + 4;
    const char *at = bytes.data(), *end = stop + 2;
    auto* eol = static_cast<const char*>(std::memchr(at, '\r', static_cast<size_t>(end - at)));
    std::string_view first(at, static_cast<size_t>(eol - at));
    if (request) {
        size_t one = first.find(' '), two = first.rfind(' ');
        if (one == first.npos || two == one) return Found::broken;
        head.method = first.substr(0, one);
        head.target = first.substr(one + 1, two - one - 1);
    } else {
        if (first.size() < 12) return Found::broken;
        head.status = std::atoi(first.data() + 9);
    }
    for (at = eol + 2; at < end; at = eol + 2) {
        eol = static_cast<const char*>(std::memchr(at, '\r', static_cast<size_t>(end - at)));
        if (!eol) return Found::broken;
        auto* colon = static_cast<const char*>(std::memchr(at, ':', static_cast<size_t>(eol - at)));
        if (!colon) return Found::broken;
        const char* value = colon + 1;
        while (value < eol && *value == ' ') ++value;
        std::string_view name(at, static_cast<size_t>(colon - at));
        bool end_to_end = detail::note(name, {value, static_cast<size_t>(eol - value)}, request, head);
        if (end_to_end && kept) kept->append(at, static_cast<size_t>(eol + 2 - at));
    }
    return Found::whole;
}

// Tracks where a body ends without copying it.
class BodyEnd {
public:
    void start(const Head& head, bool request) {
        left_ = head.content_length;
        line_len_ = 0;
        if (head.chunked) left_ = 0, state_ = State::size;
        else if (head.has_length) state_ = left_ ? State::fixed : State::done;
        else state_ = request ? State::done : State::until_close;
    }
    bool done() const { return state_ == State::done; }
    bool until_close() const { return state_ == State::until_close; }

    // Returns how many of the bytes belong to this body; `payload(view)` gets what is neither chunk size nor trailer.
    template <class Payload>
    size_t feed(std::string_view bytes, Payload&& payload) {
        size_t at = 0;
        while (at < bytes.size() && state_ != State::done) {
            if (state_ == State::fixed || state_ == State::data) {
                size_t n = static_cast<size_t>(std::min<uint64_t>(left_, bytes.size() - at));
                payload(bytes.substr(at, n));
                at += n;
                if ((left_ -= n) == 0) state_ = state_ == State::fixed ? State::done : State::after_data;
            } else if (state_ == State::until_close) {
                payload(bytes.substr(at));
                return bytes.size();
            } else {
                step(bytes[at++]);
            }
        }
        return at;
    }
    size_t feed(std::string_view bytes) { return feed(bytes, [](std::string_view) {}); }

private:
    enum class State { done, fixed, size, extension, data, after_data, trailer, until_close };
    void step(char c) {
        switch (state_) {
            case State::size:
                if (int digit = hex(c); digit >= 0) left_ = left_ * 16 + static_cast<uint64_t>(digit);
                else if (c == '\n') end_size_line();
                else if (c == ';') state_ = State::extension;
                break;
            case State::extension: if (c == '\n') end_size_line(); break;
            case State::after_data: if (c == '\n') state_ = State::size, left_ = 0; break;
            case State::trailer:
                if (c == '\n') state_ = line_len_ == 0 ? State::done : State::trailer, line_len_ = 0;
                else if (c != '\r') ++line_len_;
                break;
            default: break;
        }
    }
    void end_size_line() {
        state_ = left_ ? State::data : State::trailer;
        line_len_ = 0;
    }
    static int hex(char c) {
        if (c >= '0' && c <= '9') return c - '0';
        c = static_cast<char>(c | 32);
        return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
    }
    State state_ = State::done;
    uint64_t left_ = 0;
    int line_len_ = 0;
};

}  // namespace weir::bench
