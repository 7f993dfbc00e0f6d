// The server side of HTTP/1: one coroutine per connection, one exchange object reused for all its requests.
#include <algorithm>
#include <charconv>
#include <vector>

#include "base/assert.h"
#include "net/exchange.h"
#include "net/transport.h"
#include "wire/http_date.h"

namespace weir {
namespace {

constexpr uint64_t budget_wait_ms = 10'000, budget_poll_ms = 20, linger_ms = 1'000;
constexpr size_t linger_bytes_max = 1024 * 1024;
thread_local HeaderSpace header_space;
thread_local HttpDate http_date;
thread_local RequestHead borrowed_head;   // of the request that was parsed last; whoever waits longer holds a copy

class Http1Exchange final : public HttpExchange {
public:
    Http1Exchange(Transport& t, const ServerLimits& limits, const std::atomic<bool>& draining)
        : t_(t), limits_(limits), draining_(draining) {}
    RequestHead& parse_into() {
        borrowed_head = RequestHead{};
        head_ = &borrowed_head;
        return borrowed_head;
    }

    // `bytes` holds a parsed head (in `head`) and what came behind it. `borrowed`: they are in the core's read buffer, in_ is free.
    // False: the chunked framing of the body is broken; body_refusal() is the status that says so.
    bool start(std::string_view bytes, bool borrowed) {
        base_ = bytes.data();
        borrowed_ = borrowed;
        begun_ = ended_ = aborted_ = false;
        bytes_out_ = 0;
        received = Core::here().now();
        size_t used = head().head_bytes;
        body_ = {};
        body_complete_ = head().body == BodyKind::none;
        framer_.start(head());
        if (head().body == BodyKind::length) {
            body_ = bytes.substr(used, static_cast<size_t>(std::min<uint64_t>(head().content_length, bytes.size() - used)));
            used += body_.size();
            body_complete_ = body_.size() == head().content_length;
            framer_.feed(body_);
        }
        if (borrowed) {
            if (head().body != BodyKind::chunked) in_.assign(bytes.substr(used));
            consumed_ = 0;
        } else {
            consumed_ = used;
        }
        if (head().body != BodyKind::chunked) return true;
        // A chunked body is decoded into memory of its own: its payload is not contiguous in the bytes.
        std::string_view rest = bytes.substr(used);
        std::string decoded;
        size_t taken = decode(rest, decoded);
        if (framer_.bad()) return false;
        if (borrowed) in_.assign(rest.substr(taken));
        else consumed_ += taken;
        hold_with(std::move(decoded));
        body_complete_ = framer_.done();
        return true;
    }

    int body_refusal() const { return framer_.status(); }

    bool hold() override {
        if (held_ && !borrowed_) return true;
        if (!limits_.bodies || charge_.bytes() || charge_.grow(*limits_.bodies, head().head_bytes + body_.size())) {
            hold_with(std::string(body_));
            return true;
        }
        return false;
    }

    Task<Result<void>> read_body(size_t bytes_max) override {
        if (head().body == BodyKind::length && head().content_length > bytes_max) co_return too_large(bytes_max);
        if (body_.size() > bytes_max) co_return too_large(bytes_max);
        if (body_complete_) co_return Nothing{};
        if (limits_.bodies && head().content_length > limits_.bodies->limit())
            co_return Failure(Code::too_large, "the request body is larger than the gateway's budget for request bodies");
        if (!hold()) hold_with(std::string(body_));   // a first read at most; what follows is charged below
        std::string& body = held_->body;
        if (head().expect_continue && !continued_) {
            continued_ = true;
            if (!t_.send("HTTP/1.1 100 Continue\r\n\r\n")) co_return Failure(Code::cancelled, "client left");
        }
        Instant began = Core::here().now();
        while (!framer_.done()) {
            t_.deadline_in(limits_.body_stall_ms);
            auto got = co_await t_.recv();
            if (got.n == -ETIMEDOUT) co_return Failure(Code::request_timeout, "the request body did not arrive in time");
            if (got.n <= 0) co_return Failure(Code::cancelled, "client left");
            if (limits_.body_total_ms && Core::here().now() - began > limits_.body_total_ms * ns_per_ms)
                co_return Failure(Code::request_timeout, "the request body did not arrive in time");
            std::string_view bytes = got.view();
            size_t taken = decode(bytes, body);
            if (framer_.bad()) co_return Failure(framer_.status() == 431 ? Code::too_many_headers : Code::bad_request, framer_.why());
            if (taken < bytes.size()) in_.append(bytes.substr(taken));
            if (body.size() > bytes_max) co_return too_large(bytes_max);
            if (framer_.done()) break;
            for (uint64_t waited = 0; limits_.bodies && body.capacity() > charge_.bytes(); waited += budget_poll_ms) {
                if (charge_.grow(*limits_.bodies, body.capacity() - charge_.bytes())) break;
                // Not reading is the back-pressure; the kernel's buffers tell the client.
                if (waited >= budget_wait_ms) co_return Failure(Code::shed, "the gateway's budget for request bodies is used up");
                co_await sleep_ms(budget_poll_ms);
            }
        }
        body.reserve(body.size() + Core::read_padding);
        body_ = body;
        body_complete_ = true;
        t_.deadline_in(0);
        co_return Nothing{};
    }

