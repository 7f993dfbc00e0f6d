#include "mocker/service.h"

#include "mocker/broken.h"

namespace weir::mocker {
namespace {

constexpr size_t body_bytes_max = size_t{512} * 1024 * 1024;

// forever: until the client gives up, which destroys the coroutine.
Task<void> wait_ms(uint64_t ms) {
    while (ms == sim::forever_ms) co_await sleep_ms(3'600'000);
    co_await sleep_ms(ms);
}

MockRequest request_of(const HttpExchange& x) {
    const RequestHead& h = x.head();
    MockRequest r;
    r.method = h.method, r.path = h.path, r.query = h.query, r.body = x.body();
    r.request_id = h.headers.get("x-request-id");
    r.fault = h.headers.get("x-weir-fault");
    r.authorization = h.headers.get("authorization");
    r.rank = h.headers.get("x-data-parallel-rank");
    return r;
}

void break_off(HttpExchange& x, std::string_view raw, bool reset) {
    if (!x.break_off(raw, reset)) x.abort();   // HTTP/2 has no bytes of its own to break
}

}  // namespace

// The generation of one request, and the signal that its tokens came.
struct EngineService::Running {
    Running(MockEngine& engine, std::unique_ptr<Generation> g) : engine(engine), generation(std::move(g)) {
        generation->on_tokens = [this] { tokens.notify(); };
    }
    ~Running() {
        if (!over) engine.finished(*generation);   // the client left
    }
    MockEngine& engine;
    std::unique_ptr<Generation> generation;
    Signal tokens;
    bool over = false;
};

EngineService::EngineService(MockEngine& engine, Core& core, const ServerLimits& limits, ListenAt at)
    : engine_(engine), core_(core), at_(std::move(at)),
      pace_(core, [&engine](Instant now) { engine.advance(now); }, [&engine] { return engine.next_event_time(); }),
      server_(std::make_unique<Server>(std::vector<Core*>{&core}, *this, limits, nullptr)) {
    gate_.service = this;
    gate_.fire = [](Timer& t) { static_cast<Alarm&>(t).service->mind_gate(); };
}

EngineService::~EngineService() {
    Core::Enter enter(core_);
    server_.reset();   // first: its connections use the rest
}

Result<void> EngineService::listen() {
    auto done = server_->listen(at_);
    if (!done) return done;
    at_.port = port_ = server_->port();
    return Nothing{};
}

void EngineService::start() {
    open_ = !engine_.faults().refusing(core_.clock().now());
    if (open_) server_->start();
    else server_->stop_accepting();
    core_.post([this] { mind_gate(); });
}

void EngineService::mind_gate() {
    const Instant now = core_.now_exact();
    const bool refusing = engine_.faults().refusing(now);
    if (refusing && open_) {
        server_->stop_accepting();
        open_ = false;
    } else if (!refusing && !open_) {
        auto done = server_->listen(at_);
        if (done) server_->start();
        open_ = static_cast<bool>(done);
        if (!open_) core_.arm(gate_, 10);   // somebody took the port: try again
    }
    const Instant next = engine_.faults().refusing_changes(now);
    if (next && !gate_.armed()) core_.arm(gate_, ms_until(next, now));
}

void EngineService::refuse(int status, std::string_view why, std::string& lines, std::string& body) {
    MockReply r = error_reply(engine_.settings().kind, status, why);
    lines.append(r.lines);
    body.append(r.body);
}

Task<void> EngineService::serve(HttpExchange& x) {
    Outcome outcome = co_await ask(x);
    x.drop_body();
    const sim::Fault fault = outcome.fault;
    const bool silent = breaks_http(fault.wrong) && !needs_body(fault.wrong);
    if (silent) break_off(x, broken_answer(fault.wrong, 200, {}, {}), fault.drop == sim::Fault::reset);
    else if (outcome.generation) co_await generate(x, outcome);
    else co_await reply(x, outcome);
    if (fault.close_after || fault.idle_close_ms) co_await after(x, fault);
}

Task<Outcome> EngineService::ask(HttpExchange& x) {
    auto body = co_await x.read_body(body_bytes_max);
    if (body) {
        const MockRequest request = request_of(x);
        co_return engine_.answer(request, core_.now_exact(), core_.clock().wall());
    }
    const Code code = body.error()->code;
    const int status = code == Code::too_large ? 413 : code == Code::request_timeout ? 408 : code == Code::shed ? 503 : 400;
    Outcome refused;
    refused.reply = error_reply(engine_.settings().kind, status, body.error()->message);
    co_return refused;
}

// A whole answer that is there at once.
Task<void> EngineService::reply(HttpExchange& x, const Outcome& o) {
    const sim::Fault& f = o.fault;
    if (f.stall_ms) co_await wait_ms(f.stall_ms);
    std::string body = o.reply.body;
    spoil_body(f.wrong, body);
    if (f.drop != sim::Fault::stay) {
        break_off(x, {}, f.drop == sim::Fault::reset);
    } else if (needs_body(f.wrong)) {
        break_off(x, broken_answer(f.wrong, o.reply.status, o.reply.lines, body), false);
    } else {
        Reply r;
        r.status = o.reply.status;
        r.lines = o.reply.lines;
        r.close = f.close_after && f.announce;
        x.reply(r, body);
    }
}

Task<void> EngineService::generate(HttpExchange& x, Outcome& o) {
    Running run(engine_, std::move(o.generation));
    Generation& g = *run.generation;
    pace_.poke();
    if (needs_body(g.fault().wrong)) {
        co_await collect(x, run);
        co_return;
    }
    std::string lines = "content-type: ", out;
    lines.append(g.content_type()).append("\r\n");
    if (g.stream()) lines.append("cache-control: no-cache\r\n");
    Reply r;
    r.lines = lines;
    r.close = g.fault().close_after && g.fault().announce;
    for (;;) {
        out.clear();
        const Step step = g.next(core_.now_exact(), out);
        run.over = step.then != Step::wait;
        const iovec piece{out.data(), out.size()};
        const std::span<const iovec> payload(&piece, out.empty() ? 0 : 1);
        const bool silent = !x.begun() && out.empty() && (run.over ? step.then != Step::end : !g.stream() || g.fault().stall_ms);
        if (!silent) {
            r.length = g.length();
            const bool end = step.then == Step::end;
            bool sent = true;
            if (!x.begun()) sent = x.begin(r, payload, end);
            else if (!out.empty() || end) sent = x.write(payload, end);
            if (!sent) co_return;
        }
        if (step.then == Step::close || step.then == Step::abort) break_off(x, {}, step.then == Step::abort);
        if (run.over) co_return;
        if (x.blocked()) {
            const bool on = co_await x.drained();
            if (!on) co_return;
        }
        if (step.wake == sim::never) co_await run.tokens.wait();
        else co_await sleep_ms(ms_until(step.wake, core_.now()));
    }
}

// Waits for the body, then sends it in a broken frame.
Task<void> EngineService::collect(HttpExchange& x, Running& run) {
    Generation& g = *run.generation;
    std::string body, lines = "content-type: ";
    lines.append(g.content_type()).append("\r\n");
    for (;;) {
        const Step step = g.next(core_.now_exact(), body);
        run.over = step.then != Step::wait;
        if (run.over) break;
        if (step.wake == sim::never) co_await run.tokens.wait();
        else co_await sleep_ms(ms_until(step.wake, core_.now()));
    }
    break_off(x, broken_answer(g.fault().wrong, 200, lines, body), false);
}

// The connection ends although its answer was complete.
Task<void> EngineService::after(HttpExchange& x, const sim::Fault& f) {
    if (!x.ended() || (f.close_after && f.announce)) co_return;
    const bool out = co_await x.drained();
    if (!out) co_return;
    if (f.idle_close_ms && !f.close_after) co_await sleep_ms(f.idle_close_ms);
    break_off(x, {}, false);
}

}  // namespace weir::mocker
