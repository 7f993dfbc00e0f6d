#include "dispatch/relay.h"

#include "wire/sse.h"

#include <algorithm>

namespace weir::dispatch {
namespace {

constexpr std::string_view keepalive_comment = ": keep-alive\n\n";

iovec piece_of(std::string_view bytes) { return {const_cast<char*>(bytes.data()), bytes.size()}; }

// Where in the stream of events the bytes end. Framed bytes carry the chunk's CRLF behind the payload.
void note_end(Relay& r, std::string_view bytes) {
    if (r.framed) {
        if (bytes.ends_with(last_chunk)) bytes.remove_suffix(last_chunk.size());
        if (bytes.ends_with("\r\n")) bytes.remove_suffix(2);
    }
    if (bytes.empty()) return;   // framing alone
    size_t n = std::min(bytes.size(), r.tail.size());
    std::copy(r.tail.begin() + static_cast<long>(n), r.tail.end(), r.tail.begin());
    std::copy(bytes.end() - static_cast<long>(n), bytes.end(), r.tail.end() - static_cast<long>(n));
    std::string_view tail(r.tail.data(), r.tail.size());
    r.at_boundary = tail.ends_with("\n\n") || tail.ends_with("\r\n\r\n") || tail.ends_with("\r\r");
    r.done = tail == sse_done;
}

void note(Relay& r, Upstream& up, std::string_view bytes, Observer& observer) {
    observer.passed(bytes, Core::here().now());
    if (r.framed) r.between_chunks = up.between_chunks();
    if (r.sse && !bytes.empty()) note_end(r, bytes);
}

// Everything that is here already goes out in as few writes as there are pieces.
bool pass_ready(Relay& r, HttpExchange& client, Upstream& up, Observer& observer) {
    for (Piece piece; !r.ended && up.poll(piece) == Upstream::Poll::got;) {
        note(r, up, piece.bytes, observer);
        iovec v = piece_of(piece.bytes);
        if (!client.write({&v, piece.bytes.empty() ? 0u : 1u}, piece.end)) return false;
        r.ended = piece.end;
        if (client.blocked()) break;
    }
    return true;
}

}  // namespace

bool begin(Relay& r, HttpExchange& client, Upstream& up, const ResponseHead& head, std::string_view lines, bool has_date,
           Observer& observer) {
    auto type = head.headers.get("content-type");
    // With a length there is no room for anything of ours.
    r.sse = head.body != BodyKind::length && type.size() >= 17 && same_ignoring_case(type.substr(0, 17), "text/event-stream");
    r.framed = head.body == BodyKind::chunked && client.takes_framed() && up.set_framed(true);
    Reply reply;
    reply.status = head.status;
    reply.lines = lines;
    reply.has_date = has_date;
    reply.framed = r.framed;
    reply.length = head.body == BodyKind::none ? 0 : head.body == BodyKind::length ? static_cast<int64_t>(head.content_length) : -1;
    Piece first;
    if (up.poll(first) == Upstream::Poll::got) note(r, up, first.bytes, observer);
    iovec v = piece_of(first.bytes);
    bool ok = client.begin(reply, {&v, first.bytes.empty() ? 0u : 1u}, first.end);
    r.ended = first.end;
    ok = ok && (client.blocked() || pass_ready(r, client, up, observer));
    Core& core = Core::here();
    r.busy_ns += core.clock().now() - core.now();
    return ok;
}

Task<Result<void>> run(Relay& r, HttpExchange& client, Upstream& up, const RelayRules& rules, Instant deadline, Observer& observer) {
    Core& core = Core::here();
    uint64_t silent_ms = 0;
    while (!r.ended) {
        if (client.blocked()) {
            up.hold();
            bool taken = co_await client.drained();
            if (!taken) co_return Failure(Code::cancelled, "client left");
            if (!pass_ready(r, client, up, observer)) co_return Failure(Code::cancelled, "client left");
            continue;
        }
        uint64_t wait_ms = rules.keepalive_ms && r.sse ? rules.keepalive_ms : 0;
        if (rules.idle_ms) wait_ms = std::min(wait_ms ? wait_ms : UINT64_MAX, rules.idle_ms - std::min(rules.idle_ms - 1, silent_ms));
        if (deadline) {
            uint64_t left_ms = deadline > core.now() ? (deadline - core.now()) / ns_per_ms + 1 : 1;
            wait_ms = std::min(wait_ms ? wait_ms : UINT64_MAX, left_ms);
        }
        up.deadline_in(wait_ms);
        NextPiece next(up);
        Upstream::Poll state = co_await next;
        if (state == Upstream::Poll::failed) {
            Failure failure = up.failure();
            if (failure->code != Code::deadline) co_return failure;
            silent_ms += wait_ms;
            if (deadline && core.now() >= deadline)
                co_return Failure(Code::deadline, "the request took longer than the gateway's time limit");
            if (rules.idle_ms && silent_ms >= rules.idle_ms) co_return failure;
            if (r.sse && r.at_boundary && (!r.framed || r.between_chunks) && !insert(r, client, keepalive_comment, false))
                co_return Failure(Code::cancelled, "client left");
            continue;
        }
        silent_ms = 0;
        note(r, up, next.piece.bytes, observer);
        iovec v = piece_of(next.piece.bytes);
        bool ok = client.write({&v, next.piece.bytes.empty() ? 0u : 1u}, next.piece.end);
        r.ended = next.piece.end;
        ok = ok && (client.blocked() || pass_ready(r, client, up, observer));
        r.busy_ns += core.clock().now() - core.now();
        if (!ok) co_return Failure(Code::cancelled, "client left");
    }
    co_return Nothing{};
}

bool insert(Relay& r, HttpExchange& client, std::string_view text, bool end) {
    if (end) r.ended = true;
    if (!r.framed) return client.write_text(text, end);
    std::string framed;
    append_chunk(framed, text);
    if (end) framed.append(last_chunk);
    return client.write_text(framed, end);
}

}  // namespace weir::dispatch
