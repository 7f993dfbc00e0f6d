#include "engine/openai_codec.h"
#include "wire/json_write.h"

namespace weir::engine {
namespace {

constexpr const char* part_member(Media::Kind kind) {
    switch (kind) {
        case Media::image: return "image_url";
        case Media::audio: return "input_audio";
        case Media::video: return "video_url";
        case Media::file: return "file";
    }
    return "image_url";
}

void write_media(const Media& m, JsonWriter& w) {
    const char* member = part_member(m.kind);
    bool plain_audio = m.kind == Media::audio && m.from == Media::data;
    if (m.kind == Media::audio && !plain_audio) member = "audio_url";
    w.member("type", member).key(member).object();
    if (m.from == Media::file_id) {
        w.member("file_id", m.ref);
    } else if (plain_audio) {
        w.member("data", m.ref).member("format", m.format);
    } else if (m.kind == Media::file) {
        w.member("file_data", m.ref);
    } else {
        std::string url = m.from == Media::data ? "data:" + std::string(m.format) + ";base64," + std::string(m.ref) : std::string(m.ref);
        w.member("url", url);
        if (!m.detail.empty()) w.member("detail", m.detail);
    }
    w.end_object();
}

void write_part(const Call& call, const Part& p, bool raw, JsonWriter& w) {
    if ((raw || p.kind == Part::Kind::other) && !p.raw.empty()) return void(w.raw(call.doc.at(p.raw)));
    w.object();
    switch (p.kind) {
        case Part::Kind::media: write_media(*p.media, w); break;
        case Part::Kind::refusal: w.member("type", "refusal").member("refusal", p.text); break;
        case Part::Kind::thinking: w.member("type", "thinking").member("thinking", p.text); break;
        default: w.member("type", "text").member("text", p.text);
    }
    w.end_object();
}

void write_message(const Call& call, const Message& m, bool raw, JsonWriter& w) {
    if (raw && !m.raw.empty()) return void(w.raw(call.doc.at(m.raw)));
    w.object().member("role", name(m.role)).key("content");
    if (m.content_was_null && m.parts.empty()) {
        w.null();
    } else if (m.content_was_string && m.parts.size() == 1) {
        w.text(m.parts[0].text);
    } else {
        w.array();
        for (const Part& p : m.parts) write_part(call, p, raw, w);
        w.end_array();
    }
    if (!m.name.empty()) w.member("name", m.name);
    if (!m.tool_call_id.empty()) w.member("tool_call_id", m.tool_call_id);
    if (!m.reasoning.empty()) w.member("reasoning_content", m.reasoning);
    if (!m.calls.empty()) {
        w.key("tool_calls").array();
        for (const ToolCall& c : m.calls)
            w.object().member("id", c.id).member("type", "function").key("function").object().member("name", c.name).member("arguments", c.arguments)
                .end_object().end_object();
        w.end_array();
    }
    w.end_object();
}

void write_tools(const Call& call, bool raw, JsonWriter& w) {
    w.key("tools").array();
    for (const Tool& t : call.tools) {
        if ((raw || t.name.empty()) && !t.raw.empty()) {
            w.raw(call.doc.at(t.raw));
            continue;
        }
        w.object().member("type", "function").key("function").object().member("name", t.name);
        if (!t.description.empty()) w.member("description", t.description);
        if (!t.schema.empty()) w.key("parameters").raw(call.doc.at(t.schema));
        if (t.strict) w.member("strict", true);
        w.end_object().end_object();
    }
    w.end_array();
}

void write_prompt(const Prompt& p, JsonWriter& w) {
    if (!p.is_tokens) return void(w.text(p.text));
    w.array();
    for (uint32_t id : p.tokens) w.number(id);
    w.end_array();
}

void write_prompts(const Call& call, JsonWriter& w) {
    w.key(call.api == Api::embeddings ? "input" : "prompt");
    if (!call.prompts_were_list && call.prompts.size() == 1) return write_prompt(call.prompts[0], w);
    w.array();
    for (const Prompt& p : call.prompts) write_prompt(p, w);
    w.end_array();
}

void write_sampling(const Call& call, JsonWriter& w) {
    const Sampling& s = call.sampling;
    auto put = [&](const char* key, const auto& v) { if (v) w.member(key, *v); };
    put("temperature", s.temperature);
    put("top_p", s.top_p);
    put("min_p", s.min_p);
    put("top_k", s.top_k);
    put("presence_penalty", s.presence);
    put("frequency_penalty", s.frequency);
    put("repetition_penalty", s.repetition);
    put("length_penalty", s.length_penalty);
    put("seed", s.seed);
    put("n", s.n);
    put("best_of", s.best_of);
    put(s.max_was_completion ? "max_completion_tokens" : "max_tokens", s.max_tokens);
    put("min_tokens", s.min_tokens);
    if (s.stop_was_string && s.stop.size() == 1) {
        w.member("stop", s.stop[0]);
    } else if (!s.stop.empty()) {
        w.key("stop").array();
        for (Str stop : s.stop) w.text(stop);
        w.end_array();
    }
    if (!s.stop_ids.empty()) {
        w.key("stop_token_ids").array();
        for (uint32_t id : s.stop_ids) w.number(id);
        w.end_array();
    }
}

}  // namespace

void write_openai_request(const Call& call, const OpenAiRequest& ask, std::string& out) {
    bool raw = call.wire == Wire::openai;
    JsonWriter w(out);
    w.object().member("model", ask.model.empty() ? call.model : ask.model);
    if (call.api == Api::chat) {
        w.key("messages").array();
        for (const Message& m : call.messages) write_message(call, m, raw, w);
        w.end_array();
    } else {
        write_prompts(call, w);
    }
    if (ask.stream) w.member("stream", true);
    bool as_asked = ask.stream == ((call.wants & wants::stream) != 0);   // stream_options without stream: the engine says what it thinks of it
    bool usage = (ask.stream && ask.ask_usage) || (as_asked && (call.wants & wants::include_usage)), each = as_asked && (call.wants & wants::continuous_usage);
    if (usage || each) {
        w.key("stream_options").object();
        if (usage) w.member("include_usage", true);
        if (each) w.member("continuous_usage_stats", true);
        w.end_object();
    }
    if (!call.tools.empty()) write_tools(call, raw, w);
    write_sampling(call, w);
    for (const Member& m : call.extra)
        out.append(",\"").append(call.doc.at(m.key)).append("\":").append(call.doc.at(m.value));
    w.end_object();
}

}  // namespace weir::engine
