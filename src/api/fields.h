// The request fields we know: one row each, with type and range. Light decoding, "unsupported parameter" and /openapi.json read it.
#pragma once
#include <span>

#include "api/dialect.h"
#include "base/arena.h"
#include "base/result.h"

namespace weir::api {

enum class Field : uint8_t {
    unknown, opaque,                     // opaque: known and allowed, passed on as sent
    model, messages, prompt, input, stream, stream_options, user, n, best_of, max_tokens, max_completion_tokens, min_tokens,
    temperature, top_p, top_k, min_p, presence_penalty, frequency_penalty, repetition_penalty, length_penalty, seed, stop,
    stop_token_ids, logit_bias, logprobs, top_logprobs, completion_logprobs, prompt_logprobs, echo, tools, tool_choice, parallel_tool_calls,
    response_format, guided_json, guided_regex, guided_choice, guided_grammar, structural_tag, ignore_eos, include_stop, skip_special,
    template_kwargs, cache_salt, priority, nvext, dimensions, encoding_format, store, thinking_budget,
};

enum class Type : uint8_t { any, boolean, text, u8, u32, i32, i64, f32, list, object, text_or_list };

namespace in { inline constexpr uint8_t chat = 1, completions = 2, embeddings = 4, all = 7, text = 3; }

struct FieldRow {
    Str name;
    Field field;
    Type type;
    uint8_t apis;                        // bits of namespace in
    double low = 0, high = 0;            // inclusive; both 0: no range
    Str label = {};                      // how the frontend dialect names it in range errors
    bool launch_only = false;            // unknown to the frontend dialect
    Str about = {};                      // for /openapi.json
};

std::span<const FieldRow> fields();      // sorted by name
const FieldRow* find_field(Str name, Api);   // null: unknown there

// Where in the text: " at line 1 column 45". Columns count bytes from 1 and name the last byte read.
std::string place(Str body, size_t bytes_read);

Str clip(Str text, size_t bytes_max);   // shortened between characters

// serde's words for a value of the wrong type: "invalid type: string \"x\", expected a sequence".
std::string wrong_type(Str value, Str expected);
// Null if `value` has the type, else what was expected and whether the value, not the type, is at fault (out of range).
struct Mismatch { const char* expected = nullptr; bool value = false; explicit operator bool() const { return expected; } };
Mismatch check_type(Type, Str value);

// A body the decoder refuses, in the dialect's words. `param`: dotted path. `at`: bytes read when it was noticed (launch).
struct Refuse {
    const Options& options;
    Str body;
    Failure syntax(Failure from_scan) const;
    Failure missing(Str field, size_t at, Str parent = {}) const;
    Failure type(Str value, Str expected, Str param, bool out_of_range = false) const;    // value: a view into body
    // Any other sentence of serde's. `exact`: even the frontend dialect names `at` and not the end of the object.
    Failure say(std::string what, Str param, size_t at, const char* reason, bool exact = false) const;
    Failure invalid(std::string message, Str param, const char* reason) const;            // validation, no place
    size_t after(Str value) const { return static_cast<size_t>(value.data() + value.size() - body.data()); }
    size_t root_end() const;             // behind the closing brace
};

// Nothing when in range; else the dialect's failure.
std::optional<Failure> check_range(const Refuse&, const FieldRow&, Str name, Str value);

}  // namespace weir::api
