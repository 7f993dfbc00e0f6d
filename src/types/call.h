// The decoded request, whatever dialect it came in. Views live in the request's arena or in Doc::body.
#pragma once
#include <optional>
#include <span>

#include "base/clock.h"
#include "types/doc.h"

namespace weir {

struct HeadersView;                  // wire/http1.h; request headers, valid until the first upstream byte

enum class Api : uint8_t { none, chat, completions, embeddings, responses, messages, models, health, metrics, admin };
enum class Wire : uint8_t { openai, anthropic, sglang_generate, grpc, dynamo, kserve };   // body format spoken on a connection
enum class Dialect : uint8_t { frontend, launch };                                        // whose habits we keep towards clients

struct RequestId {
    uint64_t hi = 0, lo = 0;
    bool operator==(const RequestId&) const = default;
};
struct TraceContext { Str traceparent, tracestate; };

struct Media {
    enum Kind : uint8_t { image, audio, video, file } kind = image;
    enum From : uint8_t { url, data, file_id } from = url;
    Str ref;                         // URL, file id, or base64 text still inside the body (decoded only by who sends bytes)
    Str format;                      // audio "wav", data-URL mime type; empty when not given
    Str detail;                      // image detail: auto, low, high; empty when not given
    uint64_t hash = 0;               // 0 until prepare computes it
    uint32_t tokens = 0;             // placeholder tokens, 0 = unknown
};

struct Part {
    enum class Kind : uint8_t { text, media, thinking, redacted, refusal, tool_result, document, other } kind = Kind::text;
    Str text;
    const Media* media = nullptr;
    Str signature;
    Span raw;                        // the part as sent, for same-family encoders
};

struct ToolCall { Str id, name, arguments; };   // arguments: the text exactly as sent

enum class Role : uint8_t { system, developer, user, assistant, tool, function };
const char* name(Role);

struct Message {
    Role role = Role::user;
    bool content_was_string = false, content_was_null = false;
    std::span<Part> parts;
    std::span<ToolCall> calls;
    Str name, tool_call_id, reasoning;
    Span raw;                        // the message as sent
};

struct Prompt {                      // one item of a completions or embeddings batch: exactly one of the two is set
    Str text;
    std::span<const uint32_t> tokens;
    bool is_tokens = false;
};

struct Tool { Str name, description; Span schema; bool strict = false; Span raw; };   // schema: `parameters`, may be empty

struct ToolChoice {
    enum Kind : uint8_t { unset, none, automatic, required, named, other } kind = unset;
    Str name;                        // named
    Span raw;
};

struct TokenBias { uint32_t id; float bias; };

struct Sampling {
    std::optional<float> temperature, top_p, min_p, presence, frequency, repetition, length_penalty;
    std::optional<int32_t> top_k, n, best_of, max_tokens, min_tokens, max_thinking;
    std::optional<int64_t> seed;
    std::span<Str> stop;
    std::span<uint32_t> stop_ids;
    std::span<TokenBias> logit_bias;
    int8_t logprobs = -1;            // -1 off, 0..20 alternatives
    int8_t prompt_logprobs = -1;
    bool stop_was_string = false;
    bool max_was_completion = false; // sent as max_completion_tokens
    bool ignore_eos = false, include_stop = false, skip_special = true;
};

struct Format {
    enum Kind : uint8_t { free, json_object, json_schema, regex, choice, grammar, structural_tag } kind = free;
    Span body;                       // the schema, pattern or list as sent
    Span raw;                        // the whole member's value
    bool strict = false;
};

using EndpointKey = uint64_t;        // hash of (source, address), see fleet/

struct Taint { Str name; float weight; };

// Everything that may steer routing, wherever it came from (nvext, headers, ext_proc metadata).
struct Hints {
    std::optional<uint64_t> pin, prefill_pin;
    std::optional<uint32_t> dp_rank, prefill_dp_rank;
    std::span<uint64_t> allowed;
    std::span<Str> taints_required;
    std::span<Taint> taints_preferred;
    std::span<EndpointKey> subset;
    bool subset_present = false;     // present and empty means no worker may serve it
    bool session_final = false, dry_run = false, do_not_queue = false;
    Str session, parent_session, routing_key, target_worker, lora, cache_salt, policy_class;
    int32_t priority = 0;
    uint32_t strict_priority = 0;
    float priority_jump_s = 0;
    std::optional<uint32_t> expected_out;
};

namespace wants {                    // bits of Call::wants and Tail::wants
inline constexpr uint32_t stream = 1, include_usage = 2, echo = 4, base64 = 8, token_ids = 16, store = 32, continuous_usage = 64;
}

struct Call {
    RequestId id;
    Str client_request_id;
    TraceContext trace;
    Api api = Api::none;
    Wire wire = Wire::openai;
    Dialect dialect = Dialect::frontend;
    bool full = false;               // everything below `model` was decoded (api::decode_full)
    uint32_t tenant = 0;
    Instant received = 0, deadline = 0;   // steady ns; deadline 0 = none
    const HeadersView* headers = nullptr;
    Doc doc;
    Str model, user;
    uint32_t wants = 0;              // bits of namespace wants
    uint16_t choices = 1;            // n x prompts
    std::span<Message> messages;     // at most one of messages, prompts
    std::span<Prompt> prompts;
    bool prompts_were_list = false;  // a batch, though maybe of one
    std::span<const uint32_t> tokens;// token-in: skips template and encode
    std::span<Tool> tools;
    ToolChoice tool_choice;
    std::optional<bool> parallel_tools;
    std::optional<uint32_t> dimensions;   // embeddings
    Str encoding_format;             // embeddings, as sent; empty when not given
    Format format;
    Sampling sampling;
    Str template_kwargs;             // raw JSON object for the template
    Hints hints;
    std::span<Member> extra;         // members of doc.top that engines of the same family get as sent: unknown ones, and known ones nobody changes
};

}  // namespace weir
