// One answer under way: takes the engine's tokens, gives body bytes when they are due, applies the faults meant for it.
#pragma once
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "mocker/answer.h"
#include "sim/faults.h"

namespace weir::mocker {

struct Step {
    enum Then : uint8_t {
        wait,        // nothing more now: call again at `wake`, or when tokens came
        end,         // the body is complete
        close,       // the connection is to be closed (FIN) where it stands
        abort,       // ... reset (RST)
    } then = wait;
    Instant wake = sim::never;
};

// Owned by whoever serves the request; destroying it cancels what still runs in the engine, which outlives it.
class Generation {
public:
    Generation(sim::EngineModel& engine, Ask ask, AnswerHead head, sim::Fault fault, Instant now);
    ~Generation();
    Generation(const Generation&) = delete;

    // Submits all prompts under ids first_id, first_id + 1, ... (one each).
    Result<void> submit(uint64_t first_id, uint64_t seed, uint32_t natural_min, uint32_t natural_max, Instant now);
    void on_token(const sim::TokenEvent&);     // from the engine's sink: stores it, calls on_tokens
    std::function<void()> on_tokens;           // set by whoever waits; must not call back at once

    // Appends the body bytes that are due at `now`.
    Step next(Instant now, std::string& out);

    bool stream() const { return ask_.stream; }
    std::string_view content_type() const { return stream() ? "text/event-stream; charset=utf-8" : "application/json"; }
    // Of a body that is given in one piece, known once next() gave it; a fault may give less than this. -1: a stream.
    int64_t length() const { return stream() ? -1 : length_; }
    const sim::Fault& fault() const { return fault_; }
    bool cancelled() const { return running_ > 0; }   // would its destruction cancel anything?
    const AnswerHead& head() const { return head_; }

private:
    bool due(Instant now, const sim::TokenEvent&, Step&);
    void take(const sim::TokenEvent&, std::string& out);
    bool match_stop(Choice&, size_t old_size);
    size_t showable(const Choice&) const;
    void show(std::string& out, size_t index);
    void spoil(std::string& out, size_t index);
    Step finish(std::string& out, Instant now);

    sim::EngineModel& engine_;
    Ask ask_;
    AnswerHead head_;
    sim::Fault fault_;
    std::unique_ptr<Answer> answer_;
    std::vector<Choice> choices_;
    std::vector<sim::TokenEvent> pending_;     // given by the engine, not yet due; at most the tokens asked for
    size_t pending_at_ = 0, running_ = 0, stop_bytes_max_ = 0;
    uint64_t first_id_ = 0, tokens_out_ = 0;
    Instant start_, stall_until_ = 0;
    int64_t length_ = -1;
    bool stalled_ = false, spoiled_ = false, done_ = false;
};

}  // namespace weir::mocker
