#include "tests/sim/sim_client.h"

#include <algorithm>
#include <deque>

#include "tests/sim/sim_world.h"

namespace weir::sim {
namespace {

constexpr uint64_t patience_ms = 120'000;   // of virtual time: whoever waits longer has found a hang
constexpr uint64_t drain_ms = 5;

struct Wrong { const char* bytes; int status; };
constexpr Wrong wrong_requests[] = {
    {"GET /health HTTP/1.1\r\nhost : x\r\n\r\n", 0},
    {"GET /health HTTP/1.1\r\nhost: x\r\n folded\r\n\r\n", 0},
    {"GET /health HTTP/1.1\n\n", 0},
    {"BAD\r\n\r\n", 0},
    {"GET /health HTTP/1.1\r\n\r\n", 0},
    {"GET /health HTTP/7.1\r\nhost: x\r\n\r\n", 0},
    {"POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\ncontent-length: 5\r\ncontent-length: 6\r\n\r\n{}", 0},
    {"POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\ncontent-length: 5\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n", 0},
    {"POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ntransfer-encoding: chunked\r\n\r\nzz\r\n", 0},
    {"POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ntransfer-encoding: chunked\r\n\r\n2\r\n{}x", 0},
    {"POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: 3\r\n\r\n{a}", 400},
    {"POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: 2\r\n\r\n{}", 400},
    {"POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: 61\r\n\r\n"
     "{\"model\":\"nobody\",\"messages\":[{\"role\":\"user\",\"content\":\"x\"}]}", 404},
    {"PUT /v1/chat/completions HTTP/1.1\r\nhost: x\r\ncontent-length: 0\r\n\r\n", 405},
    {"GET /v1/nothing HTTP/1.1\r\nhost: x\r\n\r\n", 404},
};

}  // namespace

std::string SimClient::frame_body(const std::string& body, bool& chunked) {
    Random& r = world_.random;
    chunked = r.below(2);
    if (!chunked) return body;
    std::string out;
    for (size_t at = 0; at < body.size();) {
        size_t n = r.below(3) ? 1 + r.below(body.size() - at) : body.size() - at;
        char digits[20];
        std::snprintf(digits, sizeof digits, "%zx", n);
        out.append(digits).append(r.below(4) ? "" : ";ext=1").append("\r\n").append(body, at, n).append("\r\n");
        at += n;
    }
    return out.append(r.below(4) ? "0\r\n\r\n" : "0\r\nx-trailer: 1\r\n\r\n");
}

Request SimClient::make() {
    Random& r = world_.random;
    uint64_t dice = r.below(16);
    if (dice == 0) return own();
    if (dice == 1) return wrong();
    const Ask& ask = world_.new_ask();
    Request out;
    out.ask = &ask;
    static const char* const paths[] = {"/v1/chat/completions", "/v1/completions", "/v1/embeddings"};
    bool chunked = false;
    std::string framed = frame_body(ask.body, chunked);
    out.bytes = "POST " + std::string(paths[static_cast<size_t>(ask.kind)]) + " HTTP/1.1\r\nHost: gw\r\nX-Request-Id: " + ask.name() +
                "\r\nContent-Type: application/json\r\n" +
                (chunked ? "Transfer-Encoding: chunked\r\n" : "Content-Length: " + std::to_string(ask.body.size()) + "\r\n");
    out.expects_continue = r.below(10) == 0;
    if (out.expects_continue) out.bytes += "Expect: 100-continue\r\n";
    if (r.below(12) == 0) out.bytes += "Connection: close\r\n";
    out.bytes += "\r\n";
    out.head_bytes = out.bytes.size();
    out.bytes += framed;
    return out;
}

Request SimClient::own() {
    static const char* const heads[] = {"GET /health", "GET /v1/models", "HEAD /health", "GET /live", "GET /v1/models/m"};
    size_t i = world_.random.below(std::size(heads));
    Request out;
    out.bytes = std::string(heads[i]) + " HTTP/1.1\r\nhost: gw\r\n\r\n";
    out.head_bytes = out.bytes.size();
    out.head_method = i == 2;
    return out;
}

Request SimClient::wrong() {
    const Wrong& w = wrong_requests[world_.random.below(std::size(wrong_requests))];
    Request out;
    out.bytes = w.bytes;
    out.head_bytes = out.bytes.size();
    out.status = w.status;
    return out;
}

// In random pieces. False: the gateway does not take them any more (its answer may still be there to read).
Task<bool> SimClient::send(Connection& c, std::string bytes, size_t bytes_max) {
    bytes.resize(std::min(bytes.size(), bytes_max));
    while (!bytes.empty()) {
        size_t n = world_.random.below(3) ? bytes.size() : 1 + world_.random.below(bytes.size());
        if (!c.t->send(std::string_view(bytes).substr(0, n))) co_return false;
        bytes.erase(0, n);
        for (uint64_t waited = 0; c.t->blocked(); waited += drain_ms) {
            c.t->deadline_in(drain_ms);
            co_await c.t->drained();
            if (c.t->broken()) co_return false;
            if (waited > patience_ms) world_.violation("a client sent in vain");
            c.t->deadline_in(0);
            Transport::Got got;   // who pipelines must read meanwhile, or both sides wait for the other to read
            while (c.t->recv_now(got) && got.n > 0) c.in.append(got.view());
            if (waited > patience_ms) co_return false;
        }
        if (!bytes.empty() && world_.random.below(2)) co_await sleep_ms(1 + world_.random.below(15));
    }
    co_return true;
}

// Reads until the answer is complete, the connection ends, or so many bytes of its body are here.
Task<void> SimClient::read(Connection& c, AnswerReader& reader, size_t bytes_max) {
    for (;;) {
        reader.feed(c.in);
        if (reader.answer.complete || reader.answer.bad || c.ended || reader.answer.body.size() >= bytes_max) co_return;
        if (pace_ms_ && world_.random.below(3) == 0) co_await sleep_ms(1 + world_.random.below(pace_ms_));
        c.t->deadline_in(patience_ms);
        auto got = co_await c.t->recv();
        if (got.n > 0) {
            c.in.append(got.view());
            continue;
        }
        if (got.n == -ETIMEDOUT) world_.violation("client " + std::to_string(index_) + " waited in vain");
        if (got.n == 0) reader.closed();
        c.ended = true;
    }
}

// True: the body may be sent. False: the answer came instead.
Task<bool> SimClient::await_continue(Connection& c, AnswerReader& reader) {
    while (reader.answer.interim == 0 && !reader.answer.head_done && !c.ended) {
        c.t->deadline_in(30'000);
        auto got = co_await c.t->recv();
        if (got.n == -ETIMEDOUT) world_.violation("no 100 Continue within 30 s");
        if (got.n <= 0) c.ended = true;
        else c.in.append(got.view());
        reader.feed(c.in);
    }
    co_return reader.answer.interim > 0;
}

// One or more requests at once and their answers. False: the connection cannot go on.
Task<bool> SimClient::batch(Connection& c) {
    Random& r = world_.random;
    std::deque<Request> requests;
    for (uint64_t n = r.below(5) ? 1 : 2 + r.below(3); n > 0; n--) requests.push_back(make());
    Leave leave = r.below(100) < world_.options.leave_percent ? static_cast<Leave>(1 + r.below(3)) : Leave::never;
    for (auto& q : requests)
        if (q.ask) world_.trace("client " + std::to_string(index_) + " asks " + q.ask->name() + (leave == Leave::never ? "" : ", and will leave"));
    AnswerReader first(requests.front().head_method);
    std::string all;
    for (auto& q : requests) all += q.bytes;
    if (leave == Leave::within_request) {
        size_t most = r.below(all.size());
        co_await send(c, std::move(all), most);
        if (r.below(2)) co_await sleep_ms(1 + r.below(30));
        if (r.below(2)) c.t->reset();
        co_return false;
    }
    Request& front = requests.front();
    bool sent = true;
    if (front.expects_continue) {
        sent = co_await send(c, front.bytes.substr(0, front.head_bytes), SIZE_MAX);
        bool go = sent && co_await await_continue(c, first);
        if (go) sent = co_await send(c, all.substr(front.head_bytes), SIZE_MAX);
        if (!go) requests.resize(1);
    } else {
        sent = co_await send(c, std::move(all), SIZE_MAX);
    }
    if (leave == Leave::before_answer) {
        if (r.below(2)) co_await sleep_ms(1 + r.below(60));
        for (auto& q : requests)
            if (q.ask) world_.left(*q.ask);
        co_return false;
    }
    bool half_closed = sent && world_.limits.allow_half_close && r.below(6) == 0;
    if (half_closed) c.t->finish_send();
    for (size_t i = 0; i < requests.size(); i++) {
        AnswerReader other(requests[i].head_method);
        AnswerReader& reader = i == 0 ? first : other;
        size_t most = leave == Leave::within_answer ? r.below(2'000) : SIZE_MAX;
        co_await read(c, reader, most);
        if (reader.answer.body.size() >= most && !reader.answer.complete) {
            if (r.below(2)) c.t->reset();
            if (requests[i].ask) world_.left(*requests[i].ask);
            co_return false;
        }
        World::Got got{requests[i].ask, requests[i].status, reader.answer, c.served, {}};
        for (auto& q : requests)
            if (q.ask) got.beside.push_back(q.ask);
        world_.got(std::move(got));
        if (!reader.answer.complete || reader.answer.closes || reader.answer.until_close || requests[i].status == 0) co_return false;
    }
    if (!c.in.empty()) world_.violation("bytes behind the last answer: " + c.in.substr(0, 200));
    co_return !half_closed && !c.ended;
}

Task<void> SimClient::run() {
    Random& r = world_.random;
    for (uint64_t connections = 1 + r.below(3); connections > 0; connections--) {
        co_await sleep_ms(1 + r.below(40));
        Connection c;
        pace_ms_ = r.below(3) ? 0 : 40;
        std::tie(c.t, c.served) = world_.dial_gateway();
        for (uint64_t batches = 1 + r.below(3); batches > 0; batches--) {
            bool on = co_await batch(c);
            if (!on) break;
            if (r.below(2)) co_await sleep_ms(1 + r.below(100));
        }
    }
}

}  // namespace weir::sim