    void drop_body() override {
        held_.reset();
        charge_.drop();
        body_ = {};
        drop_consumed();
        if (in_.empty()) std::string().swap(in_);
    }

    bool begin(const Reply& reply, std::span<const iovec> first, bool end) override {
        ASSERT(!begun_);
        begun_ = true;
        ended_ = end;
        head_only_ = head_method_;
        framed_ = reply.framed;
        bool bodiless = reply.status == 204 || reply.status == 304;
        // An unread body would be taken for the next request: the connection cannot go on.
        if (reply.close || !body_complete_ || draining_.load(std::memory_order_relaxed)) keep_ = false;
        std::string& out = Core::here().write_buffer();
        out.clear();
        append_status_line(out, reply.status);
        out.append(reply.lines);
        if (!reply.has_date) append_header(out, "date", http_date.at(Core::here().clock().wall()));
        chunked_ = false;
        if (reply.length >= 0) {
            if (!bodiless) {
                char digits[24];
                auto [at, ec] = std::to_chars(digits, digits + sizeof digits, reply.length);
                append_header(out, "content-length", {digits, static_cast<size_t>(at - digits)});
            }
        } else if (bodiless) {
            // neither a length nor a coding: RFC 9112 6.1
        } else if (minor_ >= 1) {
            out.append("transfer-encoding: chunked\r\n");
            chunked_ = true;
        } else {
            keep_ = false;   // HTTP/1.0: the body ends with the connection
        }
        if (!keep_) out.append("connection: close\r\n");
        else if (minor_ == 0) out.append("connection: keep-alive\r\n");
        out.append("\r\n");
        if (head_only_ || bodiless) first = {};
        return put(first, end);
    }

    bool write(std::span<const iovec> payload, bool end) override {
        ended_ = ended_ || end;
        Core::here().write_buffer().clear();
        if (head_only_) payload = {};
        return put(payload, end);
    }

    bool takes_framed() const override { return minor_ >= 1 && !head_method_; }
    void abort() override {
        aborted_ = true;
        t_.reset();
    }
    bool break_off(std::string_view raw, bool reset) override {
        if (!raw.empty()) t_.send(raw);
        keep_ = false;
        begun_ = ended_ = true;
        if (reset) abort();
        return true;
    }
    bool blocked() const override { return t_.blocked(); }
    bool gone() const override { return t_.broken() || (t_.timed_out() && t_.blocked()); }
    Waiter*& writer_slot() override { return t_.writer_slot(); }
    Waiter*& hangup_slot() override { return t_.hangup_slot(); }

    // For the connection loop.
    void remember_head() {
        minor_ = head().minor;
        head_method_ = head().method == "HEAD";
        keep_ = head().keep_alive;
        continued_ = false;
    }
    bool keeps() const { return keep_ && ended_ && !aborted_; }
    bool aborted() const { return aborted_; }
    void receive(std::string_view bytes) {
        in_.reserve(in_.size() + bytes.size() + Core::read_padding);
        in_.append(bytes);
    }
    void drop_consumed() {
        if (consumed_) in_.erase(0, consumed_);
        consumed_ = 0;
    }
    std::string in_;   // received and not consumed; empty (and freed) while idle

private:
    struct Held { std::string bytes, body; std::vector<Header> headers; RequestHead head; };

    Failure too_large(size_t bytes_max) {
        return Failure(Code::too_large, "the request body is larger than " + std::to_string(bytes_max) + " bytes");
    }

