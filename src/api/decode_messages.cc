// Chat messages and their content parts.
#include "api/decode_parts.h"
#include "base/limits.h"
#include "wire/json_walk.h"

namespace weir::api {
namespace {

struct RoleName { Str name; Role role; };
constexpr RoleName frontend_roles[] = {{"developer", Role::developer}, {"system", Role::system}, {"user", Role::user},
                                       {"assistant", Role::assistant}, {"tool", Role::tool}, {"function", Role::function}};
constexpr RoleName launch_roles[] = {{"system", Role::system}, {"user", Role::user}, {"assistant", Role::assistant},
                                     {"tool", Role::tool}, {"function", Role::function}, {"developer", Role::developer}};

// Where in the body a value stands, "messages[3].content[0].text"; spelled only when something is wrong there.
struct Path {
    const Path* up = nullptr;
    Str name;                            // empty: an index
    size_t index = 0;
    Path in(Str member) const { return {this, member, 0}; }
    Path at(size_t i) const { return {this, {}, i}; }
    std::string text() const {
        std::string before = up ? up->text() : std::string();
        if (name.empty()) return before + "[" + std::to_string(index) + "]";
        return before + (up ? "." : "") + std::string(clip(name, 64));
    }
};

// One object field of a message or part that must be a string when given and not null.
Result<Str> text_of(const Refuse& refuse, Arena& arena, Str value, const Path& path) {
    if (json_kind(value) == JsonKind::null) return Str{};
    if (json_kind(value) != JsonKind::string) return refuse.type(value, "a string", path.text());
    return json_text(value, arena);
}

void fill_media(Media& m, Str ref) {
    m.ref = ref;
    if (!ref.starts_with("data:")) return;
    m.from = Media::data;
    size_t comma = ref.find(',');
    if (comma == Str::npos) return;
    m.format = ref.substr(5, std::min(ref.find(';'), comma) - 5);
    m.ref = ref.substr(comma + 1);
}

// {"url": "..."} or a bare string; detail, format and the rest are picked up where they stand.
Result<void> media_part(const Refuse& refuse, Arena& arena, Media& m, Str value, const Path& path) {
    if (json_kind(value) == JsonKind::string) {
        fill_media(m, json_text(value, arena));
        return {};
    }
    if (json_kind(value) != JsonKind::object) return refuse.type(value, "a map", path.text());
    for (JsonMembers f(value); f.next();) {
        if (json_kind(f.value) != JsonKind::string) continue;
        Str text = json_text(f.value, arena);
        if (f.key == "url") fill_media(m, text);
        else if (f.key == "data" || f.key == "file_data") m.from = Media::data, m.ref = text;
        else if (f.key == "file_id") m.from = Media::file_id, m.ref = text;
        else if (f.key == "format") m.format = text;
        else if (f.key == "detail") m.detail = text;
    }
    if (m.ref.empty()) return refuse.missing(m.kind == Media::audio ? "data" : m.kind == Media::file ? "file_id" : "url", refuse.after(value), path.text());
    return {};
}

struct PartName { Str type; Part::Kind kind; Media::Kind media; Str member; };
constexpr PartName part_names[] = {
    {"text", Part::Kind::text, Media::image, "text"},
    {"image_url", Part::Kind::media, Media::image, "image_url"},
    {"input_audio", Part::Kind::media, Media::audio, "input_audio"},
    {"audio_url", Part::Kind::media, Media::audio, "audio_url"},
    {"video_url", Part::Kind::media, Media::video, "video_url"},
    {"file", Part::Kind::media, Media::file, "file"},
    {"refusal", Part::Kind::refusal, Media::image, "refusal"},
    {"thinking", Part::Kind::thinking, Media::image, "thinking"},
};

Result<Part> decode_part(const Refuse& refuse, Arena& arena, Str value, const Path& path) {
    if (json_kind(value) != JsonKind::object) return refuse.type(value, "a map", path.text());
    Str type = json_member(value, "type");
    if (type.empty()) return refuse.missing("type", refuse.after(value), path.text());
    if (json_kind(type) != JsonKind::string) return refuse.type(type, "a string", path.in("type").text());
    Part part;
    part.raw = span_in(refuse.body, value);
    part.kind = Part::Kind::other;
    for (const PartName& known : part_names) {
        if (!json_is(type, known.type)) continue;
        part.kind = known.kind;
        Str inner = json_member(value, known.member);
        if (inner.empty()) return refuse.missing(known.member, refuse.after(value), path.text());
        if (known.kind != Part::Kind::media) {
            if (json_kind(inner) != JsonKind::string) return refuse.type(inner, "a string", path.in(known.member).text());
            part.text = json_text(inner, arena);
            return part;
        }
        Media* media = arena.make<Media>();
        media->kind = known.media;
        if (auto ok = media_part(refuse, arena, *media, inner, path.in(known.member)); !ok) return std::move(ok).error();
        part.media = media;
        return part;
    }
    return part;   // kinds only the engine knows travel as `raw`
}

Result<void> decode_content(const Refuse& refuse, Arena& arena, Message& m, Str value, const Path& path) {
    SpanBuilder<Part> parts(arena);
    switch (json_kind(value)) {
        case JsonKind::null: m.content_was_null = true; break;
        case JsonKind::string:
            m.content_was_string = true;
            parts.push({}).text = json_text(value, arena);
            break;
        case JsonKind::array: {
            size_t n = 0;
            for (JsonItems i(value); i.next(); ++n) {
                TRY(Part part, decode_part(refuse, arena, i.value, path.at(n)));
                parts.push(part);
            }
            break;
        }
        default: return refuse.type(value, "a string or a sequence", path.text());
    }
    m.parts = parts.take();
    return {};
}

Result<void> decode_tool_calls(const Refuse& refuse, Arena& arena, Message& m, Str value, const Path& path) {
    if (json_kind(value) == JsonKind::null) return {};
    if (json_kind(value) != JsonKind::array) return refuse.type(value, "a sequence", path.text());
    SpanBuilder<ToolCall> calls(arena);
    size_t n = 0;
    for (JsonItems i(value); i.next(); ++n) {
        Path at = path.at(n), inner = at.in("function");
        if (json_kind(i.value) != JsonKind::object) return refuse.type(i.value, "a map", at.text());
        if (n >= limits::tools_max)
            return refuse.invalid("more than " + std::to_string(limits::tools_max) + " tool calls in one message", path.text(), "array_above_max_length");
        ToolCall call;
        Str id = json_member(i.value, "id"), function = json_member(i.value, "function");
        if (id.empty()) return refuse.missing("id", refuse.after(i.value), at.text());
        if (function.empty()) return refuse.missing("function", refuse.after(i.value), at.text());
        if (json_kind(function) != JsonKind::object) return refuse.type(function, "a map", inner.text());
        Str name = json_member(function, "name"), arguments = json_member(function, "arguments");
        if (name.empty()) return refuse.missing("name", refuse.after(function), inner.text());
        TRY(call.id, text_of(refuse, arena, id, at.in("id")));
        TRY(call.name, text_of(refuse, arena, name, inner.in("name")));
        if (json_kind(arguments) == JsonKind::object) call.arguments = arguments;   // some clients send the object itself
        else if (!arguments.empty()) {
            TRY(call.arguments, text_of(refuse, arena, arguments, inner.in("arguments")));
        }
        calls.push(call);
    }
    m.calls = calls.take();
    return {};
}

Result<Role> role_of(const Refuse& refuse, Str message, const Path& path) {
    if (json_kind(message) != JsonKind::object) return refuse.type(message, "a map", path.text());
    Str role;
    for (JsonMembers m(message); m.next();)
        if (m.key == "role") {
            role = m.value;
            break;   // most messages begin with it: the content is not even looked at
        }
    if (role.empty()) return refuse.missing("role", refuse.after(message), path.text());
    if (json_kind(role) != JsonKind::string) return refuse.type(role, "a string", path.in("role").text());
    std::span<const RoleName> known = refuse.options.dialect == Dialect::frontend ? std::span<const RoleName>(frontend_roles) : launch_roles;
    for (const RoleName& r : known)
        if (json_is(role, r.name)) return r.role;
    std::string what = "unknown variant `" + std::string(clip(json_inside(role), 64)) + "`, expected one of ";
    for (size_t i = 0; i < known.size(); ++i) what += (i ? ", `" : "`") + std::string(known[i].name) + "`";
    return refuse.say(std::move(what), path.in("role").text(), refuse.after(role), "invalid_value");
}

Result<Message> decode_message(const Refuse& refuse, Arena& arena, Str value, const Path& path) {
    Message m;
    if (auto role = role_of(refuse, value, path)) m.role = *role;
    else return std::move(role).error();
    m.raw = span_in(refuse.body, value);
    bool content = false;
    for (JsonMembers f(value); f.next();) {
        Path at = path.in(f.key);
        Result<void> ok;
        if (f.key == "content") {
            content = true;
            ok = decode_content(refuse, arena, m, f.value, at);
        } else if (f.key == "tool_calls") {
            ok = decode_tool_calls(refuse, arena, m, f.value, at);
        } else if (f.key == "name") {
            TRY(m.name, text_of(refuse, arena, f.value, at));
        } else if (f.key == "tool_call_id") {
            TRY(m.tool_call_id, text_of(refuse, arena, f.value, at));
        } else if (f.key == "reasoning_content" || f.key == "reasoning") {
            TRY(Str reasoning, text_of(refuse, arena, f.value, at));
            if (m.reasoning.empty()) m.reasoning = reasoning;
        }
        if (!ok) return std::move(ok).error();
    }
    if (!content) m.content_was_null = true;
    if (!content && m.role != Role::assistant) return refuse.missing("content", refuse.after(value), path.text());
    if (m.role == Role::tool && m.tool_call_id.empty()) return refuse.missing("tool_call_id", refuse.after(value), path.text());
    return m;
}

}  // namespace

Result<Role> message_role(const Refuse& refuse, Str message, Str list) { return role_of(refuse, message, Path{nullptr, list, 0}); }

Result<void> decode_messages(const Refuse& refuse, Call& call, Arena& arena, Str value) {
    const Path list{nullptr, "messages", 0};
    SpanBuilder<Message> out(arena);
    for (JsonItems i(value); i.next();) {
        TRY(Message m, decode_message(refuse, arena, i.value, list.at(out.size())));
        out.push(m);
    }
    call.messages = out.take();
    return {};
}

}  // namespace weir::api
