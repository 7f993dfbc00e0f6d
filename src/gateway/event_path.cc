#include "gateway/event_path.h"

#include "api/error_body.h"
#include "dispatch/http_stream.h"
#include "gateway/flow.h"
#include "gateway/flow_streaming.h"
#include "obs/log.h"

namespace weir {

void EventPath::count(const Batch& batch, RequestScope& scope, Booking& booking) {
    uint32_t tokens = 0;
    for (auto& e : batch.events) {
        if (e.kind == Event::text || e.kind == Event::reasoning || e.kind == Event::tool_args) tokens++;
        if (e.kind == Event::usage) {
            const Usage& u = *e.as<Usage>();
            scope.usage(u.prompt, u.completion, u.cached);
        }
    }
    if (text_) tokens = text_->tokens() - out_tokens_;
    out_tokens_ += tokens;
    scope.tokens(batch.at, tokens);
    if ((streaming() || text_) && out_tokens_ && booking.follows()) {
        booking.prefill_done(batch.at);
        booking.grow(out_tokens_, batch.at);
    }
}

void EventPath::end(RequestScope& scope, std::string& out) {
    if (text_) {
        spelled_.clear();
        text_->usage(spelled_);
        const Usage& u = *spelled_.events.back().as<Usage>();
        scope.usage(u.prompt, u.completion, u.cached);
        encoder_->events(spelled_, out);
    }
    if (!encoder_->failure()) encoder_->end(out);
}

Task<Result<bool>> EventPath::next(RequestScope& scope, Booking& booking, std::string& out) {
    CO_TRY(size_t n, co_await stream_->next(batch_));
    bool more = n > 0 && !stream_->complete();
    if (n > 0 && text_) {
        spelled_.clear();
        text_->run(batch_, spelled_);
        if (more && text_->cut()) {
            stream_->stop_now();
            more = false;
        }
    }
    const Batch& shown = text_ ? spelled_ : batch_;
    if (n > 0) {
        count(shown, scope, booking);
        encoder_->events(shown, out);
    }
    if (const FailureBody* said = encoder_->failure()) {
        Failure failure(said->code, said->message);
        *failure = *said;
        co_return failure;
    }
    if (!more) end(scope, out);
    co_return more;
}

// Pulls the engine's answer through decode and encode. Unary answers are folded and leave whole.
Task<void> Flow::stream_events(HttpExchange& http, RequestScope& scope, CoreState& here, Streaming& s) {
    EventPath& path = *s.events;
    if (!path.has_stream()) path.from(dispatch::http_events(*s.upstream, path.api(), path.streaming(), s.deadline));
    std::string out, lines;
    append_header(lines, "content-type", path.encoder().content_type());
    if (path.streaming()) lines.append("cache-control: no-cache\r\n");
    append_own_lines(lines, scope);
    Reply head;
    head.status = scope.outcome().status;
    head.lines = lines;
    std::optional<Failure> failure;
    for (bool end = false; !end && !failure;) {
        out.clear();
        auto more = co_await path.next(scope, s.booking, out);
        if (!more) failure.emplace(std::move(more).error());
        end = more && !*more;
        if (!path.streaming()) continue;
        bool ok = true;
        iovec v{out.data(), out.size()};
        if (!http.begun()) {
            // Nothing was said yet: a plain error, unless the engine did answer, only not well.
            if (failure && out.empty() && (*failure)->code != Code::engine_garbage && (*failure)->code != Code::incomplete) break;
            scope.first_byte();
            ok = http.begin(head, {&v, out.empty() ? 0u : 1u}, end);
        } else if (!out.empty() || end) {
            ok = http.write({&v, out.empty() ? 0u : 1u}, end);
        }
        scope.busy(here.core.clock().now() - here.core.now());
        if (ok && !end && http.blocked()) {
            path.stream().hold();
            ok = co_await http.drained();
        }
        if (!ok) co_return fail(http, scope, Failure(Code::cancelled, "client left"));
    }
    if (failure && (*failure)->code != Code::cancelled)
        LOG_WARN(respond, "an answer broke off", {"worker", s.worker ? s.worker->url : Str()}, {"code", name((*failure)->code)}, {"why", (*failure)->message},
                 {"kind", (*failure)->reason}, {"detail", (*failure)->detail}, {"request_id", scope.id()});
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
    s.booking.release(scope.outcome());
    co_await path.stream().finish();
}

}  // namespace weir
