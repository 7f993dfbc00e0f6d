// One step of an answer, between any engine and any dialect; and a batch of them (all frames of one read).
#pragma once
#include <span>
#include <vector>

#include "base/arena.h"
#include "base/clock.h"
#include "base/result.h"
#include "types/doc.h"

namespace weir {

struct Usage {                       // tokens; prompt = the client's prompt, never a replay's
    uint32_t prompt = 0, completion = 0, cached = 0, reasoning = 0, audio_in = 0, audio_out = 0, accepted_spec = 0;
    bool from_engine = false;
    bool has_cached = false, has_reasoning = false;   // the engine spoke of them, even if 0
    uint32_t total() const { return prompt + completion; }
};

enum class FinishReason : uint8_t { stop, length, tool_calls, content_filter, function_call, error, abort, other };
const char* name(FinishReason);      // as in OpenAI bodies; other: "stop"

struct TokenLogprob {
    Str token;                       // text of the token
    Str bytes;                       // raw JSON list as the engine sent it; empty: derived from `token`
    float logprob = 0;
    bool null_logprob = false;       // completions with echo: the first token has none
    uint32_t text_offset = 0;        // completions
    std::span<TokenLogprob> top;     // alternatives, best first
};

// Payloads of Event::more, by kind.
struct BeginHead {                   // begin: what the engine said about the answer as a whole
    Str id, model, fingerprint;      // empty when not said; fingerprint may be the JSON text null
    int64_t created = 0;             // unix seconds
    Str extra;                       // further top-level members as JSON text `"k":v,"k":v`, for encoders of the same family
};
struct ToolHead { Str id, name; };   // tool_begin
struct FinishHead {                  // finish
    Str reason;                      // the word as the engine sent it when FinishReason is `other`
};
struct Logprobs {                    // text, reasoning, finish: tokens this event's text is made of
    std::span<TokenLogprob> content, refusal;
    Str raw;                         // the whole object as the engine sent it; same-family encoders copy it
};
struct BlobHead { Str mime, filename; };

// 40 bytes, POD. Views and `more` are valid until the next next() on that stream (they live in the Batch).
struct Event {
    enum Kind : uint8_t {
        begin,        // more: BeginHead*
        tokens,       // data: packed u32 ids
        text,         // data: utf-8; more: Logprobs* or null
        reasoning,    // data: utf-8
        refusal,      // data: utf-8
        tool_begin,   // index: tool; more: ToolHead*
        tool_args,    // index: tool; data: argument fragment
        tool_end,     // index: tool
        item,         // data: members only this family understands, JSON text `"k":v,"k":v`; index: ItemKind
        blob,         // data: bytes; first one has more: BlobHead*
        vector,       // choice: row; data: packed f32, or by flag base64 text or the JSON list as sent
        usage,        // more: Usage*; data: the object as the engine sent it, or empty
        annotation,   // data: raw JSON
        finish,       // index: FinishReason; more: FinishHead* or null
        failure,      // index: Code; more: FailureBody* or null; data: the engine's error object as JSON, or empty
        ping,
    };
    // role: this step names the role (text). end_of_frame: the engine's frame ends here, so does a chunk. null_text: no text, though
    // the field was there or is due. base64, json_list: how `data` of a vector is spelled; neither: packed f32.
    static constexpr uint8_t last_of_read = 1, from_prefill_leg = 2, replayed = 4, base64 = 8, role = 16, end_of_frame = 32, json_list = 64,
                             null_text = 128;
    Kind kind = ping;
    uint8_t flags = 0;
    uint16_t choice = 0;             // n x prompts, flattened
    uint32_t index = 0;
    Str data;
    const void* more = nullptr;
    Instant at = 0;                  // ns when the frame was read
    Code code() const { return static_cast<Code>(index); }
    FinishReason finish_reason() const { return static_cast<FinishReason>(index); }
    template <class T>
    const T* as() const { return static_cast<const T*>(more); }
};
static_assert(sizeof(Event) == 40);

enum class ItemKind : uint32_t { message, choice, answer };   // whose members: of the delta or message, of the choice or row, of the whole

// All events of one read, and the memory their views point into. Reused from read to read; belongs to one core.
struct Batch {
    std::vector<Event> events;
    Arena arena;
    Instant at = 0;
    void clear() { events.clear(); arena.reset(); }
    Event& add(Event::Kind kind, uint16_t choice = 0) {
        Event& e = events.emplace_back();
        e.kind = kind;
        e.choice = choice;
        e.at = at;
        return e;
    }
};

}  // namespace weir
