// Runs a request through a simulated engine without sockets, on a clock of its own, for tests.
#pragma once
#include "mocker/engine.h"

namespace weir::mocker {

struct Driven {
    int status = 0;
    std::string lines, body;
    Step::Then then = Step::end;
    Instant end = 0;                  // when it was over
    bool hangs = false;               // nothing would ever come
    std::vector<std::pair<Instant, std::string>> pieces;
};

struct Bench {
    explicit Bench(EngineSettings settings = {}, uint32_t index = 0) : engine(std::move(settings), index, now, wall) {}
    static constexpr Instant start = 1'000 * ns_per_s;
    Instant now = start;
    UnixMs wall = 1'700'000'000'000;
    MockEngine engine;

    Outcome begin(std::string_view path, std::string_view body, std::string_view fault = {}, std::string_view method = "POST") {
        MockRequest r;
        r.method = method, r.path = path, r.body = body, r.fault = fault;
        return engine.answer(r, now, wall);
    }
    // Moves time until the generation is over, or until nothing can happen any more.
    Driven finish(Outcome o) {
        Driven d;
        d.status = o.reply.status, d.lines = o.reply.lines, d.body = o.reply.body;
        if (!o.generation) return d;
        d.lines = "content-type: " + std::string(o.generation->content_type()) + "\r\n";
        for (;;) {
            engine.advance(now);
            std::string out;
            const Step step = o.generation->next(now, out);
            if (!out.empty()) d.pieces.emplace_back(now, out);
            d.body += out;
            d.then = step.then;
            d.end = now;
            if (step.then != Step::wait) break;
            const Instant next = std::min(step.wake, engine.next_event_time());
            if (next == sim::never) {
                d.hangs = true;
                break;
            }
            now = std::max(now, next);
        }
        engine.finished(*o.generation);
        return d;
    }
    Driven post(std::string_view path, std::string_view body, std::string_view fault = {}) { return finish(begin(path, body, fault)); }
    Driven get(std::string_view path) { return finish(begin(path, {}, {}, "GET")); }
};

inline EngineSettings instant_engine(EngineKind kind = EngineKind::vllm) {
    EngineSettings s;
    s.kind = kind;
    s.model = "mock";
    s.engine.speedup_ratio = 0;
    s.engine.block_size = 4, s.engine.num_blocks = 256;
    s.dimensions = 4;
    return s;
}

}  // namespace weir::mocker
