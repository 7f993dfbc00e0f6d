#include "api/decode.h"

#include <array>
#include <memory>

#include "api/decode_parts.h"
#include "api/fields.h"
#include "base/limits.h"
#include "wire/chars.h"
#include "wire/http1.h"
#include "wire/json_top.h"
#include "wire/json_walk.h"

namespace weir::api {
namespace {

// `application/json`, any case, parameters allowed; `+json` suffixes too.
bool is_json_type(Str type) {
    type = chars::trim_blanks(type.substr(0, type.find(';')));
    std::string lower;
    for (char c : type.substr(0, 128)) lower += chars::lower(c);
    return lower == "application/json" || (lower.starts_with("application/") && lower.ends_with("+json"));
}

// The one pass: members of the body into the arena, escaped keys made plain.
Result<void> scan(const Refuse& refuse, Call& call, Arena& arena, bool& escaped) {
    // 64 KB for a thread that decodes; most bodies use 10 of them. Not in the thread's own block, which is cleared whole for every thread.
    static thread_local const auto space = std::make_unique_for_overwrite<Member[]>(limits::json_members_max);
    auto found = scan_top(call.doc.body, {space.get(), limits::json_members_max});
    if (!found) return refuse.syntax(std::move(found).error());
    escaped = found->escaped_keys;
    call.doc.top = arena.copy_span(std::span<const Member>(space.get(), found->members));
    return {};
}

// Fields an engine of the same family gets byte for byte; the rest is written anew from the Call.
bool travels_as_sent(Field f) {
    switch (f) {
        case Field::opaque: case Field::response_format: case Field::guided_json: case Field::guided_regex: case Field::guided_choice:
        case Field::guided_grammar: case Field::structural_tag: case Field::template_kwargs: case Field::tool_choice: case Field::logit_bias:
        case Field::nvext: case Field::store: case Field::skip_special: case Field::logprobs: case Field::top_logprobs:
        case Field::completion_logprobs: case Field::prompt_logprobs: case Field::echo: case Field::user: case Field::priority:
        case Field::cache_salt: case Field::dimensions: case Field::encoding_format: case Field::parallel_tool_calls: case Field::ignore_eos:
        case Field::include_stop: case Field::thinking_budget: return true;
        default: return false;
    }
}

class Light {
public:
    Light(const Options& options, Call& call, Arena& arena) : refuse_{options, call.doc.body}, call_(call), arena_(arena) {}

    Result<void> run() {
        bool escaped = false;
        if (auto ok = scan(refuse_, call_, arena_, escaped); !ok) return ok;
        SpanBuilder<Member> extra(arena_);
        for (const Member& m : call_.doc.top) {
            Str name = call_.doc.at(m.key), value = call_.doc.at(m.value);
            if (escaped && name.find('\\') != Str::npos) name = json_text({name.data() - 1, name.size() + 2}, arena_);
            const FieldRow* row = find_field(name, call_.api);
            if (row && row->launch_only && refuse_.options.dialect == Dialect::frontend) row = nullptr;
            if (!row) note_unknown(name);
            if (!row || travels_as_sent(row->field)) extra.push(m);
            if (!row) continue;
            if (auto ok = one(*row, name, value, m.key); !ok) return ok;
        }
        call_.extra = extra.take();
        return finish();
    }

private:
    Result<void> one(const FieldRow& row, Str name, Str value, Span key);
    Result<void> store(const FieldRow& row, Str value);
    Result<void> stream_options(Str value);
    std::optional<Failure> check_count(const FieldRow& row, Str name, Str value) const;
    Result<void> finish();
    Result<void> need(Field, Str name);
    Result<void> roles(Str messages);
    void note_unknown(Str name) {
        if (refuse_.options.dialect != Dialect::frontend || refuse_.options.ignore_unsupported || call_.api == Api::embeddings) return;
        if (unknown_.size() > 4096) return;
        unknown_ += (unknown_.empty() ? "`" : ", `") + std::string(clip(name, 256)) + "`";
    }
    bool has(Field f) const { return seen_[static_cast<size_t>(f)] != nullptr; }

