// The far end of an HTTP/1 connection under test: a plain socket that a test writes to and reads from, and what came back, taken apart.
#pragma once
#include <string>
#include <vector>

#include "tests/support/net_loop.h"
#include "wire/http1.h"

namespace weir::test {

struct Answer {
    int status = 0;
    std::string head, body;
    bool whole = false;
    bool has(std::string_view line) const { return head.find("\r\n" + std::string(line) + "\r\n") != std::string::npos; }
    bool names(std::string_view field) const { return head.find("\r\n" + std::string(field) + ": ") != std::string::npos; }
};

// `to_head`: which of the requests, from 0, were HEAD. Interim answers are in the list too.
inline std::vector<Answer> answers_in(std::string_view bytes, bool closed, const std::vector<size_t>& to_head = {}) {
    std::vector<Answer> all;
    size_t finals = 0;
    while (!bytes.empty()) {
        auto space = std::make_unique<HeaderSpace>();
        ResponseHead head;
        BadHead bad;
        bool head_only = std::find(to_head.begin(), to_head.end(), finals) != to_head.end();
        Parse parse = parse_response_head(bytes, head_only, *space, head, bad);
        Answer a;
        if (parse != Parse::done) {
            a.head = "(not a head) " + std::string(bytes.substr(0, 200));
            all.push_back(a);
            return all;
        }
        a.status = head.status;
        a.head = bytes.substr(0, head.head_bytes);
        bytes.remove_prefix(head.head_bytes);
        finals += head.status >= 200;
        BodyFramer framer;
        framer.start(head);
        while (!bytes.empty() && !framer.done() && !framer.bad()) {
            std::string_view payload;
            bytes.remove_prefix(framer.next(bytes, payload));
            a.body += payload;
        }
        a.whole = framer.done() || (closed && framer.finish());
        all.push_back(a);
        if (!a.whole) return all;
    }
    return all;
}

struct Http1Peer {
    NetLoop& loop;
    int fd;
    std::string got;
    bool closed = false, was_reset = false;
    std::vector<size_t> to_head = {};
    bool news = false;               // something came since whole() counted
    size_t counted = 0;

    Http1Peer(NetLoop& loop, int fd) : loop(loop), fd(fd) {}
    Http1Peer(const Http1Peer&) = delete;
    ~Http1Peer() { leave(); }
    void leave() {
        if (fd >= 0) ::close(std::exchange(fd, -1));
    }
    // Sends all of it, turning the loop while the socket is full; false: the other side is gone.
    bool send(std::string_view bytes, bool read_meanwhile = true) {
        while (!bytes.empty()) {
            ssize_t n = ::send(fd, bytes.data(), bytes.size(), MSG_NOSIGNAL);
            if (n < 0 && errno != EAGAIN) return false;
            if (n > 0) bytes.remove_prefix(static_cast<size_t>(n));
            else loop.core.turn(1);
            if (read_meanwhile) read();
        }
        return true;
    }
    void read() {
        char buffer[65536];
        while (!closed) {
            ssize_t n = ::recv(fd, buffer, sizeof buffer, 0);
            if (n < 0 && errno == EAGAIN) return;
            was_reset = was_reset || n < 0;
            closed = n <= 0;
            news = true;
            if (n > 0) got.append(buffer, static_cast<size_t>(n));
        }
    }
    std::vector<Answer> answers() { return answers_in(got, closed, to_head); }
    size_t whole() {
        if (got.empty()) return counted = 0;
        if (!std::exchange(news, false)) return counted;
        counted = 0;
        for (auto& a : answers()) counted += a.whole && a.status >= 200;
        return counted;
    }
    // Turns until n final answers are whole.
    bool await_answers(size_t n) {
        return loop.until([&] { return read(), whole() >= n; });
    }
    bool await_close() {
        return loop.until([&] { return read(), closed; });
    }
    // Lets everything happen that can without a word from us.
    void quiet(int turns = 4) {
        for (int i = 0; i < turns; i++) loop.core.turn(0);
        if (fd >= 0) read();
    }
};

inline std::string chunked(std::string_view body, size_t piece) {
    std::string out;
    for (size_t at = 0; at < body.size(); at += piece) append_chunk(out, body.substr(at, piece));
    return out + std::string(last_chunk);
}

}  // namespace weir::test
