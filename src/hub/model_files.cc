#include "hub/model_files.h"

#include <algorithm>
#include <filesystem>
#include <fstream>

#include "hub/config_json.h"
#include "hub/hub_answers.h"
#include "wire/json_walk.h"

namespace weir {
namespace {

namespace fs = std::filesystem;
constexpr uintmax_t json_bytes_max = 64u << 20, template_bytes_max = 4u << 20;
constexpr size_t templates_max = 64, stop_ids_max = 1'024;

// nullopt: there is no such file.
Result<std::optional<std::string>> read_file(const fs::path& path, uintmax_t bytes_max) {
    std::error_code why;
    if (!fs::is_regular_file(path, why)) return std::optional<std::string>();
    auto size = fs::file_size(path, why);
    if (why || size > bytes_max) return Failure(Code::bad_request, path.filename().string() + ": too large").detail(path);
    std::ifstream in(path, std::ios::binary);
    std::string text(size, '\0');
    if (!in.read(text.data(), static_cast<std::streamsize>(size)))
        return Failure(Code::bad_request, path.filename().string() + ": cannot be read").detail(path);
    return std::optional<std::string>(std::move(text));
}

// A file's own words about what is wrong with it, with its name before them.
Failure in_file(std::string_view name, Failure failure) {
    failure->message = std::string(name) + ": " + failure->message;
    return failure;
}

using Templates = std::vector<std::pair<std::string, std::string>>;

// "chat_template" as a string, or as [{"name", "template"}].
Result<void> read_templates(const hub::ConfigJson& json, Str value, Templates& out) {
    if (json_kind(value) == JsonKind::string) {
        out = {{"default", json.unescaped(value)}};
        return Nothing{};
    }
    Failure strange(Code::bad_request, "chat_template is neither a string nor a list of {name, template}");
    if (json_kind(value) != JsonKind::array) return strange;
    Templates list;
    for (JsonItems items(value); items.next();) {
        if (json_kind(items.value) != JsonKind::object || list.size() >= templates_max) return strange;
        Str name = json_member(items.value, "name"), text = json_member(items.value, "template");
        if (name.empty() || text.empty() || json_kind(name) != JsonKind::string || json_kind(text) != JsonKind::string) return strange;
        list.emplace_back(json.unescaped(name), json.unescaped(text));
    }
    out = std::move(list);
    return Nothing{};
}

// eos_token_id: a number, a list of numbers, or null. False: absent.
bool read_ids(Str value, std::vector<uint32_t>& out) {
    std::vector<uint32_t> ids;
    auto add = [&](Str number) {
        auto id = json_kind(number) == JsonKind::number ? json_uint(number) : std::nullopt;
        if (!id || *id > 0xffff'ffffu || ids.size() >= stop_ids_max || std::ranges::count(ids, *id)) return;
        ids.push_back(static_cast<uint32_t>(*id));
    };
    if (value.empty()) return false;
    if (json_kind(value) == JsonKind::array)
        for (JsonItems items(value); items.next();) add(items.value);
    else add(value);
    if (ids.empty()) return false;
    out = std::move(ids);
    return true;
}

void read_special_tokens(const hub::ConfigJson& json, ModelFiles& out) {
    struct { Str key; std::string& text; } tokens[] = {{"bos_token", out.bos}, {"eos_token", out.eos}, {"pad_token", out.pad}, {"unk_token", out.unk}};
    for (auto& t : tokens)
        if (auto text = json.token(t.key)) t.text = *std::move(text);
}

std::string find_vocabulary(const fs::path& folder) {
    std::error_code why;
    for (const char* name : {"tokenizer.json", "tekken.json", "tiktoken.model", "tokenizer.model", "spiece.model", "sentencepiece.bpe.model", "spm.model"})
        if (fs::is_regular_file(folder / name, why)) return folder / name;
    std::vector<std::string> others;
    for (auto& entry : fs::directory_iterator(folder, why)) {
        std::string name = entry.path().filename();
        bool usable = hub::is_vocabulary(name) || name.ends_with(".gguf");
        if (usable && entry.is_regular_file(why)) others.push_back(entry.path());
    }
    std::ranges::sort(others);
    return others.empty() ? "" : others.front();
}

Result<void> read_jinja_files(const fs::path& folder, ModelFiles& out) {
    TRY(auto main, read_file(folder / "chat_template.jinja", template_bytes_max));
    Templates found;
    if (main) found.emplace_back("default", *std::move(main));
    std::vector<fs::path> others;
    std::error_code why;
    for (auto& entry : fs::directory_iterator(folder / "additional_chat_templates", why))
        if (entry.path().extension() == ".jinja") others.push_back(entry.path());
    std::ranges::sort(others);
    for (auto& path : others) {
        if (found.size() >= templates_max) return Failure(Code::bad_request, "additional_chat_templates: too many");
        TRY(auto text, read_file(path, template_bytes_max));
        if (text) found.emplace_back(path.stem(), *std::move(text));
    }
    if (found.empty()) return Nothing{};
    out.templates = std::move(found);
    out.template_file = main ? "chat_template.jinja" : "additional_chat_templates";
    return Nothing{};
}

template <class Read>
Result<void> read_json(const fs::path& folder, const char* name, Read read) {
    TRY(auto text, read_file(folder / name, json_bytes_max));
    if (!text) return Nothing{};
    if (auto done = read(*text); !done) return in_file(name, std::move(done).error());
    return Nothing{};
}

}  // namespace

namespace hub {

Result<void> read_config_json(std::string_view text, ModelFiles& out) {
    TRY(ConfigJson json, ConfigJson::parse(text));
    out.model_type = json.text("model_type").value_or("");
    if (Str list = json.member("architectures"); !list.empty() && json_kind(list) == JsonKind::array)
        for (JsonItems items(list); items.next();)
            if (json_kind(items.value) == JsonKind::string) out.architectures.push_back(json.unescaped(items.value));
    std::optional<ConfigJson> inner;
    if (Str value = json.member("text_config"); !value.empty() && json_kind(value) == JsonKind::object) {
        TRY(inner, ConfigJson::parse(value));
    }
    const ConfigJson* levels[] = {&json, inner ? &*inner : nullptr};
    for (const ConfigJson* level : levels) {
        if (!level) continue;
        for (Str key : {"max_position_embeddings", "n_positions", "max_seq_len", "seq_length", "max_sequence_length", "n_ctx"})
            if (auto n = level->number(key); n && !out.max_position) out.max_position = *n;
        if (auto n = level->number("vocab_size"); n && !out.vocab_size) out.vocab_size = *n;
        if (out.stop_ids.empty()) read_ids(level->member("eos_token_id"), out.stop_ids);
    }
    return Nothing{};
}

Result<void> read_generation_config(std::string_view text, ModelFiles& out) {
    TRY(ConfigJson json, ConfigJson::parse(text));
    read_ids(json.member("eos_token_id"), out.stop_ids);
    return Nothing{};
}

Result<void> read_tokenizer_config(std::string_view text, ModelFiles& out, bool& lists_added_tokens) {
    TRY(ConfigJson json, ConfigJson::parse(text));
    read_special_tokens(json, out);
    lists_added_tokens = !json.member("added_tokens_decoder").empty();
    out.tokenizer_class = json.text("tokenizer_class").value_or("");
    out.add_bos = json.boolean("add_bos_token");
    out.add_eos = json.boolean("add_eos_token");
    out.clean_up_spaces = json.boolean("clean_up_tokenization_spaces").value_or(false);
    if (auto n = json.number("model_max_length"); n && *n < 1'000'000'000'000) out.model_max_length = n;
    if (Str value = json.member("chat_template"); !value.empty()) {
        TRY_OK(read_templates(json, value, out.templates));
        out.template_file = "tokenizer_config.json";
    }
    return Nothing{};
}

Result<void> read_special_tokens_map(std::string_view text, ModelFiles& out) {
    TRY(ConfigJson json, ConfigJson::parse(text));
    read_special_tokens(json, out);
    return Nothing{};
}

Result<void> read_template_json(std::string_view text, ModelFiles& out) {
    TRY(ConfigJson json, ConfigJson::parse(text));
    Str value = json.member("chat_template");
    if (value.empty()) return Failure(Code::bad_request, "it has no chat_template");
    TRY_OK(read_templates(json, value, out.templates));
    out.template_file = "chat_template.json";
    return Nothing{};
}

}  // namespace hub

Result<ModelFiles> read_model_files(const std::string& path, bool vocabulary_wanted) {
    ModelFiles out;
    out.path = path;
    std::error_code why;
    bool folder = fs::is_directory(path, why);
    if (!folder && !fs::is_regular_file(path, why)) return Failure(Code::model_unknown, "there is no model at that path").detail(path);
    fs::path inside = folder ? fs::path(path) : fs::path(path).parent_path();
    if (inside.empty()) inside = ".";
    out.tokenizer = folder ? find_vocabulary(inside) : path;
    if (out.tokenizer.empty() && vocabulary_wanted)
        return Failure(Code::model_unknown, "the model's folder holds no vocabulary that weir can read").detail(path);
    if (!folder && path.ends_with(".gguf")) return out;
    out.folder = inside;
    bool lists_added_tokens = false;
    TRY_OK(read_json(inside, "config.json", [&](auto& text) { return hub::read_config_json(text, out); }));
    TRY_OK(read_json(inside, "generation_config.json", [&](auto& text) { return hub::read_generation_config(text, out); }));
    TRY_OK(read_json(inside, "tokenizer_config.json", [&](auto& text) { return hub::read_tokenizer_config(text, out, lists_added_tokens); }));
    // Written by old versions only; what tokenizer_config.json lists itself is newer.
    if (!lists_added_tokens) TRY_OK(read_json(inside, "special_tokens_map.json", [&](auto& text) { return hub::read_special_tokens_map(text, out); }));
    if (out.templates.empty()) TRY_OK(read_json(inside, "chat_template.json", [&](auto& text) { return hub::read_template_json(text, out); }));
    TRY_OK(read_jinja_files(inside, out));
    return out;
}

Result<std::vector<std::pair<std::string, std::string>>> read_template_file(const std::string& path) {
    TRY(auto text, read_file(path, template_bytes_max));
    if (!text) return Failure(Code::bad_request, "there is no chat template at that path").detail(path);
    std::string name = fs::path(path).filename();
    if (text->empty()) return Failure(Code::bad_request, name + ": the chat template is empty").detail(path);
    if (!path.ends_with(".json")) return Templates{{"default", *std::move(text)}};
    ModelFiles found;
    if (text->front() == '"') *text = "{\"chat_template\":" + *text + "}";
    if (auto read = hub::read_template_json(*text, found); !read) return in_file(name, std::move(read).error());
    return std::move(found.templates);
}

}  // namespace weir
