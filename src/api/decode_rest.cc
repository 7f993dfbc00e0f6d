// The fields light decoding leaves alone: stops, token lists, tools, output formats, extensions.
#include "api/decode_parts.h"
#include "wire/json_walk.h"

namespace weir::api {
namespace {

Result<void> decode_stop(const Refuse& refuse, Call& call, Arena& arena, Str value) {
    SpanBuilder<Str> stops(arena);
    if (json_kind(value) == JsonKind::string) {
        call.sampling.stop_was_string = true;
        stops.push(json_text(value, arena));
    } else {
        for (JsonItems i(value); i.next();) {
            if (json_kind(i.value) != JsonKind::string) return refuse.type(i.value, "a string", "stop");
            stops.push(json_text(i.value, arena));
        }
    }
    call.sampling.stop = stops.take();
    return {};
}

Result<void> decode_stop_ids(const Refuse& refuse, Call& call, Arena& arena, Str value) {
    SpanBuilder<uint32_t> ids(arena);
    for (JsonItems i(value); i.next();) {
        if (Mismatch bad = check_type(Type::u32, i.value)) return refuse.type(i.value, bad.expected, "stop_token_ids", bad.value);
        ids.push(static_cast<uint32_t>(*json_uint(i.value)));
    }
    call.sampling.stop_ids = ids.take();
    return {};
}

Result<void> decode_bias(const Refuse& refuse, Call& call, Arena& arena, Str value) {
    SpanBuilder<TokenBias> out(arena);
    for (JsonMembers m(value); m.next();) {
        auto id = json_uint(m.key);
        if (!id || *id > UINT32_MAX) return refuse.invalid("logit_bias keys must be token ids", "logit_bias", "invalid_value");
        if (Mismatch bad = check_type(Type::f32, m.value)) return refuse.type(m.value, bad.expected, "logit_bias");
        double bias = json_double(m.value).value_or(101);
        if (!(bias >= -100 && bias <= 100))
            return refuse.invalid("Logit bias must be between -100 and 100, got " + std::string(m.value), "logit_bias", "invalid_value");
        out.push({static_cast<uint32_t>(*id), static_cast<float>(bias)});
    }
    call.sampling.logit_bias = out.take();
    return {};
}

Result<Tool> decode_tool(const Refuse& refuse, Arena& arena, Str value, const std::string& at) {
    Tool tool;
    if (json_kind(value) != JsonKind::object) return refuse.type(value, "a map", at);
    tool.raw = span_in(refuse.body, value);
    Str type = json_member(value, "type"), function = json_member(value, "function");
    if (!type.empty() && !json_is(type, "function")) return tool;   // built-in tools of an engine travel as `raw`
    if (function.empty()) return refuse.missing("function", refuse.after(value), at);
    if (json_kind(function) != JsonKind::object) return refuse.type(function, "a map", at + ".function");
    for (JsonMembers f(function); f.next();) {
        std::string where = at + ".function." + std::string(clip(f.key, 64));
        bool null = json_kind(f.value) == JsonKind::null;
        if (f.key == "name" || (f.key == "description" && !null)) {
            if (json_kind(f.value) != JsonKind::string) return refuse.type(f.value, "a string", where);
            (f.key == "name" ? tool.name : tool.description) = json_text(f.value, arena);
        } else if (f.key == "parameters" && !null) {
            tool.schema = span_in(refuse.body, f.value);
        } else if (f.key == "strict" && !null) {
            if (Mismatch bad = check_type(Type::boolean, f.value)) return refuse.type(f.value, bad.expected, where);
            tool.strict = f.value == "true";
        }
    }
    if (tool.name.empty()) return refuse.missing("name", refuse.after(function), at + ".function");
    return tool;
}

Result<void> decode_guided(const Refuse& refuse, Call& call, Str value, Format::Kind kind) {
    call.format.kind = kind;
    call.format.body = call.format.raw = span_in(refuse.body, value);
    return {};
}

}  // namespace

Result<void> decode_tools(const Refuse& refuse, Call& call, Arena& arena, Str value) {
    SpanBuilder<Tool> tools(arena);
    for (JsonItems i(value); i.next();) {
        TRY(Tool tool, decode_tool(refuse, arena, i.value, "tools[" + std::to_string(tools.size()) + "]"));
        tools.push(tool);
    }
    call.tools = tools.take();
    return {};
}

Result<void> decode_tool_choice(const Refuse& refuse, Call& call, Arena& arena, Str value) {
    ToolChoice& choice = call.tool_choice;
    choice.raw = span_in(refuse.body, value);
    if (json_kind(value) == JsonKind::string) {
        choice.kind = json_is(value, "none")       ? ToolChoice::none
                      : json_is(value, "auto")     ? ToolChoice::automatic
                      : json_is(value, "required") ? ToolChoice::required
                                                   : ToolChoice::unset;
        if (choice.kind == ToolChoice::unset)
            return refuse.say("unknown variant `" + std::string(clip(json_inside(value), 64)) + "`, expected one of `none`, `auto`, `required`",
                              "tool_choice", refuse.after(value), "invalid_value");
        return {};
    }
    if (json_kind(value) != JsonKind::object) return refuse.type(value, "a string or a map", "tool_choice");
    Str function = json_member(value, "function");
    choice.kind = ToolChoice::other;   // allowed_tools and what else engines know
    if (json_is(json_member(value, "type"), "function") || !function.empty()) {
        if (json_kind(function) != JsonKind::object) return refuse.missing("function", refuse.after(value), "tool_choice");
        Str name = json_member(function, "name");
        if (json_kind(name) != JsonKind::string) return refuse.missing("name", refuse.after(function), "tool_choice.function");
        choice.kind = ToolChoice::named;
        choice.name = json_text(name, arena);
    }
    return {};
}

Result<void> decode_format(const Refuse& refuse, Call& call, Arena&, Str value) {
    Format& format = call.format;
    Str type = json_member(value, "type");
    if (type.empty()) return refuse.missing("type", refuse.after(value), "response_format");
    format.raw = span_in(refuse.body, value);
    if (json_is(type, "text")) {
        format.kind = Format::free;
    } else if (json_is(type, "json_object")) {
        format.kind = Format::json_object;
    } else if (json_is(type, "json_schema")) {
        format.kind = Format::json_schema;
        Str inner = json_member(value, "json_schema");
        if (json_kind(inner) != JsonKind::object) return refuse.missing("json_schema", refuse.after(value), "response_format");
        Str schema = json_member(inner, "schema");
        if (!schema.empty()) format.body = span_in(refuse.body, schema);
        format.strict = json_member(inner, "strict") == "true";
    } else if (json_is(type, "structural_tag")) {
        format.kind = Format::structural_tag;
        format.body = format.raw;
    } else {
        return refuse.say("unknown variant `" + std::string(clip(json_inside(type), 64)) + "`, expected one of `text`, `json_object`, `json_schema`",
                          "response_format.type", refuse.after(type), "invalid_value");
    }
    return {};
}

// Routing hints only; the object itself stays in the body for engines that know it.
Result<void> decode_nvext(const Refuse& refuse, Call& call, Arena& arena, Str value) {
    Hints& h = call.hints;
    auto u64 = [&](Str v) -> std::optional<uint64_t> { return json_kind(v) == JsonKind::number ? json_uint(v) : std::nullopt; };
    for (JsonMembers m(value); m.next();) {
        if (json_kind(m.value) == JsonKind::null) continue;
        std::string at = "nvext." + std::string(clip(m.key, 64));
        auto number = u64(m.value);
        auto narrow = [&] { return static_cast<uint32_t>(*number); };
        bool numeric = m.key == "backend_instance_id" || m.key == "decode_worker_id" || m.key == "prefill_worker_id" || m.key == "dp_rank" ||
                       m.key == "prefill_dp_rank";
        bool rank = m.key == "dp_rank" || m.key == "prefill_dp_rank";
        if (numeric && !number) return refuse.type(m.value, rank ? "u32" : "u64", at);
        if (rank && *number > UINT32_MAX) return refuse.type(m.value, "u32", at, true);
        if (m.key == "backend_instance_id" || m.key == "decode_worker_id") h.pin = number;
        else if (m.key == "prefill_worker_id") h.prefill_pin = number;
        else if (m.key == "dp_rank") h.dp_rank = narrow();
        else if (m.key == "prefill_dp_rank") h.prefill_dp_rank = narrow();
        else if (m.key == "cache_salt" && json_kind(m.value) == JsonKind::string) h.cache_salt = json_text(m.value, arena);
        else if (m.key == "token_data" && json_kind(m.value) == JsonKind::array) {
            SpanBuilder<uint32_t> ids(arena);
            for (JsonItems i(m.value); i.next();) {
                if (Mismatch bad = check_type(Type::u32, i.value)) return refuse.type(i.value, bad.expected, at, bad.value);
                ids.push(static_cast<uint32_t>(*json_uint(i.value)));
            }
            call.tokens = ids.take();
        }
    }
    return {};
}

Result<void> decode_rest(const Refuse& refuse, Call& call, Arena& arena) {
    for (const Member& m : call.doc.top) {
        Str name = call.doc.at(m.key), value = call.doc.at(m.value);
        if (name.find('\\') != Str::npos) name = json_text({name.data() - 1, name.size() + 2}, arena);
        const FieldRow* row = find_field(name, call.api);
        if (!row || json_kind(value) == JsonKind::null) continue;
        Result<void> ok;
        switch (row->field) {
            case Field::messages: ok = decode_messages(refuse, call, arena, value); break;
            case Field::prompt: case Field::input: ok = decode_prompts(refuse, call, arena, value, name); break;
            case Field::stop: ok = decode_stop(refuse, call, arena, value); break;
            case Field::stop_token_ids: ok = decode_stop_ids(refuse, call, arena, value); break;
            case Field::logit_bias: ok = decode_bias(refuse, call, arena, value); break;
            case Field::tools: ok = decode_tools(refuse, call, arena, value); break;
            case Field::tool_choice: ok = decode_tool_choice(refuse, call, arena, value); break;
            case Field::response_format: ok = decode_format(refuse, call, arena, value); break;
            case Field::guided_json: ok = decode_guided(refuse, call, value, Format::json_schema); break;
            case Field::guided_regex: ok = decode_guided(refuse, call, value, Format::regex); break;
            case Field::guided_choice: ok = decode_guided(refuse, call, value, Format::choice); break;
            case Field::guided_grammar: ok = decode_guided(refuse, call, value, Format::grammar); break;
            case Field::structural_tag: ok = decode_guided(refuse, call, value, Format::structural_tag); break;
            case Field::template_kwargs: call.template_kwargs = value; break;
            case Field::nvext: ok = decode_nvext(refuse, call, arena, value); break;
            default: break;
        }
        if (!ok) return ok;
    }
    return {};
}

}  // namespace weir::api