    size_t decode(std::string_view bytes, std::string& out) {
        size_t taken = 0;
        while (taken < bytes.size() && !framer_.done() && !framer_.bad()) {
            std::string_view payload;
            taken += framer_.next(bytes.substr(taken), payload);
            out.append(payload);
        }
        return taken;
    }

    // Owns head and body from here on; all views of `head` are re-pointed.
    void hold_with(std::string body) {
        auto held = std::make_unique<Held>();
        size_t n = head().head_bytes;
        held->bytes.assign(base_, n);
        held->headers.assign(head().headers.begin(), head().headers.end());
        held->head = head();
        const char* to = held->bytes.data();
        auto move = [&](std::string_view& v) {
            if (v.data() >= base_ && v.data() < base_ + n) v = {to + (v.data() - base_), v.size()};
        };
        RequestHead& h = held->head;
        for (auto* v : {&h.method, &h.target, &h.path, &h.query, &h.host}) move(*v);
        for (auto& field : held->headers) {
            move(field.name);
            move(field.value);
        }
        h.headers.data = held->headers.data();
        held->body = std::move(body);
        held->body.reserve(held->body.size() + Core::read_padding);
        held_ = std::move(held);
        head_ = &held_->head;
        base_ = to;
        body_ = held_->body;
        borrowed_ = false;
    }

    // Sends the write buffer (a head, or nothing) and the payload, framed as the answer needs it.
    bool put(std::span<const iovec> payload, bool end) {
        std::string& out = Core::here().write_buffer();
        size_t head_bytes = out.size(), total = 0;
        for (auto& p : payload) total += p.iov_len;
        bytes_out_ += head_bytes + total;
        bool frame = chunked_ && !framed_ && !head_only_;
        if (frame && total) append_chunk_head(out, total);
        iovec pieces[20];
        int n = 0;
        if (!out.empty()) pieces[n++] = {out.data(), out.size()};
        ASSERT(payload.size() <= 16);
        for (auto& p : payload)
            if (p.iov_len) pieces[n++] = p;
        static const std::string_view tail = "\r\n0\r\n\r\n";
        if (frame) {
            std::string_view t = tail;
            if (!total) t.remove_prefix(2);
            if (!end) t = total ? t.substr(0, 2) : std::string_view{};
            if (!t.empty()) pieces[n++] = {const_cast<char*>(t.data()), t.size()};
        }
        if (n == 0) return !t_.broken();
        // What ends an answer is whole in the caller's memory: its rest need not fit the bound of a stream that goes on.
        bool ok = end ? t_.send_large(pieces, n) : t_.send(pieces, n);
        if (t_.blocked()) t_.deadline_in(limits_.write_stall_ms);
        return ok;
    }

    Transport& t_;
    const ServerLimits& limits_;
    const std::atomic<bool>& draining_;
    std::unique_ptr<Held> held_;
    Charge charge_;
    const char* base_ = nullptr;   // where the head's bytes begin now
    size_t consumed_ = 0;          // bytes of in_ that belong to the request being served
    BodyFramer framer_;
    uint8_t minor_ = 1;
    bool borrowed_ = false, keep_ = true, head_method_ = false, head_only_ = false, chunked_ = false, framed_ = false;
    bool aborted_ = false, continued_ = false;
};

// One connection. Each stage is a task of its own, so that its frame is gone while an answer streams.
class Http1Connection {
public:
    Http1Connection(std::unique_ptr<Transport> transport, HttpService& service, const ServerLimits& limits, const std::atomic<bool>& draining)
        : transport(std::move(transport)), x(*this->transport, limits, draining), service_(service), limits_(limits) {
        x.secure = this->transport->secure();
        x.peer = this->transport->peer();
    }
    enum class Next : uint8_t { request, http2, end };

