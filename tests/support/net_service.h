// A service whose paths do what a test needs, and counts what became of them.
#pragma once
#include <charconv>

#include "net/exchange.h"

namespace weir::test {

struct ScriptedService final : HttpService {
    int started = 0, alive = 0, finished = 0;      // coroutines of serve()
    std::string last_head, last_error;
    uint64_t written = 0;                          // by /stream, all of them
    size_t body_max = 64'000'000;
    bool saw_blocked = false;

    struct Alive {
        int& n;
        explicit Alive(int& n) : n(n) { n++; }
        ~Alive() { n--; }
    };

    Task<void> serve(HttpExchange& x) override {
        started++;
        Alive here(alive);
        std::string path(x.head().path);
        uint64_t n = 0;
        size_t slash = path.rfind('/');
        std::from_chars(path.data() + slash + 1, path.data() + path.size(), n);
        last_head = std::string(x.head().method) + " " + std::string(x.head().target) + " host=" + std::string(x.head().host) + "\n";
        for (auto& h : x.head().headers) last_head += std::string(h.name) + ": " + std::string(h.value) + "\n";
        if (path == "/echo") co_await echo(x);
        else if (path.starts_with("/stream/")) co_await stream(x, n);
        else if (path.starts_with("/status/")) status(x, static_cast<int>(n));
        else if (path == "/hang") co_await sleep_ms(1'000'000'000);
        else if (path == "/abort") abort(x);
        else if (path == "/throw") throw std::runtime_error("service");
        else if (path == "/unanswered") co_return;
        else if (path == "/early") x.reply({}, "not interested");
        else status(x, path == "/health" ? 200 : 404);
        finished++;
    }

    Task<void> echo(HttpExchange& x) {
        auto body = co_await x.read_body(body_max);
        Reply r;
        r.lines = "Content-Type: application/octet-stream\r\nConnection: close\r\nX-Seen:  yes \r\n";
        if (!body) {
            last_error = std::string(name(body.error()->code));
            r.status = body.error()->code == Code::too_large ? 413 : body.error()->code == Code::shed ? 503 : 408;
            x.reply(r, body.error()->message);
            co_return;
        }
        std::string copy(x.body());
        x.drop_body();
        r.length = static_cast<int64_t>(copy.size());
        x.begin(r, {}, copy.empty());
        for (size_t at = 0; at < copy.size() && !x.gone();) {
            size_t n = std::min<size_t>(copy.size() - at, 20'000);
            if (!x.write_text({copy.data() + at, n}, at + n == copy.size())) co_return;
            at += n;
            bool more = true;
            if (x.blocked()) more = co_await x.drained();
            if (!more) co_return;
        }
    }
    Task<void> stream(HttpExchange& x, uint64_t bytes) {
        Reply r;
        r.lines = "content-type: text/event-stream\r\n";
        std::string piece(10'000, 's');
        x.begin(r, {}, false);
        for (uint64_t at = 0; at < bytes;) {
            at += piece.size();
            if (!x.write_text(piece, at >= bytes)) co_return;
            written += piece.size();
            bool more = true;
            if (x.blocked()) {
                saw_blocked = true;
                more = co_await x.drained();
            }
            if (!more) co_return;
        }
    }
    void status(HttpExchange& x, int code) {
        Reply r;
        r.status = code;
        r.lines = "content-type: text/plain\r\n";
        x.reply(r, "ok");
    }
    void abort(HttpExchange& x) {
        x.begin({}, {}, false);
        x.write_text("half", false);
        x.abort();
    }
    void refuse(int, std::string_view why, std::string& lines, std::string& body) override {
        lines += "content-type: text/plain\r\n";
        body += why;
    }
};

}  // namespace weir::test
