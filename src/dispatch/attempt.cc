#include "dispatch/attempt.h"

namespace weir::dispatch {

Task<Result<Sent>> send(ClientPool& pool, const Target& target, HttpExchange& client, const std::string& lines, std::string_view method,
                        const std::string& path, std::string_view edited_body) {
    Sent sent;
    for (;;) {
        sent.upstream = pool.take(target);
        sent.reused = sent.upstream != nullptr;
        if (!sent.upstream) {
            if (!client.hold()) co_return Failure(Code::shed, "the gateway's budget for request bodies is used up");
            Instant before = Core::here().now();
            auto opened = co_await pool.open(target);
            sent.waited_ns += Core::here().now() - before;
            if (!opened) co_return std::move(opened).error();
            sent.upstream = *std::move(opened);
        }
        std::string_view body = edited_body.data() ? edited_body : client.body();
        iovec v{const_cast<char*>(body.data()), body.size()};
        UpstreamRequest request{method, path, lines, {&v, body.empty() ? 0u : 1u}};
        if (sent.upstream->send(request)) co_return sent;
        if (sent.upstream->bytes_accepted())
            co_return Failure(Code::reset_before_byte, "the worker closed the connection while the request was sent");
        if (!sent.reused) co_return Failure(Code::connect_failed, "the worker closed a new connection");
    }
}

}  // namespace weir::dispatch
