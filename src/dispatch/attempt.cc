#include "dispatch/attempt.h"

namespace weir::dispatch {
namespace {

bool send_over(Upstream& upstream, const HttpExchange& client, const Outgoing& out) {
    std::string_view body = out.own_body ? out.body : client.body();
    iovec v{const_cast<char*>(body.data()), body.size()};
    return upstream.send({out.method, out.path, out.lines, {&v, body.empty() ? 0u : 1u}});
}

Failure half_sent() { return Failure(Code::reset_before_byte, "the worker closed the connection while the request was sent"); }

}  // namespace

Result<bool> send_now(ClientPool& pool, const Target& target, HttpExchange& client, const Outgoing& out, Sent& sent) {
    for (;;) {
        sent.upstream = pool.take(target);
        if (!sent.upstream) return false;
        sent.reused = true;
        if (send_over(*sent.upstream, client, out)) return true;
        if (sent.upstream->bytes_accepted()) return half_sent();
    }
}

Task<Result<void>> send(ClientPool& pool, const Target& target, HttpExchange& client, const Outgoing& out, Sent& sent) {
    if (!client.hold()) co_return Failure(Code::shed, "the gateway's budget for request bodies is used up");
    Instant before = Core::here().now();
    auto opened = co_await pool.open(target);
    sent.waited_ns += Core::here().now() - before;
    if (!opened) co_return std::move(opened).error();
    sent.upstream = *std::move(opened);
    sent.reused = false;
    if (send_over(*sent.upstream, client, out)) co_return Nothing{};
    if (sent.upstream->bytes_accepted()) co_return half_sent();
    co_return Failure(Code::connect_failed, "the worker closed a new connection");
}

}  // namespace weir::dispatch
