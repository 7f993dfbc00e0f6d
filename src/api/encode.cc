#include "api/encode.h"

#include <algorithm>
#include <cstdio>

#include "api/encode_parts.h"
#include "wire/json_walk.h"

namespace weir::api {

std::unique_ptr<Encoder> make_encoder(const Options& options, const Tail& tail, int64_t now_s) {
    switch (tail.api) {
        case Api::chat: case Api::completions: return make_text_encoder(options, tail, now_s);
        case Api::embeddings: return make_embeddings_encoder(options, tail, now_s);
        default: return nullptr;
    }
}

std::string answer_id(Api api, RequestId id) {
    char text[64];
    auto part = [](uint64_t v, int shift, uint64_t mask) { return static_cast<unsigned long long>(v >> shift & mask); };
    std::snprintf(text, sizeof text, "%08llx-%04llx-%04llx-%04llx-%012llx", part(id.hi, 32, 0xffffffff), part(id.hi, 16, 0xffff), part(id.hi, 0, 0xffff),
                  part(id.lo, 48, 0xffff), part(id.lo, 0, 0xffffffffffff));
    return std::string(api == Api::chat ? "chatcmpl-" : api == Api::completions ? "cmpl-" : "embd-") + text;
}

Head first_head(const Tail& tail, int64_t now_s) {
    Head head;
    head.id = answer_id(tail.api, tail.id);
    head.model = tail.model;
    head.created = now_s;
    return head;
}

void Head::take(const BeginHead& from) {
    if (!from.id.empty()) id = from.id;
    if (!from.model.empty()) model = from.model;
    if (from.created) created = from.created;
    fingerprint = from.fingerprint;
    extra = from.extra;
}

Str finish_word(const Event& e) {
    const auto* head = e.as<FinishHead>();
    if (e.finish_reason() == FinishReason::other && head && !head->reason.empty()) return head->reason;
    return name(e.finish_reason());
}

void put_usage(const Options& options, Api api, const Event& e, std::string& out) {
    if (options.dialect == Dialect::launch && !e.data.empty()) {
        out += e.data;
        return;
    }
    static const Usage none;
    const Usage& u = e.more ? *e.as<Usage>() : none;
    auto number = [&](const char* name, uint32_t v) { out.append(name).append(std::to_string(v)); };
    number("{\"prompt_tokens\":", u.prompt);
    if (api != Api::embeddings) number(",\"completion_tokens\":", u.completion);
    number(",\"total_tokens\":", u.total());
    if (u.has_cached) {
        bool audio = api == Api::completions && options.dialect == Dialect::frontend;
        out += audio ? ",\"prompt_tokens_details\":{\"audio_tokens\":null," : ",\"prompt_tokens_details\":{";
        number("\"cached_tokens\":", u.cached);
        out += '}';
    }
    if (u.has_reasoning) {
        number(",\"completion_tokens_details\":{\"reasoning_tokens\":", u.reasoning);
        out += '}';
    }
    out += '}';
}

void put_members(Str members, bool nulls, std::string& out) { put_members_once(members, nulls, {}, out); }

void put_members_once(Str members, bool nulls, std::span<const Str> taken, std::string& out) {
    if (members.empty()) return;
    std::string object = "{" + std::string(members) + "}";
    std::vector<std::pair<Str, Str>> last;   // a name's last value stands at its first place
    for (JsonMembers m(object); m.next();) {
        if (std::find(taken.begin(), taken.end(), m.key) != taken.end()) continue;
        auto same = std::find_if(last.begin(), last.end(), [&](const auto& l) { return l.first == m.key; });
        if (same == last.end()) last.emplace_back(m.key, m.value);
        else if (m.value != "null") same->second = m.value;
    }
    for (auto& [key, value] : last)
        if (nulls || (value != "null" && value != "[]")) out.append(",\"").append(key).append("\":").append(value);
}

// ---- log probabilities

static void put_token(const TokenLogprob& t, bool top, std::string& out) {
    out += "{\"token\":";
    append_json_string(out, t.token);
    out += ",\"logprob\":";
    append_json_number(out, t.logprob);
    out += ",\"bytes\":";
    if (t.bytes.empty()) {
        char sep = '[';
        for (unsigned char c : t.token) out.append(1, std::exchange(sep, ',')).append(std::to_string(c));
        out += t.token.empty() ? "[]" : "]";
    } else {
        out += t.bytes;
    }
    if (top) {
        out += ",\"top_logprobs\":[";
        for (size_t i = 0; i < t.top.size(); ++i) {
            if (i) out += ',';
            put_token(t.top[i], false, out);
        }
        out += ']';
    }
    out += '}';
}

static void put_tokens(std::span<const TokenLogprob> tokens, std::string& out) {
    if (tokens.empty()) return void(out += "null");
    char sep = '[';
    for (const TokenLogprob& t : tokens) {
        out += std::exchange(sep, ',');
        put_token(t, true, out);
    }
    out += ']';
}

static void put_completion_tokens(std::span<const TokenLogprob> tokens, std::string& out) {
    auto list = [&](const char* name, auto one) {
        out += name;
        for (size_t i = 0; i < tokens.size(); ++i) {
            if (i) out += ',';
            one(tokens[i]);
        }
        out += ']';
    };
    list("{\"text_offset\":[", [&](const TokenLogprob& t) { out += std::to_string(t.text_offset); });
    list(",\"token_logprobs\":[", [&](const TokenLogprob& t) { if (t.null_logprob) out += "null";
        else append_json_number(out, t.logprob);
    });
    list(",\"tokens\":[", [&](const TokenLogprob& t) { append_json_string(out, t.token); });
    list(",\"top_logprobs\":[", [&](const TokenLogprob& t) {
        if (t.top.empty()) return void(out += "null");
        char sep = '{';
        for (const TokenLogprob& a : t.top) {
            out += std::exchange(sep, ',');
            append_json_string(out, a.token);
            out += ':';
            append_json_number(out, a.logprob);
        }
        out += '}';
    });
    out += '}';
}

void put_logprobs(Api api, const Logprobs& l, std::string& out) {
    if (!l.raw.empty()) return void(out += l.raw);
    if (api == Api::completions) return put_completion_tokens(l.content, out);
    out += "{\"content\":";
    put_tokens(l.content, out);
    out += ",\"refusal\":";
    put_tokens(l.refusal, out);
    out += '}';
}

void LogprobsFold::add(Api api, const Logprobs& l) {
    std::string text;
    put_logprobs(api, l, text);
    if (json_kind(text) != JsonKind::object) return;
    for (JsonMembers m(text); m.next();) {
        auto at = std::find_if(lists_.begin(), lists_.end(), [&](const List& x) { return x.name == m.key; });
        if (at == lists_.end()) at = lists_.insert(lists_.end(), List{std::string(m.key), {}, true});
        if (json_kind(m.value) != JsonKind::array) continue;
        at->null = false;
        if (json_empty(m.value)) continue;
        if (!at->inside.empty()) at->inside += ',';
        at->inside += m.value.substr(1, m.value.size() - 2);
    }
}

void LogprobsFold::put(std::string& out) const {
    char sep = '{';
    for (const List& l : lists_) {
        out.append(1, std::exchange(sep, ',')).append("\"").append(l.name).append(l.null ? "\":null" : "\":[");
        if (!l.null) out.append(l.inside).append("]");
    }
    out += '}';
}

}  // namespace weir::api
