#include "api/tokenize.h"

#include <algorithm>

#include "api/decode_parts.h"
#include "base/limits.h"
#include "wire/json_top.h"
#include "wire/json_walk.h"
#include "wire/json_write.h"

namespace weir::api {
namespace {

constexpr size_t fields_max = 256;

// The members of a body that must be one JSON object; the last of equal names counts.
class Fields {
public:
    Fields(const Options& options, Str body, Arena& arena) : refuse_{options, body}, body_(body), arena_(arena) {}
    Result<void> scan() {
        auto got = scan_top(body_, members_);
        if (!got) return refuse_.syntax(std::move(got).error());
        count_ = got->members;
        return Nothing{};
    }
    Str find(Str name) const {
        for (size_t i = count_; i-- > 0;) {
            Str value = body_.substr(members_[i].value.off, members_[i].value.len);
            if (body_.substr(members_[i].key.off, members_[i].key.len) == name) return json_kind(value) == JsonKind::null ? Str{} : value;
        }
        return {};
    }
    Result<Str> text(Str name, bool required) {
        Str value = find(name);
        if (value.empty() && required) return refuse_.missing(name, refuse_.root_end());
        if (value.empty()) return Str{};
        if (json_kind(value) != JsonKind::string) return refuse_.type(value, "a string", name);
        return json_text(value, arena_);
    }
    Result<std::optional<bool>> boolean(Str name) {
        Str value = find(name);
        if (value.empty()) return std::optional<bool>();
        if (json_kind(value) != JsonKind::boolean) return refuse_.type(value, "a boolean", name);
        return std::optional<bool>(value == "true");
    }
    const Refuse& refuse() const { return refuse_; }

private:
    Refuse refuse_;
    Str body_;
    Arena& arena_;
    Member members_[fields_max];
    size_t count_ = 0;
};

Result<std::span<const uint32_t>> ids_of(const Refuse& refuse, Arena& arena, Str list) {
    SpanBuilder<uint32_t> ids(arena);
    for (JsonItems i(list); i.next();) {
        if (Mismatch bad = check_type(Type::u32, i.value)) return refuse.type(i.value, bad.expected, "tokens", bad.value);
        ids.push(static_cast<uint32_t>(*json_uint(i.value)));
    }
    return std::span<const uint32_t>(ids.take());
}

Reply json_reply(int status = 200) {
    Reply reply;
    reply.status = status;
    reply.content_type = "application/json";
    return reply;
}

}  // namespace

uint64_t characters_of(Str utf8) {
    return static_cast<uint64_t>(std::count_if(utf8.begin(), utf8.end(), [](char c) { return (static_cast<unsigned char>(c) & 0xc0) != 0x80; }));
}

Result<TokenizeAsk> read_tokenize(const Options& options, Str body, Arena& arena) {
    Fields fields(options, body, arena);
    TRY_OK(fields.scan());
    TokenizeAsk ask;
    TRY(ask.model, fields.text("model", false));
    TRY(ask.add_special_tokens, fields.boolean("add_special_tokens"));
    TRY(auto strings, fields.boolean("return_token_strs"));
    ask.token_strings = strings.value_or(false);
    Str prompt = fields.find("prompt");
    if (prompt.empty() && !fields.find("messages").empty()) {
        ask.chat = body;
        return ask;
    }
    if (prompt.empty()) return fields.refuse().missing("prompt", fields.refuse().root_end());
    SpanBuilder<Str> prompts(arena);
    if (json_kind(prompt) == JsonKind::string) {
        prompts.push(json_text(prompt, arena));
    } else {
        if (json_kind(prompt) != JsonKind::array) return fields.refuse().type(prompt, "a string or a list of strings", "prompt");
        ask.many = true;
        size_t n = 0;
        for (JsonItems i(prompt); i.next();) {
            if (json_kind(i.value) != JsonKind::string) return fields.refuse().type(i.value, "a string", "prompt");
            if (++n > limits::inputs_max)
                return fields.refuse().invalid("More than " + std::to_string(limits::inputs_max) + " prompts", "prompt", "array_above_max_length");
            prompts.push(json_text(i.value, arena));
        }
    }
    ask.prompts = prompts.take();
    return ask;
}

Result<DetokenizeAsk> read_detokenize(const Options& options, Str body, Arena& arena) {
    Fields fields(options, body, arena);
    TRY_OK(fields.scan());
    DetokenizeAsk ask;
    TRY(ask.model, fields.text("model", false));
    TRY(ask.skip_special_tokens, fields.boolean("skip_special_tokens"));
    Str tokens = fields.find("tokens");
    if (tokens.empty()) return fields.refuse().missing("tokens", fields.refuse().root_end());
    if (json_kind(tokens) != JsonKind::array) return fields.refuse().type(tokens, "a list of integers or a list of lists of integers", "tokens");
    SpanBuilder<std::span<const uint32_t>> lists(arena);
    JsonItems first(tokens);
    ask.many = first.next() && json_kind(first.value) == JsonKind::array;
    if (!ask.many) {
        TRY(auto ids, ids_of(fields.refuse(), arena, tokens));
        lists.push(ids);
    }
    size_t n = 0;
    for (JsonItems i(tokens); ask.many && i.next();) {
        if (json_kind(i.value) != JsonKind::array) return fields.refuse().type(i.value, "a sequence", "tokens");
        if (++n > limits::inputs_max)
            return fields.refuse().invalid("More than " + std::to_string(limits::inputs_max) + " lists of tokens", "tokens", "array_above_max_length");
        TRY(auto ids, ids_of(fields.refuse(), arena, i.value));
        lists.push(ids);
    }
    ask.tokens = lists.take();
    return ask;
}

void TokenizeAnswer::begin() { out_ += many_ ? "{\"tokens\":[" : "{\"tokens\":"; }

void TokenizeAnswer::begin_prompt() {
    if (!counts_.empty()) out_ += ',';
    out_ += '[';
    count_ = 0;
}

void TokenizeAnswer::ids(std::span<const uint32_t> some) {
    for (uint32_t id : some) {
        if (count_++) out_ += ',';
        append_json_number(out_, static_cast<uint64_t>(id));
    }
}

void TokenizeAnswer::end_prompt(uint64_t characters) {
    out_ += ']';
    counts_.push_back(count_);
    characters_.push_back(characters);
}

void TokenizeAnswer::numbers(const char* name, const std::vector<uint64_t>& values) {
    out_.append(",\"").append(name).append(many_ ? "\":[" : "\":");
    for (size_t i = 0; i < values.size(); i++) {
        if (i) out_ += ',';
        append_json_number(out_, values[i]);
    }
    if (many_) out_ += ']';
}

void TokenizeAnswer::end(uint64_t context, std::string_view strings) {
    if (many_) out_ += ']';
    numbers("count", counts_);
    if (plain_) {
        out_ += ",\"max_model_len\":";
        append_json_number(out_, context);
        if (!many_) out_.append(",\"token_strs\":").append(strings.empty() ? "null" : strings);
    } else {
        numbers("char_count", characters_);
    }
    out_ += '}';
}

Reply detokenize_reply(std::span<const std::string> texts, bool many, bool plain) {
    Reply reply = json_reply();
    JsonWriter w(reply.body);
    auto write = [&](const char* name) {
        w.key(name);
        if (many) w.array();
        for (auto& text : texts) w.text(text);
        if (many) w.end_array();
    };
    w.object();
    write("text");
    if (plain) write("prompt");          // vLLM's name for it
    w.end_object();
    return reply;
}

Reply no_tokenizer_reply(const Options& options, Str model, bool any) {
    if (options.dialect == Dialect::frontend) {
        Asked asked;
        asked.model = model;
        return error_reply(options, *Failure(Code::model_unknown, ""), asked);
    }
    Reply reply = json_reply(400);
    reply.code = "tokenizer_not_found";
    std::string message = any ? "No tokenizer named '" + std::string(model) + "'. GET /v1/tokenizers lists those there are."
                              : std::string("No tokenizers available. Use POST /v1/tokenizers to add one.");
    JsonWriter(reply.body).object().key("error").object().member("message", message).member("type", "tokenizer_not_found").end_object().end_object();
    return reply;
}

Result<AddTokenizer> read_add_tokenizer(const Options& options, Str body, Arena& arena) {
    Fields fields(options, body, arena);
    TRY_OK(fields.scan());
    AddTokenizer ask;
    TRY(ask.name, fields.text("name", true));
    TRY(ask.source, fields.text("source", true));
    TRY(ask.chat_template, fields.text("chat_template", false));
    for (auto [value, name] : {std::pair(ask.name, "name"), std::pair(ask.source, "source")})
        if (value.empty() || value.size() > limits::tokenizer_name_max)
            return fields.refuse().invalid(std::string(name) + " must have 1 to " + std::to_string(limits::tokenizer_name_max) + " bytes", name,
                                           "invalid_value");
    return ask;
}

Reply tokenizer_added_reply(const TokenizerInfo& t, int status) {
    Reply reply = json_reply(status);
    JsonWriter(reply.body).object().member("id", t.id).member("status", t.status).member("message", t.message).end_object();
    return reply;
}

Reply tokenizers_reply(std::span<const TokenizerInfo> list) {
    Reply reply = json_reply();
    JsonWriter w(reply.body);
    w.object().key("tokenizers").array();
    for (auto& t : list)
        w.object().member("id", t.id).member("name", t.name).member("source", t.source).member("vocab_size", t.vocab_size).end_object();
    w.end_array().end_object();
    return reply;
}

Reply tokenizer_reply(const TokenizerInfo& t) {
    Reply reply = json_reply();
    JsonWriter(reply.body).object().member("id", t.id).member("name", t.name).member("source", t.source).member("vocab_size", t.vocab_size).end_object();
    return reply;
}

Reply tokenizer_status_reply(const TokenizerInfo& t) {
    Reply reply = json_reply();
    JsonWriter w(reply.body);
    w.object().member("id", t.id).member("status", t.status).member("message", t.message);
    if (t.status == "completed") w.member("vocab_size", t.vocab_size);
    w.end_object();
    return reply;
}

Reply tokenizer_removed_reply(Str name) {
    Reply reply = json_reply();
    std::string message = "Tokenizer '" + std::string(name) + "' removed successfully";
    JsonWriter(reply.body).object().member("success", true).member("message", message).end_object();
    return reply;
}

Reply unknown_tokenizer_reply(const Options& options, Str id) {
    Reply reply = json_reply(404);
    std::string message = "Tokenizer '" + std::string(id) + "' not found";
    JsonWriter w(reply.body);
    if (options.dialect == Dialect::frontend) {
        w.object().member("message", message).member("type", "Not Found").member("code", 404).end_object();
        return reply;
    }
    reply.code = "tokenizer_not_found";
    w.object().key("error").object().member("message", message).member("type", "tokenizer_not_found").end_object().end_object();
    return reply;
}

}  // namespace weir::api
