#include "gateway/event_path.h"

#include "api/error_body.h"
#include "gateway/flow.h"
#include "gateway/flow_streaming.h"

namespace weir {

void EventPath::pass(RequestScope& scope, std::string& out) {
    uint32_t tokens = 0;
    for (auto& e : batch_.events) {
        if (e.kind == Event::text || e.kind == Event::reasoning || e.kind == Event::tool_args) tokens++;
        if (e.kind == Event::usage) {
            const Usage& u = *e.as<Usage>();
            scope.usage(u.prompt, u.completion, u.cached);
        }
    }
    out_tokens_ += tokens;
    scope.tokens(batch_.at, tokens);
    encoder_->events(batch_, out);
}

Result<void> EventPath::feed(std::string_view bytes, Instant at, RequestScope& scope, Booking& booking, std::string& out) {
    batch_.clear();
    batch_.at = at;
    TRY_OK(decoder_.feed(bytes, batch_));
    pass(scope, out);
    if (streaming() && out_tokens_ && booking.follows()) {
        booking.prefill_done(at);
        booking.grow(out_tokens_, at);
    }
    return Nothing{};
}

Result<void> EventPath::finish(RequestScope& scope, std::string& out) {
    batch_.clear();
    TRY_OK(decoder_.finish(batch_));
    pass(scope, out);
    if (!encoder_->failure()) encoder_->end(out);
    return Nothing{};
}

// Pulls the engine's answer through decode and encode. Unary answers are folded and leave whole.
Task<void> Flow::stream_events(HttpExchange& http, RequestScope& scope, CoreState& here, Streaming& s) {
    EventPath& path = *s.events;
    std::string out, lines;
    append_header(lines, "content-type", path.encoder().content_type());
    if (path.streaming()) lines.append("cache-control: no-cache\r\n");
    append_own_lines(lines, scope);
    Reply head;
    head.status = scope.outcome().status;
    head.lines = lines;
    std::optional<Failure> failure;
    for (bool end = false; !end && !failure;) {
        s.upstream->deadline_in(s.deadline ? std::max<uint64_t>(1, (s.deadline - std::min(s.deadline, here.core.now())) / ns_per_ms) : 0);
        auto piece = co_await s.upstream->next();
        bool cut_behind_done = !piece && path.streaming() && path.done() && piece.error()->code != Code::deadline;
        if (cut_behind_done) piece = Piece{{}, true};   // only the framing's end is missing
        if (!piece) {
            failure.emplace(std::move(piece).error());
            break;
        }
        end = piece->end;
        out.clear();
        Result<void> fed = path.feed(piece->bytes, here.core.now(), scope, s.booking, out);
        if (fed && end) fed = path.finish(scope, out);
        if (!fed) {
            failure.emplace(std::move(fed).error());
        } else if (path.encoder().failure()) {
            failure.emplace(Code::engine_status, path.encoder().failure()->message);
            **failure = *path.encoder().failure();
        }
        if (!path.streaming()) continue;
        bool ok = true;
        iovec v{out.data(), out.size()};
        if (!http.begun()) {
            scope.first_byte();
            ok = http.begin(head, {&v, out.empty() ? 0u : 1u}, end && !failure);
        } else if (!out.empty() || end) {
            ok = http.write({&v, out.empty() ? 0u : 1u}, end && !failure);
        }
        scope.busy(here.core.clock().now() - here.core.now());
        if (ok && http.blocked()) {
            s.upstream->hold();
            ok = co_await http.drained();
        }
        if (!ok) co_return fail(http, scope, Failure(Code::cancelled, "client left"));
    }
    if (failure && path.streaming() && http.begun()) {
        scope.finish((*failure)->code == Code::incomplete ? Code::lost_mid_stream : (*failure)->code, Outcome::worker_lost);
        out.clear();
        if (!path.encoder().failure()) path.encoder().fail(**failure, out);   // else the encoder wrote the engine's own error frame
        http.write_text(out, true);
        co_return;
    }
    if (failure) co_return fail(http, scope, *failure);
    if (!path.streaming()) {
        scope.first_byte();
        http.reply(head, out);
    }
    scope.finish(Code::ok, Outcome::engine);
}

}  // namespace weir
