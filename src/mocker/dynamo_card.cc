#include "mocker/dynamo_card.h"

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <optional>

#include "wire/blake3.h"
#include "wire/json_top.h"
#include "wire/json_walk.h"
#include "wire/json_write.h"

namespace weir::mocker {
namespace {

namespace fs = std::filesystem;

std::optional<std::string> slurp(const fs::path& path) {
    std::ifstream in(path, std::ios::binary);
    if (!in) return std::nullopt;
    return std::string(std::istreambuf_iterator<char>(in), {});
}

std::string slug(Str name) {
    std::string out;
    for (char c : name) {
        const char low = c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c;
        out.push_back((low >= 'a' && low <= 'z') || (low >= '0' && low <= '9') || low == '-' || low == '_' ? low : '_');
    }
    return out;
}

// {"kind": checked file}, when the file is there.
bool slot(JsonWriter& w, Str key, Str kind, const fs::path& path, std::string* text = nullptr) {
    auto bytes = slurp(path);
    if (!bytes) return false;
    w.key(key).object().key(kind).object();
    const bool bare = kind != "hf_chat_template";   // a template stands one level deeper
    if (!bare) w.member("is_custom", false).key("file").object();
    w.member("path", path.string()).member("checksum", "blake3:" + blake3_hex(*bytes)).member("size", bytes->size()).end_object().end_object();
    if (!bare) w.end_object();
    if (text) *text = *std::move(bytes);
    return true;
}

uint64_t number_of(Str object, Str key) {
    const Str v = object.empty() || json_kind(object) != JsonKind::object ? Str() : json_member(object, key);
    return !v.empty() && json_kind(v) == JsonKind::number ? json_uint(v).value_or(0) : 0;
}

uint64_t architectural_context(Str config) {
    if (!check_json(config) || config.front() != '{') return 0;
    if (const uint64_t own = number_of(config, "max_position_embeddings")) return own;
    return number_of(json_member(config, "text_config"), "max_position_embeddings");
}

void write_runtime(JsonWriter& w, const WorkerSettings& s) {
    const sim::EngineParams& e = s.engine.engine;
    const bool events = s.role != WorkerType::decode;
    w.key("runtime_config").object().member("context_length", e.max_model_len).member("total_kv_blocks", e.num_blocks).member("max_num_seqs", e.max_num_seqs);
    w.member("max_num_batched_tokens", e.max_num_batched_tokens).member("tool_call_parser", nullptr).member("reasoning_parser", nullptr);
    w.member("tool_call_arguments_format", "json_string").member("structural_tag_mode", "off").member("structural_tag_scope", "auto");
    w.member("structural_tag_schema", "auto").member("exclude_tools_when_tool_choice_none", true).member("data_parallel_start_rank", 0);
    w.member("data_parallel_size", s.engine.dp_size).member("enable_local_indexer", events).member("kv_event_publishing_enabled", events);
    w.key("runtime_data").object().end_object().member("enable_eagle", false).end_object();
}

// Letters behind the mark that stands for a blank: "Ġ" in byte level vocabularies, "▁" in others. Or, not `marked`, letters alone.
bool is_word(Str token, bool marked) {
    for (Str mark : {Str("\xc4\xa0"), Str("\xe2\x96\x81"), Str()}) {
        if (mark.empty() == marked || !token.starts_with(mark)) continue;
        const Str word = token.substr(mark.size());
        return word.size() >= (marked ? 2u : 1u) && word.size() <= 8 && std::all_of(word.begin(), word.end(), [](char c) { return c >= 'a' && c <= 'z'; });
    }
    return false;
}

// Calls f(text with escapes in place, id) for each entry of a vocabulary: {text: id}, or [[text, score], ...].
template <class F>
void each_entry(Str vocab, F f) {
    if (json_kind(vocab) == JsonKind::object) {
        for (JsonMembers m(vocab); m.next();)
            if (json_kind(m.value) == JsonKind::number) f(m.key, json_uint(m.value).value_or(~uint64_t{0}));
    } else if (json_kind(vocab) == JsonKind::array) {
        uint64_t id = 0;
        for (JsonItems items(vocab); items.next(); ++id) {
            if (json_kind(items.value) != JsonKind::array) continue;
            if (JsonItems pair(items.value); pair.next() && json_kind(pair.value) == JsonKind::string) f(json_inside(pair.value), id);
        }
    }
}

}  // namespace

Result<std::string> write_card(const WorkerSettings& s, const std::string& folder) {
    std::error_code none;
    const fs::path at = fs::absolute(folder, none);
    auto bad = [&](const std::string& what) { return Failure(Code::bad_field, "--model-path " + folder + ": " + what, "model_path"); };
    if (!fs::is_directory(at, none)) return bad("no such folder");
    std::string out, config;
    JsonWriter w(out);
    const bool prefill = s.role == WorkerType::prefill;
    w.object().member("display_name", s.engine.model).member("slug", slug(s.engine.model)).member("source_path", at.string());
    if (!slot(w, "model_info", "hf_config_json", at / "config.json", &config)) return bad("has no config.json");
    if (!slot(w, "tokenizer", "hf_tokenizer_json", at / "tokenizer.json") && !slot(w, "tokenizer", "tik_token_model", at / "tiktoken.model"))
        return bad("has neither tokenizer.json nor tiktoken.model");
    slot(w, "prompt_formatter", "hf_tokenizer_config_json", at / "tokenizer_config.json");
    slot(w, "chat_template_file", "hf_chat_template", at / "chat_template.jinja");
    slot(w, "gen_config", "hf_generation_config_json", at / "generation_config.json");
    w.member("architectural_max_context_length", architectural_context(config)).member("context_length", s.engine.engine.max_model_len);
    w.member("kv_cache_block_size", s.engine.engine.block_size).member("migration_limit", 0).member("model_type", prefill ? "" : "Chat | Completions");
    w.member("model_input", "Tokens").member("worker_type", name(s.role)).key("needs").array();
    if (prefill) w.array().text("decode").end_array();
    if (s.role == WorkerType::decode) w.array().text("prefill").end_array();
    w.end_array();
    write_runtime(w, s);
    if (!s.engine.aliases.empty()) {
        w.key("aliases").array();
        for (const std::string& a : s.engine.aliases) w.text(a);
        w.end_array();
    }
    w.member("media_decoder", nullptr).member("media_fetcher", nullptr).end_object();
    return out;
}

std::vector<uint32_t> word_ids(Str json) {
    std::vector<uint32_t> ids;
    if (!check_json(json) || json_kind(json) != JsonKind::object) return ids;
    const Str model = json_member(json, "model");
    const Str vocab = model.empty() || json_kind(model) != JsonKind::object ? Str() : json_member(model, "vocab");
    if (vocab.empty()) return ids;
    std::string scratch;
    for (bool marked : {true, false}) {
        each_entry(vocab, [&](Str raw, uint64_t id) {
            if (id <= UINT32_MAX && is_word(json_unescaped(raw, scratch), marked)) ids.push_back(static_cast<uint32_t>(id));
        });
        if (!ids.empty()) break;
    }
    std::sort(ids.begin(), ids.end());
    ids.erase(std::unique(ids.begin(), ids.end()), ids.end());
    if (ids.size() > ids_max) ids.resize(ids_max);
    return ids;
}

std::vector<uint32_t> answer_ids(const std::string& folder) {
    const auto text = slurp(fs::path(folder) / "tokenizer.json");
    std::vector<uint32_t> ids = text ? word_ids(*text) : std::vector<uint32_t>();
    if (!ids.empty()) return ids;
    for (uint32_t id = 1'000; id < 2'000; ++id) ids.push_back(id);
    return ids;
}

}  // namespace weir::mocker
