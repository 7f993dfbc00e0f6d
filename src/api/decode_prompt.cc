// Prompts of completions and inputs of embeddings: a text, texts, token ids, or lists of ids.
#include "api/decode_parts.h"
#include "base/limits.h"
#include "wire/json_walk.h"

namespace weir::api {
namespace {

constexpr const char* any_prompt = "a string, a list of strings, a list of integers, or a list of lists of integers";

Result<std::span<const uint32_t>> token_ids(const Refuse& refuse, Arena& arena, Str list, Str name) {
    SpanBuilder<uint32_t> ids(arena);
    for (JsonItems i(list); i.next();) {
        if (Mismatch bad = check_type(Type::u32, i.value)) return refuse.type(i.value, bad.expected, name, bad.value);
        ids.push(static_cast<uint32_t>(*json_uint(i.value)));
    }
    return std::span<const uint32_t>(ids.take());
}

Failure empty_prompt(const Refuse& refuse, Str name, const char* what) {
    std::string shown = name == "prompt" ? "Prompt" : "Input";
    return refuse.invalid(shown + " " + what + " cannot be empty", name, std::string_view(what) == "string" ? "empty_string" : "empty_array");
}

}  // namespace

Result<size_t> prompt_shape(const Refuse& refuse, Api api, Str value) {
    if (api != Api::completions && api != Api::embeddings) return size_t{1};
    Str name = api == Api::completions ? "prompt" : "input";
    JsonKind kind = json_kind(value);
    if (kind == JsonKind::string) {
        if (json_inside(value).empty()) return empty_prompt(refuse, name, "string");
        return size_t{1};
    }
    if (kind != JsonKind::array) return refuse.type(value, any_prompt, name);
    JsonItems items(value);
    if (!items.next()) return empty_prompt(refuse, name, "array");
    JsonKind first = json_kind(items.value);
    if (first == JsonKind::number) return size_t{1};
    if (first != JsonKind::string && first != JsonKind::array) return refuse.type(items.value, any_prompt, name);
    size_t count = json_count(value);
    size_t most = api == Api::completions ? limits::choices_max : limits::inputs_max;
    if (count > most)
        return refuse.invalid("Batch of " + std::to_string(count) + " is larger than " + std::to_string(most), name, "array_above_max_length");
    return count;
}

Result<void> decode_prompts(const Refuse& refuse, Call& call, Arena& arena, Str value, Str name) {
    SpanBuilder<Prompt> out(arena);
    if (json_kind(value) == JsonKind::string) {
        out.push({json_text(value, arena), {}, false});
    } else {
        JsonItems first(value);
        JsonKind kind = first.next() ? json_kind(first.value) : JsonKind::null;
        call.prompts_were_list = kind != JsonKind::number;
        if (kind == JsonKind::number) {
            TRY(auto ids, token_ids(refuse, arena, value, name));
            out.push({{}, ids, true});
        }
        for (JsonItems i(value); kind != JsonKind::number && i.next();) {
            if (json_kind(i.value) != kind) return refuse.type(i.value, kind == JsonKind::string ? "a string" : "a sequence", name);
            if (kind == JsonKind::string) {
                if (json_inside(i.value).empty() && call.api == Api::completions) return empty_prompt(refuse, name, "string");
                out.push({json_text(i.value, arena), {}, false});
            } else {
                TRY(auto ids, token_ids(refuse, arena, i.value, name));
                if (ids.empty()) return empty_prompt(refuse, name, "token array");
                out.push({{}, ids, true});
            }
        }
    }
    call.prompts = out.take();
    return {};
}

}  // namespace weir::api
