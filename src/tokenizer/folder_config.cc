#include "tokenizer/folder_config.h"

#include <algorithm>
#include <charconv>
#include <nlohmann/json.hpp>

#include "tokenizer/formats.h"
#include "tokenizer/hf_added.h"

namespace weir::tok {
namespace {

using Json = nlohmann::json;

// The member of that name; null when `from` is no object or has none.
const Json& member(const Json& from, const char* name) {
    static const Json none;
    const auto at = from.is_object() ? from.find(name) : from.end();
    return at == from.end() ? none : *at;
}

std::optional<bool> flag(const Json& from, const char* name) {
    const Json& value = member(from, name);
    return value.is_boolean() ? std::optional(value.get<bool>()) : std::nullopt;
}

std::string text(const Json& value) { return value.is_string() ? value.get<std::string>() : std::string(); }

// A string, or an AddedToken object with its content.
std::string token_text(const Json& value) { return value.is_object() ? text(member(value, "content")) : text(value); }

Result<Json> parsed(std::string_view json, const char* file) {
    Json root = Json::parse(json, nullptr, false);
    if (!root.is_object()) return Failure(Code::bad_json, std::string(file) + " is not a JSON object", file);
    return root;
}

Result<void> read_added(const Json& added, std::vector<AddedToken>& out) {
    if (!added.is_object()) return {};
    for (const auto& [key, fields] : added.items()) {
        AddedToken token;
        const auto [end, error] = std::from_chars(key.data(), key.data() + key.size(), token.id);
        if (error != std::errc() || end != key.data() + key.size() || token.id >= vocab_max)
            return Failure(Code::bad_field, "added_tokens_decoder has an entry that is not an id", "added_tokens_decoder");
        token.text = token_text(fields);
        if (token.text.empty()) return Failure(Code::bad_field, "added_tokens_decoder has an empty token", "added_tokens_decoder");
        token.special = flag(fields, "special").value_or(false);
        token.lstrip = flag(fields, "lstrip").value_or(false);
        token.rstrip = flag(fields, "rstrip").value_or(false);
        token.single_word = flag(fields, "single_word").value_or(false);
        token.normalized = flag(fields, "normalized").value_or(!token.special);
        out.push_back(std::move(token));
    }
    std::sort(out.begin(), out.end(), [](const AddedToken& a, const AddedToken& b) { return a.id < b.id; });
    return {};
}

AddedToken special_token(const Json& value) {
    AddedToken token;
    token.text = token_text(value);
    token.special = true;
    token.lstrip = flag(value, "lstrip").value_or(false);
    token.rstrip = flag(value, "rstrip").value_or(false);
    token.single_word = flag(value, "single_word").value_or(false);
    token.normalized = flag(value, "normalized").value_or(false);
    return token;
}

constexpr const char* roles[] = {"bos_token", "eos_token", "unk_token", "sep_token", "pad_token", "cls_token", "mask_token"};

void read_special(const Json& root, FolderConfig& config) {
    for (const char* role : roles)
        if (root.contains(role)) config.special[role] = special_token(root[role]);
    for (const char* list : {"extra_special_tokens", "additional_special_tokens"})
        if (const Json& tokens = member(root, list); tokens.is_array())
            for (const Json& token : tokens) config.extra_special.push_back(special_token(token));
}

// added_tokens.json: a map from texts to ids.
Result<void> read_old_added(std::string_view json, FolderConfig& config) {
    TRY(const Json root, parsed(json, "added_tokens.json"));
    for (const auto& [text, id] : root.items()) {
        if (!id.is_number_unsigned() || id.get<uint64_t>() >= vocab_max || text.empty())
            return Failure(Code::bad_field, "added_tokens.json has an entry that is not an id", "added_tokens.json");
        AddedToken token;
        token.text = text;
        token.id = id.get<uint32_t>();
        for (const auto& [role, special] : config.special) token.special |= special.text == text;
        for (const AddedToken& special : config.extra_special) token.special |= special.text == text;
        token.normalized = !token.special;
        config.added.push_back(std::move(token));
    }
    std::sort(config.added.begin(), config.added.end(), [](const AddedToken& a, const AddedToken& b) { return a.id < b.id; });
    return {};
}

}  // namespace

Result<FolderConfig> FolderConfig::read(std::string_view tokenizer_config_json, std::string_view config_json, std::string_view special_tokens_map_json,
                                        std::string_view added_tokens_json) {
    FolderConfig config;
    bool old = true;
    if (!tokenizer_config_json.empty()) {
        TRY(const Json root, parsed(tokenizer_config_json, "tokenizer_config.json"));
        config.tokenizer_class = text(member(root, "tokenizer_class"));
        config.legacy = flag(root, "legacy");
        config.add_bos_token = flag(root, "add_bos_token");
        config.add_eos_token = flag(root, "add_eos_token");
        config.bos_token = token_text(member(root, "bos_token"));
        config.eos_token = token_text(member(root, "eos_token"));
        config.do_lower_case = flag(root, "do_lower_case");
        config.tokenize_chinese_chars = flag(root, "tokenize_chinese_chars");
        config.strip_accents = flag(root, "strip_accents");
        config.add_prefix_space = flag(root, "add_prefix_space");
        TRY_OK(read_added(member(root, "added_tokens_decoder"), config.added));
        read_special(root, config);
        old = !root.contains("added_tokens_decoder");
    }
    if (old && !special_tokens_map_json.empty()) {
        TRY(const Json root, parsed(special_tokens_map_json, "special_tokens_map.json"));
        read_special(root, config);
    }
    if (old && !added_tokens_json.empty()) TRY_OK(read_old_added(added_tokens_json, config));
    if (!config_json.empty()) {
        TRY(const Json root, parsed(config_json, "config.json"));
        config.model_type = text(member(root, "model_type"));
        if (const Json& size = member(root, "vocab_size"); size.is_number_unsigned()) config.vocab_size = size.get<uint64_t>();
    }
    return config;
}

SpecialRoles::SpecialRoles(const FolderConfig& config, std::span<const Default> defaults) : config_(config) {
    for (const Default& d : defaults) {
        const auto said = config.special.find(d.role);
        if (said != config.special.end()) roles_.emplace_back(d.role, said->second);
        else if (d.text) roles_.emplace_back(d.role, AddedToken{d.text, 0, true, false, false, false, false});
    }
}

std::string SpecialRoles::text(std::string_view role) const {
    for (const auto& [known, token] : roles_)
        if (known == role) return token.text;
    return {};
}

void SpecialRoles::add_to(TokenizerSpec& spec) const {
    spec.added = config_.added;
    const auto add = [&spec](const AddedToken& token) {
        const bool known = std::any_of(spec.added.begin(), spec.added.end(), [&](const AddedToken& t) { return t.text == token.text; });
        if (known || token.text.empty()) return;
        spec.added.push_back(token);
        spec.added.back().special = true;
    };
    for (const auto& [role, token] : roles_) add(token);
    for (const AddedToken& token : config_.extra_special) add(token);
    settle_added(spec.added, spec.model);
}

Result<uint32_t> SpecialRoles::id(const TokenizerSpec& spec, std::string_view role) const {
    const std::string wanted = text(role);
    for (const AddedToken& token : spec.added)
        if (token.text == wanted) return token.id;
    return Failure(Code::bad_field, std::string(role) + " is missing", std::string(role));
}

std::optional<PostProcessorSpec> bos_eos_processor(std::optional<uint32_t> bos, std::optional<uint32_t> eos) {
    if (!bos && !eos) return std::nullopt;
    PostProcessorSpec spec;
    spec.kind = PostProcessorSpec::Kind::template_processing;
    if (bos) spec.single.push_back({TemplatePiece::Kind::special, {*bos}});
    spec.single.push_back({TemplatePiece::Kind::sequence_a, {}});
    if (eos) spec.single.push_back({TemplatePiece::Kind::special, {*eos}});
    return spec;
}

Result<void> merge_added_tokens(const FolderConfig& config, TokenizerSpec& spec) {
    for (const AddedToken& token : config.added) {
        const auto known = std::find_if(spec.added.begin(), spec.added.end(), [&](const AddedToken& t) { return t.id == token.id; });
        if (known != spec.added.end()) {
            if (known->text != token.text)
                return Failure(Code::bad_field, "id " + std::to_string(token.id) + " is " + known->text + " in the vocabulary and " + token.text +
                                                    " in tokenizer_config.json", "added_tokens_decoder");
            *known = token;
        } else {
            spec.added.push_back(token);
        }
    }
    std::sort(spec.added.begin(), spec.added.end(), [](const AddedToken& a, const AddedToken& b) { return a.id < b.id; });
    return {};
}

}  // namespace weir::tok