    Refuse refuse_;
    Call& call_;
    Arena& arena_;
    std::array<const char*, 64> seen_{};   // Field -> where its value starts
    Str messages_, prompt_;
    std::string unknown_;
    std::optional<Failure> range_;         // the first one; types and missing fields come before ranges
};

Result<void> Light::one(const FieldRow& row, Str name, Str value, Span key) {
    auto& seen = seen_[static_cast<size_t>(row.field)];
    if (seen && row.field != Field::opaque) {   // two values: one might route and the other run
        bool own = row.field == Field::template_kwargs || row.field == Field::nvext;   // the peer reads these itself, unbuffered
        Str said = row.field == Field::template_kwargs ? Str("chat_template_args") : name;
        return refuse_.say("duplicate field `" + std::string(said) + "`", "", key.off + key.len + 1, "duplicate_field", own);
    }
    seen = value.data();
    bool required = row.field == Field::model || row.field == Field::messages || row.field == Field::prompt || row.field == Field::input;
    if (json_kind(value) == JsonKind::null && !required) return {};
    if (Mismatch bad = check_type(row.type, value)) return refuse_.type(value, bad.expected, name, bad.value);
    if (!range_) range_ = check_range(refuse_, row, name, value);
    if (!range_) range_ = check_count(row, name, value);
    return store(row, value);
}

// An item takes two bytes at least ("1,"): lists that cannot be too long are not counted.
std::optional<Failure> Light::check_count(const FieldRow& row, Str name, Str value) const {
    size_t most = 0;
    switch (row.field) {
        case Field::messages: most = limits::messages_max; break;
        case Field::tools: most = limits::tools_max; break;
        case Field::stop: case Field::stop_token_ids: most = limits::stops_max; break;
        default: return std::nullopt;
    }
    if (value.size() <= 2 * most || json_kind(value) != JsonKind::array || json_count(value) <= most) return std::nullopt;
    return refuse_.invalid("at most " + std::to_string(most) + " entries are allowed", name, "array_above_max_length");
}

Result<void> Light::store(const FieldRow& row, Str value) {
    Sampling& s = call_.sampling;
    auto real = [&] { return static_cast<float>(json_double(value).value_or(0)); };
    auto whole = [&] { return static_cast<int32_t>(std::min<int64_t>(json_int(value).value_or(0), INT32_MAX)); };
    auto small = [&] { return static_cast<int8_t>(std::min<int64_t>(json_int(value).value_or(0), 127)); };
    bool yes = value == "true";
    auto want = [&](uint32_t bit) { call_.wants |= yes ? bit : 0; };
    switch (row.field) {
        case Field::model: call_.model = json_text(value, arena_); break;
        case Field::user: call_.user = json_text(value, arena_); break;
        case Field::messages: messages_ = value; break;
        case Field::prompt: case Field::input: prompt_ = value; break;
        case Field::stream: want(wants::stream); break;
        case Field::stream_options: return stream_options(value);
        case Field::echo: want(wants::echo); break;
        case Field::store: want(wants::store); break;
        case Field::n: s.n = whole(); break;
        case Field::best_of: s.best_of = whole(); break;
        case Field::max_completion_tokens: s.max_tokens = whole(); s.max_was_completion = true; break;
        case Field::max_tokens: if (!s.max_was_completion) s.max_tokens = whole(); break;
        case Field::min_tokens: s.min_tokens = whole(); break;
        case Field::thinking_budget: s.max_thinking = whole(); break;
        case Field::top_k: s.top_k = whole(); break;
        case Field::temperature: s.temperature = real(); break;
        case Field::top_p: s.top_p = real(); break;
        case Field::min_p: s.min_p = real(); break;
        case Field::presence_penalty: s.presence = real(); break;
        case Field::frequency_penalty: s.frequency = real(); break;
        case Field::repetition_penalty: s.repetition = real(); break;
        case Field::length_penalty: s.length_penalty = real(); break;
        case Field::seed: s.seed = json_int(value); break;
        case Field::logprobs: if (yes && s.logprobs < 0) s.logprobs = 0; break;
        case Field::top_logprobs: case Field::completion_logprobs: s.logprobs = small(); break;
        case Field::prompt_logprobs: s.prompt_logprobs = small(); break;
        case Field::ignore_eos: s.ignore_eos = yes; break;
        case Field::include_stop: s.include_stop = yes; break;
        case Field::skip_special: s.skip_special = yes; break;
        case Field::parallel_tool_calls: call_.parallel_tools = yes; break;
        case Field::priority: call_.hints.priority = static_cast<int32_t>(json_int(value).value_or(0)); break;
        case Field::cache_salt: call_.hints.cache_salt = json_text(value, arena_); break;
        case Field::dimensions: call_.dimensions = static_cast<uint32_t>(json_uint(value).value_or(0)); break;
        case Field::encoding_format:
            call_.encoding_format = json_text(value, arena_);
            if (call_.encoding_format == "base64") call_.wants |= wants::base64;
            else if (call_.encoding_format != "float")
                return refuse_.say("unknown variant `" + std::string(clip(call_.encoding_format, 64)) + "`, expected `float` or `base64`",
                                   "encoding_format", refuse_.after(value), "invalid_value");
            break;
        default: break;   // decode_full's
    }
    return {};
}

Result<void> Light::stream_options(Str value) {
    for (JsonMembers m(value); m.next();) {
        bool usage = m.key == "include_usage";
        if (!usage && m.key != "continuous_usage_stats") continue;
        if (json_kind(m.value) == JsonKind::null) continue;
        if (Mismatch bad = check_type(Type::boolean, m.value)) return refuse_.type(m.value, bad.expected, "stream_options." + std::string(m.key));
        if (m.value == "true") call_.wants |= usage ? wants::include_usage : wants::continuous_usage;
    }
    return {};
}

Result<void> Light::need(Field field, Str name) {
    if (!has(field)) return refuse_.missing(name, refuse_.root_end());
    return {};
}

// The frontend's peer answers for a bad role itself; looking at each message's first members is cheap.
Result<void> Light::roles(Str messages) {
    for (JsonItems i(messages); i.next();)
        if (auto role = message_role(refuse_, i.value, "messages"); !role) return std::move(role).error();
    return {};
}

Result<void> Light::finish() {
    bool frontend = refuse_.options.dialect == Dialect::frontend;
    if (auto ok = call_.api == Api::chat ? need(Field::messages, "messages") : Result<void>(); !ok) return ok;
    if (auto ok = need(Field::model, "model"); !ok) return ok;
    if (auto ok = call_.api == Api::completions ? need(Field::prompt, "prompt") : Result<void>(); !ok) return ok;
    if (auto ok = call_.api == Api::embeddings ? need(Field::input, "input") : Result<void>(); !ok) return ok;
    if (frontend && call_.api == Api::chat)
        if (auto ok = roles(messages_); !ok) return ok;
    if (!unknown_.empty()) {
        Failure f = refuse_.invalid("Unsupported parameter(s): " + unknown_, "", "");
        f->code = Code::unsupported_field;
        return f;
    }
    if (call_.api == Api::chat && json_empty(messages_)) {
        return refuse_.invalid(frontend ? "The 'messages' field cannot be empty. At least one message is required."
                                        : "Invalid 'messages': empty array. Expected an array with minimum length 1, but got an empty array instead.",
                               "messages", "empty_array");
    }
    if (range_) return std::move(*range_);
    auto shape = prompt_shape(refuse_, call_.api, prompt_);
    if (!shape) return std::move(shape).error();
    size_t choices = *shape * static_cast<size_t>(call_.sampling.n.value_or(1));
    if (call_.api != Api::embeddings && choices > limits::choices_max)
        return refuse_.invalid("Total choices (batch size x n = " + std::to_string(choices) + ") must not exceed " + std::to_string(limits::choices_max), "n",
                               "integer_above_max_value");
    call_.choices = static_cast<uint16_t>(choices);
    if (refuse_.options.force_include_usage && (call_.wants & wants::stream)) call_.wants |= wants::include_usage;
    return {};
}

}  // namespace

Result<void> decode_light(const Options& options, Str content_type, Call& call, Arena& arena) {
    if (options.dialect == Dialect::launch && !is_json_type(content_type)) {
        Failure f(Code::bad_content_type, "Missing Content-Type: application/json header");
        f->reason = "json_parse_error";
        return f;
    }
    call.dialect = options.dialect;
    call.doc.mime = Mime::json;
    return Light(options, call, arena).run();
}

Result<void> decode_full(const Options& options, Call& call, Arena& arena) {
    if (call.full) return {};
    Refuse refuse{options, call.doc.body};
    if (auto ok = decode_rest(refuse, call, arena); !ok) return ok;
    call.full = true;
    return {};
}

Str model_of_path(Str rest, Arena& arena) {
    if (rest.find('%') == Str::npos) return rest;
    char* start = static_cast<char*>(arena.alloc(rest.size(), 1));
    char* to = start;
    for (size_t i = 0; i < rest.size(); ++i) {
        int high = rest[i] == '%' && i + 2 < rest.size() ? chars::hex_value(rest[i + 1]) : -1;
        int low = high >= 0 ? chars::hex_value(rest[i + 2]) : -1;
        if (low < 0) {
            *to++ = rest[i];
        } else {
            *to++ = static_cast<char>(high << 4 | low);
            i += 2;
        }
    }
    return {start, static_cast<size_t>(to - start)};
}

}  // namespace weir::api