    // Receives a head, or answers one that is wrong. http2: the preface of HTTP/2 is in x.in_.
    Task<Next> next_request() {
        HeadCursor cursor{};
        BadHead bad{};
        std::string_view bytes = x.in_;
        bool borrowed = false, begun = false;
        Parse parsed = Parse::need_more;
        for (;;) {
            if (!bytes.empty()) {
                if (served_ == 0 && bytes.starts_with("PRI ")) {
                    if (borrowed) x.receive(bytes);
                    co_return Next::http2;
                }
                parsed = parse_request_head(bytes, header_space, x.parse_into(), bad, cursor);
                if (parsed != Parse::need_more) break;
                if (borrowed) x.receive(bytes);
                borrowed = false;
                if (!begun) transport->deadline_in(limits_.head_ms);
                begun = true;
            } else {
                transport->deadline_in(limits_.idle_ms);
            }
            auto got = co_await transport->recv();
            if (got.n == -ETIMEDOUT && begun) {
                bad = {408, "the request head did not arrive in time"};
                parsed = Parse::bad;
                break;
            }
            if (got.n <= 0) co_return Next::end;
            if (x.in_.empty()) {
                bytes = got.view();
                borrowed = true;
            } else {
                x.receive(got.view());
                bytes = x.in_;
            }
        }
        transport->deadline_in(0);
        if (parsed == Parse::done) {
            x.remember_head();
            if (x.start(bytes, borrowed)) {
                served_++;
                co_return Next::request;
            }
            bad = {x.body_refusal(), x.body_refusal() == 431 ? "trailers too large" : "the chunked framing of the request body is broken"};
        }
        refuse(bad);
        co_await linger();
        co_return Next::end;
    }

    // After an answer: true when the connection can take the next request.
    Task<bool> wind_up() {
        bool whole_request = x.body_complete();
        x.drop_body();
        if (transport->blocked()) {
            bool out = co_await transport->drained();
            if (!out) {
                transport->reset();   // what is missing must not look like the end
                co_return false;
            }
        }
        if (x.keeps()) {
            // Pipelined requests of one connection do not keep the core from the others.
            if (served_ % limits::pipelined_max == 0 && !x.in_.empty()) co_await yield();
            co_return true;
        }
        if (whole_request && x.in_.empty() && !transport->stale_now()) transport->finish_send();
        else co_await linger();
        co_return false;
    }
    bool needs_wind_up() const { return transport->blocked() || !x.keeps() || !x.body_complete() || !x.in_.empty(); }

    std::unique_ptr<Transport> transport;
    Http1Exchange x;

private:
    // Answers a request that could not be parsed.
    void refuse(const BadHead& bad) {
        std::string lines, body, out;
        service_.refuse(bad.status, bad.why, lines, body);
        append_status_line(out, bad.status);
        out.append(lines);
        append_header(out, "date", http_date.at(Core::here().clock().wall()));
        append_header(out, "content-length", std::to_string(body.size()));
        out.append("connection: close\r\n\r\n");
        out.append(body);
        transport->send(out);
    }

    // Closes so that the client can still read our answer: with unread bytes in our buffer a plain close sends a reset.
    Task<void> linger() {
        transport->deadline_in(linger_ms);
        bool out = co_await transport->drained();
        if (!out) co_return;
        transport->finish_send();
        for (size_t seen = 0; seen < linger_bytes_max;) {
            auto got = co_await transport->recv();
            if (got.n <= 0) co_return;
            seen += static_cast<size_t>(got.n);
        }
    }

    HttpService& service_;
    const ServerLimits& limits_;
    uint32_t served_ = 0;
};

}  // namespace

Task<void> serve_http1(std::unique_ptr<Transport> transport, HttpService& service, const ServerLimits& limits,
                       const std::atomic<bool>& draining) {
    Http1Connection c(std::move(transport), service, limits, draining);
    for (;;) {
        auto next = co_await c.next_request();
        if (next == Http1Connection::Next::end) co_return;
        if (next == Http1Connection::Next::http2) break;
        if (c.transport->hung_up() && !limits.allow_half_close) co_return;
        static thread_local Waiter* nobody;   // with half-close allowed a client that sent FIN still gets its answer
        bool finished = false;
        try {
            finished = co_await race(service.serve(c.x), limits.allow_half_close ? nobody : c.transport->hangup_slot());
        } catch (...) {
            c.transport->reset();   // as below
            throw;
        }
        if (!finished) co_return;
        if (!c.x.ended() || c.x.aborted()) {
            c.transport->reset();   // never let a broken answer look complete
            co_return;
        }
        c.x.drop_body();
        if (!c.needs_wind_up()) continue;
        bool on = co_await c.wind_up();
        if (!on) co_return;
    }
    std::string first = std::move(c.x.in_);
    co_await serve_http2(std::move(c.transport), service, limits, draining, std::move(first));
}

}  // namespace weir
