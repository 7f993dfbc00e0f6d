#include "mocker/ask.h"

#include <charconv>
#include <memory>

#include "base/arena.h"
#include "base/limits.h"
#include "sim/text.h"
#include "wire/json_top.h"
#include "wire/json_walk.h"

namespace weir::mocker {
namespace {

constexpr uint32_t image_tokens = 64, count_max = 0x7fffffff;
constexpr size_t prompts_max = limits::inputs_max;
// Top members of the request under way; one request is read at a time on a thread.
std::span<Member> top_members() {   // 64 KB for a thread that asks
    static thread_local const auto space = std::make_unique_for_overwrite<Member[]>(limits::json_members_max);
    return {space.get(), limits::json_members_max};
}

Failure wrong(Str field, std::string_view why) {
    return Failure(Code::bad_field, std::string(field) + ": " + std::string(why), std::string(field));
}

// Reads one body. The members of `generate` that steer sampling stand in "sampling_params" and go through the same function.
class Reader {
public:
    Reader(Face face, Ask& ask) : ask_(ask) { ask.face = face; }

    Result<void> read(std::string_view body) {
        TRY(TopScan scan, scan_top(body, top_members()));
        for (uint32_t i = 0; i < scan.members; ++i) {
            const Member& m = top_members()[i];
            TRY([[maybe_unused]] Nothing done, member(body.substr(m.key.off, m.key.len), body.substr(m.value.off, m.value.len)));
        }
        return finish();
    }

private:
    Result<Nothing> member(Str key, Str value) {
        const bool is_null = json_kind(value) == JsonKind::null;
        if (key == "messages" && ask_.face == Face::chat) return messages(value);
        if (key == "prompt" && ask_.face == Face::completions) return prompt(key, value);
        if (key == "input" && ask_.face == Face::embeddings) return prompt(key, value);
        if ((key == "text" || key == "input_ids") && ask_.face == Face::generate) return is_null ? ok() : prompt(key, value);
        if (is_null) return ok();
        if (key == "sampling_params" && ask_.face == Face::generate) return sampling(value);
        if (key == "model") return text(key, value, ask_.model);
        if (key == "stream") return boolean(key, value, ask_.stream);
        if (key == "stream_options") return stream_options(value);
        if (key == "cache_salt") return text(key, value, ask_.cache_salt);
        if (key == "lora_path" && json_kind(value) == JsonKind::string) return text(key, value, ask_.lora);
        if (key == "data_parallel_rank") {
            uint32_t rank = 0;
            TRY([[maybe_unused]] Nothing done, number(key, value, 0, 65'535, rank));
            ask_.rank = rank;
            return ok();
        }
        if (key == "dimensions") return number(key, value, 1, 65'536, ask_.dimensions);
        if (key == "encoding_format") return encoding(value);
        if (key == "echo") return boolean(key, value, ask_.echo);
        if (key == "logprobs" && ask_.face == Face::chat) return boolean(key, value, wants_logprobs_);
        if (key == "logprobs" || key == "top_logprobs") return logprobs(key, value);
        if (key == "return_logprob" && ask_.face == Face::generate) return boolean(key, value, wants_logprobs_);
        if (ask_.face != Face::generate) return steer(key, value);
        return ok();
    }

    Result<Nothing> steer(Str key, Str value) {
        uint32_t count = 0;
        if (key == "max_tokens" || key == "max_completion_tokens" || key == "max_new_tokens") {
            const uint32_t least = ask_.face == Face::generate ? 0 : 1;
            TRY([[maybe_unused]] Nothing done, number(key, value, least, count_max, count));
            ask_.max_tokens = count;
            return ok();
        }
        if (key == "min_tokens" || key == "min_new_tokens") return number(key, value, 0, count_max, ask_.min_tokens);
        if (key == "n") return number(key, value, 1, limits::choices_max, ask_.n);
        if (key == "ignore_eos") return boolean(key, value, ask_.ignore_eos);
        if (key == "seed" || key == "sampling_seed") {
            const auto seed = json_int(value);
            if (!seed) return wrong(key, "must be an integer");
            ask_.seed = static_cast<uint64_t>(*seed);
            return ok();
        }
        if (key == "stop") return stop(value);
        return ok();
    }

    Result<Nothing> sampling(Str value) {
        if (json_kind(value) != JsonKind::object) return wrong("sampling_params", "must be an object");
        for (JsonMembers m(value); m.next();) {
            if (json_kind(m.value) == JsonKind::null) continue;
            TRY([[maybe_unused]] Nothing done, steer(m.key, m.value));
        }
        return ok();
    }

    Result<Nothing> messages(Str value) {
        if (json_kind(value) != JsonKind::array) return wrong("messages", "must be a list");
        std::vector<uint32_t> tokens;
        size_t count = 0;
        for (JsonItems items(value); items.next(); ++count) {
            if (count == limits::messages_max) return wrong("messages", "too many");
            TRY([[maybe_unused]] Nothing done, message(items.value, tokens));
        }
        if (count == 0) return wrong("messages", "must not be empty");
        sim::append_tokens("<|assistant|>", tokens);
        ask_.prompts.clear();
        ask_.prompts.push_back(std::move(tokens));
        return ok();
    }

    // "<|role|>", the content, "<|end|>": each begins a token, so a conversation that grows keeps its prefix.
    Result<Nothing> message(Str value, std::vector<uint32_t>& tokens) {
        if (json_kind(value) != JsonKind::object) return wrong("messages", "items must be objects");
        const Str role = json_member(value, "role"), content = json_member(value, "content");
        if (role.empty()) return Failure(Code::missing_field, "messages: an item has no role", "messages");
        if (json_kind(role) != JsonKind::string) return wrong("messages", "role must be a string");
        std::string header = "<|";
        header.append(json_text(role, arena_)).append("|>");
        sim::append_tokens(header, tokens);
        switch (json_kind(content)) {
            case JsonKind::string: sim::append_tokens(json_text(content, arena_), tokens); break;
            case JsonKind::null: break;   // given as null, or not at all
            case JsonKind::array: {
                for (JsonItems parts(content); parts.next();) {
                    TRY([[maybe_unused]] Nothing done, part(parts.value, tokens));
                }
                break;
            }
            default: return wrong("messages", "content must be a string or a list of parts");
        }
        if (const Str calls = json_member(value, "tool_calls"); !calls.empty()) sim::append_tokens(calls, tokens);
        sim::append_tokens("<|end|>", tokens);
        return ok();
    }

    Result<Nothing> part(Str value, std::vector<uint32_t>& tokens) {
        if (json_kind(value) != JsonKind::object) return wrong("messages", "content parts must be objects");
        const Str type = json_member(value, "type"), text = json_member(value, "text");
        if (json_kind(text) == JsonKind::string && (type.empty() || json_is(type, "text"))) {
            sim::append_tokens(json_text(text, arena_), tokens);
        } else if (!type.empty()) {   // an image or a sound: as many tokens for each, and different ones for different ones
            const uint64_t seed = sim::text_seed(value);
            for (uint32_t i = 0; i < image_tokens; ++i) tokens.push_back(static_cast<uint32_t>(sim::draw(seed, i)));
        } else {
            return wrong("messages", "a content part has no type");
        }
        return ok();
    }

    // "text", ["text", ...], [1, 2, ...] or [[1, 2], ...]
    Result<Nothing> prompt(Str key, Str value) {
        ask_.prompts.clear();
        ask_.texts.clear();
        if (json_kind(value) == JsonKind::string) return one_text(value);
        if (json_kind(value) != JsonKind::array) return wrong(key, "must be a string or a list");
        JsonItems items(value);
        if (!items.next()) return wrong(key, "must not be empty");
        if (json_kind(items.value) == JsonKind::number) return one_list(key, value);
        do {
            if (ask_.prompts.size() == prompts_max) return wrong(key, "too many items");
            const JsonKind kind = json_kind(items.value);
            if (kind != JsonKind::string && kind != JsonKind::array)
                return wrong(key, "items must be strings or lists of token ids");
            Result<Nothing> done = kind == JsonKind::string ? one_text(items.value) : one_list(key, items.value);
            if (!done) return done;
        } while (items.next());
        return ok();
    }
    Result<Nothing> one_text(Str value) {
        const Str text = json_text(value, arena_);
        ask_.prompts.emplace_back();
        sim::append_tokens(text, ask_.prompts.back());
        ask_.texts.emplace_back(text);
        return ok();
    }
    Result<Nothing> one_list(Str key, Str value) {
        ask_.prompts.emplace_back();
        ask_.pre_tokenized = true;
        ask_.texts.emplace_back();
        for (JsonItems ids(value); ids.next();) {
            const auto id = json_uint(ids.value);
            if (!id || *id > 0xffffffff) return wrong(key, "token ids must be integers of 32 bits");
            ask_.prompts.back().push_back(static_cast<uint32_t>(*id));
        }
        return ok();
    }

    Result<Nothing> stop(Str value) {
        ask_.stops.clear();
        auto add = [&](Str s) {
            return json_kind(s) == JsonKind::string && (ask_.stops.emplace_back(json_text(s, arena_)), true);
        };
        if (json_kind(value) == JsonKind::array) {
            for (JsonItems items(value); items.next();)
                if (ask_.stops.size() == limits::stops_max || !add(items.value))
                    return wrong("stop", "must be at most " + std::to_string(limits::stops_max) + " strings");
        } else if (!add(value)) {
            return wrong("stop", "must be a string or a list of strings");
        }
        std::erase(ask_.stops, std::string());
        return ok();
    }

    Result<Nothing> stream_options(Str value) {
        if (json_kind(value) != JsonKind::object) return wrong("stream_options", "must be an object");
        const Str usage = json_member(value, "include_usage");
        if (usage.empty() || json_kind(usage) == JsonKind::null) return ok();
        return boolean("stream_options", usage, ask_.include_usage);
    }
    Result<Nothing> encoding(Str value) {
        if (json_is(value, "base64")) ask_.base64 = true;
        else if (!json_is(value, "float")) return wrong("encoding_format", "must be float or base64");
        return ok();
    }
    Result<Nothing> logprobs(Str key, Str value) {
        uint32_t count = 0;
        TRY([[maybe_unused]] Nothing done, number(key, value, 0, 20, count));
        ask_.logprobs = static_cast<int>(count);
        return ok();
    }
    Result<Nothing> text(Str key, Str value, std::string& out) {
        if (json_kind(value) != JsonKind::string) return wrong(key, "must be a string");
        out = json_text(value, arena_);
        return ok();
    }
    Result<Nothing> boolean(Str key, Str value, bool& out) {
        if (json_kind(value) != JsonKind::boolean) return wrong(key, "must be true or false");
        out = value[0] == 't';
        return ok();
    }
    Result<Nothing> number(Str key, Str value, uint64_t low, uint64_t high, uint32_t& out) {
        const auto n = json_kind(value) == JsonKind::number ? json_int(value) : std::nullopt;
        if (!n) return wrong(key, "must be an integer");
        if (*n < static_cast<int64_t>(low)) return wrong(key, "must be at least " + std::to_string(low));
        if (*n > static_cast<int64_t>(high)) return wrong(key, "must be at most " + std::to_string(high));
        out = static_cast<uint32_t>(*n);
        return ok();
    }
    static Nothing ok() { return {}; }

    Result<void> finish() {
        static constexpr const char* needed[] = {"messages", "prompt", "input", "text"};
        if (ask_.prompts.empty()) {
            const char* field = needed[static_cast<size_t>(ask_.face)];
            return Failure(Code::missing_field, std::string(field) + ": Field required", field);
        }
        for (const auto& p : ask_.prompts)
            if (p.empty()) return wrong(needed[static_cast<size_t>(ask_.face)], "must not be empty");
        if (ask_.face == Face::embeddings) ask_.n = 1, ask_.stream = false;
        if (ask_.prompts.size() * ask_.n > prompts_max) return wrong("n", "too many choices");
        if (ask_.face == Face::generate && ask_.prompts.size() > 1) return wrong("text", "lists of prompts are not simulated");
        if (wants_logprobs_) ask_.logprobs = std::max(ask_.logprobs, 0);
        else if (ask_.face == Face::chat || ask_.face == Face::generate) ask_.logprobs = -1;
        return Nothing{};
    }

    Ask& ask_;
    Arena arena_;
    bool wants_logprobs_ = false;
};

}  // namespace

Result<Ask> parse_ask(Face face, std::string_view body) {
    Ask ask;
    Reader reader(face, ask);
    auto done = reader.read(body);
    if (!done) return std::move(done).error();
    return ask;
}

}  // namespace weir::mocker
