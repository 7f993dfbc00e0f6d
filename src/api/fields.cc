#include "api/fields.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>

#include "wire/json_walk.h"
#include "wire/utf8.h"

namespace weir::api {
namespace {

using F = Field;
using T = Type;
constexpr double unbounded = 4294967295.0;

// Sorted by name (checked below). Lists of the peer's present release; rows with launch_only are SGLang's and vLLM's, which pass there.
constexpr std::array table = {
    FieldRow{"add_generation_prompt", F::opaque, T::boolean, in::chat},
    FieldRow{"add_special_tokens", F::opaque, T::boolean, in::all},
    FieldRow{"audio", F::opaque, T::object, in::chat},
    FieldRow{"best_of", F::best_of, T::u8, in::completions, 1, 20, "Best_of", false, "Candidates generated, of which n are returned"},
    FieldRow{"cache_salt", F::cache_salt, T::text, in::all},
    FieldRow{"chat_template_args", F::template_kwargs, T::object, in::chat, 0, 0, {}, false, "Variables for the chat template"},
    FieldRow{"chat_template_kwargs", F::template_kwargs, T::object, in::chat, 0, 0, {}, false, "Variables for the chat template"},
    FieldRow{"continue_final_message", F::opaque, T::boolean, in::chat},
    FieldRow{"dimensions", F::dimensions, T::u32, in::embeddings, 1, unbounded, "Dimensions", false, "Length of the vectors, if the model allows it"},
    FieldRow{"echo", F::echo, T::boolean, in::completions, 0, 0, {}, false, "Return the prompt in front of the completion"},
    FieldRow{"encoding_format", F::encoding_format, T::text, in::embeddings, 0, 0, {}, false, "float or base64"},
    FieldRow{"frequency_penalty", F::frequency_penalty, T::f32, in::text, -2, 2, "Frequency_penalty"},
    FieldRow{"function_call", F::opaque, T::any, in::chat},
    FieldRow{"functions", F::opaque, T::list, in::chat},
    FieldRow{"guided_choice", F::guided_choice, T::list, in::text, 0, 0, {}, false, "The output is one of these strings"},
    FieldRow{"guided_decoding_backend", F::opaque, T::text, in::text},
    FieldRow{"guided_grammar", F::guided_grammar, T::text, in::text, 0, 0, {}, false, "The output follows this grammar"},
    FieldRow{"guided_json", F::guided_json, T::any, in::text, 0, 0, {}, false, "The output is JSON of this schema"},
    FieldRow{"guided_regex", F::guided_regex, T::text, in::text, 0, 0, {}, false, "The output matches this pattern"},
    FieldRow{"guided_whitespace_pattern", F::opaque, T::text, in::text},
    FieldRow{"ignore_eos", F::ignore_eos, T::boolean, in::text, 0, 0, {}, false, "Do not stop at the end-of-sequence token"},
    FieldRow{"include_stop_str_in_output", F::include_stop, T::boolean, in::text},
    FieldRow{"input", F::input, T::any, in::embeddings, 0, 0, {}, false, "A text, a list of texts, a list of token ids, or a list of those"},
    FieldRow{"length_penalty", F::length_penalty, T::f32, in::text, 0, 0, {}, true},
    FieldRow{"logit_bias", F::logit_bias, T::object, in::text, 0, 0, {}, false, "Token id to bias, -100 to 100"},
    FieldRow{"logprobs", F::logprobs, T::boolean, in::chat, 0, 0, {}, false, "Return log probabilities of the output tokens"},
    FieldRow{"logprobs", F::completion_logprobs, T::u8, in::completions, 0, 20, "Logprobs", false, "Alternatives per token"},
    FieldRow{"max_completion_tokens", F::max_completion_tokens, T::u32, in::chat, 1, unbounded, "Max completion tokens", false, "Most tokens to generate"},
    FieldRow{"max_tokens", F::max_tokens, T::u32, in::text, 1, unbounded, "Max tokens", false, "Most tokens to generate"},
    FieldRow{"media_io_kwargs", F::opaque, T::any, in::chat},
    FieldRow{"messages", F::messages, T::list, in::chat, 0, 0, {}, false, "The conversation so far"},
    FieldRow{"metadata", F::opaque, T::any, in::text},
    FieldRow{"min_p", F::min_p, T::f32, in::text, 0, 1, "Min_p", false, "Relative probability floor"},
    FieldRow{"min_tokens", F::min_tokens, T::u32, in::text, 0, 0, {}, false, "Fewest tokens to generate"},
    FieldRow{"mm_processor_kwargs", F::opaque, T::object, in::chat},
    FieldRow{"modalities", F::opaque, T::list, in::chat},
    FieldRow{"model", F::model, T::text, in::all, 0, 0, {}, false, "Name of the model, as /v1/models lists it"},
    FieldRow{"n", F::n, T::u8, in::text, 1, 128, "n", false, "How many answers to generate"},
    FieldRow{"no_stop_trim", F::opaque, T::boolean, in::text},
    FieldRow{"nvext", F::nvext, T::object, in::all, 0, 0, {}, false, "Extensions: annotations, routing hints"},
    FieldRow{"parallel_tool_calls", F::parallel_tool_calls, T::boolean, in::chat},
    FieldRow{"prediction", F::opaque, T::object, in::chat},
    FieldRow{"presence_penalty", F::presence_penalty, T::f32, in::text, -2, 2, "Presence_penalty"},
    FieldRow{"priority", F::priority, T::i32, in::text},
    FieldRow{"prompt", F::prompt, T::any, in::completions, 0, 0, {}, false, "A text, a list of texts, a list of token ids, or a list of those"},
    FieldRow{"prompt_cache_key", F::opaque, T::text, in::chat},
    FieldRow{"prompt_embeds", F::opaque, T::any, in::completions},
    FieldRow{"prompt_logprobs", F::prompt_logprobs, T::u8, in::text, 0, 20, "Prompt_logprobs"},
    FieldRow{"reasoning_effort", F::opaque, T::text, in::chat},
    FieldRow{"repetition_penalty", F::repetition_penalty, T::f32, in::text, 0, 2, "Repetition_penalty"},
    FieldRow{"response_format", F::response_format, T::object, in::text, 0, 0, {}, false, "text, json_object or json_schema"},
    FieldRow{"return_tokens_as_token_ids", F::opaque, T::boolean, in::text},
    FieldRow{"safety_identifier", F::opaque, T::text, in::chat},
    FieldRow{"seed", F::seed, T::i64, in::text},
    FieldRow{"service_tier", F::opaque, T::text, in::chat},
    FieldRow{"skip_special_tokens", F::skip_special, T::boolean, in::text},
    FieldRow{"stop", F::stop, T::text_or_list, in::text, 0, 0, {}, false, "A string or a list of strings that end the output"},
    FieldRow{"stop_token_ids", F::stop_token_ids, T::list, in::text},
    FieldRow{"store", F::store, T::boolean, in::chat},
    FieldRow{"stream", F::stream, T::boolean, in::text, 0, 0, {}, false, "Answer as server-sent events"},
    FieldRow{"stream_options", F::stream_options, T::object, in::text, 0, 0, {}, false, "include_usage: a last chunk with token counts"},
    FieldRow{"structural_tag", F::structural_tag, T::any, in::text, 0, 0, {}, true},
    FieldRow{"suffix", F::opaque, T::text, in::completions},
    FieldRow{"temperature", F::temperature, T::f32, in::text, 0, 2, "Temperature", false, "0 to 2"},
    FieldRow{"thinking", F::opaque, T::any, in::chat},
    FieldRow{"thinking_token_budget", F::thinking_budget, T::u32, in::chat},
    FieldRow{"tool_choice", F::tool_choice, T::any, in::chat, 0, 0, {}, false, "none, auto, required, or a function"},
    FieldRow{"tools", F::tools, T::list, in::chat, 0, 0, {}, false, "Functions the model may call"},
    FieldRow{"top_k", F::top_k, T::i32, in::text, -1, unbounded, "Top_k"},
    FieldRow{"top_logprobs", F::top_logprobs, T::u8, in::chat, 0, 20, "Top_logprobs", false, "Alternatives per token"},
    FieldRow{"top_p", F::top_p, T::f32, in::text, 0, 1, "Top_p", false, "0 to 1"},
    FieldRow{"truncate_prompt_tokens", F::opaque, T::i64, in::all},
    FieldRow{"user", F::user, T::text, in::all},
    FieldRow{"verbosity", F::opaque, T::text, in::chat},
    FieldRow{"web_search_options", F::opaque, T::any, in::chat},
};
static_assert([] {
    for (size_t i = 1; i < table.size(); ++i)
        if (!(table[i - 1].name < table[i].name || (table[i - 1].name == table[i].name && (table[i - 1].apis & table[i].apis) == 0))) return false;
    return true;
}());

uint8_t bit(Api api) { return api == Api::chat ? in::chat : api == Api::completions ? in::completions : api == Api::embeddings ? in::embeddings : 0; }

// As Rust prints f32 and f64: shortest that reads back, never an exponent; `point`: "9.0" for whole numbers.
template <class Float>
std::string plain(Float v, bool point) {
    if (!std::isfinite(v)) return v > 0 ? "inf" : v < 0 ? "-inf" : "NaN";
    char text[512];
    auto end = std::to_chars(text, text + sizeof text, v, std::chars_format::fixed).ptr;
    std::string out(text, end);
    if (point && out.find('.') == std::string::npos) out += ".0";
    return out;
}

}  // namespace

std::span<const FieldRow> fields() { return table; }

const FieldRow* find_field(Str name, Api api) {
    auto at = std::lower_bound(table.begin(), table.end(), name, [](const FieldRow& row, Str n) { return row.name < n; });
    for (; at != table.end() && at->name == name; ++at)
        if (at->apis & bit(api)) return &*at;
    return nullptr;
}

Str clip(Str text, size_t most) { return text.size() <= most ? text : text.substr(0, utf8_valid_prefix(text.substr(0, most))); }

std::string place(Str body, size_t read) {
    read = std::min(read, body.size());
    Str before = body.substr(0, read);
    size_t line = static_cast<size_t>(std::count(before.begin(), before.end(), '\n')) + 1;
    size_t start = before.rfind('\n');
    return " at line " + std::to_string(line) + " column " + std::to_string(start == Str::npos ? read : read - start - 1);
}

static std::string unexpected(Str value) {
    switch (json_kind(value)) {
        case JsonKind::null: return "null";
        case JsonKind::boolean: return "boolean `" + std::string(value) + "`";
        case JsonKind::string: return "string " + std::string(value.size() <= 200 ? value : Str("\"...\""));
        case JsonKind::array: return "sequence";
        case JsonKind::object: return "map";
        default: break;
    }
    if (json_int(value) || json_uint(value)) return "integer `" + std::string(value) + "`";
    auto number = json_double(value);
    return "floating point `" + (number && std::abs(*number) < 1e15 ? plain(*number, true) : std::string(value.substr(0, 40))) + "`";
}

std::string wrong_type(Str value, Str expected) { return "invalid type: " + unexpected(value) + ", expected " + std::string(expected); }

Mismatch check_type(Type type, Str value) {
    JsonKind kind = json_kind(value);
    auto want = [&](bool good, const char* what) { return good ? Mismatch{} : Mismatch{what, false}; };
    auto whole = [&](int64_t low, int64_t high, const char* what) -> Mismatch {
        if (kind != JsonKind::number || !json_is_integer(value)) return {what, false};
        auto v = json_int(value);
        return v && *v >= low && *v <= high ? Mismatch{} : Mismatch{what, true};
    };
    switch (type) {
        case Type::any: return {};
        case Type::boolean: return want(kind == JsonKind::boolean, "a boolean");
        case Type::text: return want(kind == JsonKind::string, "a string");
        case Type::u8: return whole(0, 255, "u8");
        case Type::u32: return whole(0, UINT32_MAX, "u32");
        case Type::i32: return whole(INT32_MIN, INT32_MAX, "i32");
        case Type::i64: return whole(INT64_MIN, INT64_MAX, "i64");
        case Type::f32: return want(kind == JsonKind::number, "f32");
        case Type::list: return want(kind == JsonKind::array, "a sequence");
        case Type::object: return want(kind == JsonKind::object, "a map");
        case Type::text_or_list: return want(kind == JsonKind::string || kind == JsonKind::array, "a string or a sequence");
    }
    return {};
}

size_t Refuse::root_end() const {
    size_t end = body.find_last_of('}');
    return end == Str::npos ? body.size() : end + 1;
}

static constexpr const char* serde_prefix = "Failed to deserialize the JSON body into the target type: ";

static Failure failure(Code code, std::string message, Str param, const char* reason) {
    Failure f(code, std::move(message), std::string(param));
    f->reason = reason;
    return f;
}

Failure Refuse::syntax(Failure from_scan) const {
    if (from_scan->code == Code::too_large) return from_scan;
    if (options.dialect == Dialect::frontend) {
        from_scan->message = serde_prefix + from_scan->message;
    } else if (from_scan->code == Code::bad_json) {
        from_scan->message = "JSON syntax error: Failed to parse the request body as JSON: " + from_scan->message;
        from_scan->reason = "invalid_json";
    } else {
        from_scan->message = std::string("Invalid JSON data: ") + serde_prefix + from_scan->message;
        from_scan->reason = "invalid_type";
    }
    return from_scan;
}

// The frontend's peer buffers the object before it looks at fields, so it always names the end of the object.
Failure Refuse::say(std::string what, Str param, size_t at, const char* reason, bool exact) const {
    if (options.dialect == Dialect::frontend)
        return failure(Code::bad_field, serde_prefix + what + place(body, exact ? at : root_end()), param, reason);
    std::string path = param.empty() ? std::string() : std::string(param) + ": ";
    return failure(Code::bad_field, std::string("Invalid JSON data: ") + serde_prefix + path + what + place(body, at), param, reason);
}

Failure Refuse::missing(Str field, size_t at, Str parent) const {
    Failure f = say("missing field `" + std::string(field) + "`", parent, at, "missing_required_parameter");
    f->code = Code::missing_field;
    f->param = parent.empty() ? std::string(field) : std::string(parent) + "." + std::string(field);
    return f;
}

Failure Refuse::type(Str value, Str expected, Str param, bool out_of_range) const {
    JsonKind kind = json_kind(value);
    bool opened = kind == JsonKind::array || kind == JsonKind::object;   // serde looks at the bracket without taking it
    size_t at = after(value) - (opened ? value.size() : 0);
    std::string what = wrong_type(value, expected);
    if (out_of_range) what.replace(0, 12, "invalid value");
    return say(std::move(what), param, at, out_of_range ? "invalid_value" : "invalid_type");
}

Failure Refuse::invalid(std::string message, Str param, const char* reason) const {
    if (options.dialect == Dialect::frontend) message = "Validation: " + message;
    else if (!param.empty()) message = std::string(param) + ": " + message;
    return failure(Code::bad_field, std::move(message), param, reason);
}

std::optional<Failure> check_range(const Refuse& refuse, const FieldRow& row, Str name, Str value) {
    if (row.low == 0 && row.high == 0) return std::nullopt;
    double v = json_double(value).value_or(row.high + 1);
    float v32 = static_cast<float>(v);
    bool whole = row.type != Type::f32;
    if (v >= row.low && v <= row.high) return std::nullopt;
    if (refuse.options.dialect == Dialect::frontend) {
        std::string label(row.label), got = ", got " + (whole ? std::string(value) : plain(v32, false));
        if (row.high == unbounded && row.low == 1) return refuse.invalid(label + " must be greater than 0" + got, name, "");
        if (row.high == unbounded) return refuse.invalid(label + " must be -1 or greater" + got, name, "");
        return refuse.invalid(label + " must be between " + plain(row.low, false) + " and " + plain(row.high, false) + got, name, "");
    }
    bool above = v > row.high;
    auto number = [&](double x) { return "Number(" + (whole ? plain(std::trunc(x), false) : plain(x, true)) + ")"; };
    std::string range = "range [{";
    if (row.high != unbounded) range += "\"max\": " + number(row.high) + ", ";
    range += "\"min\": " + number(row.low) + ", \"value\": " + number(whole ? v : static_cast<double>(v32)) + "}]";
    const char* reason = whole ? (above ? "integer_above_max_value" : "integer_below_min_value")
                               : (above ? "decimal_above_max_value" : "decimal_below_min_value");
    return refuse.invalid("Validation error: " + range, name, reason);
}

}  // namespace weir::api
