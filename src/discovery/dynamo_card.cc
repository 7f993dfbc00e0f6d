// Model cards: one JSON object per worker and model.
#include <algorithm>
#include <array>

#include "discovery/dynamo_records.h"
#include "discovery/record_fields.h"
#include "wire/blake3.h"

namespace weir {
namespace {

struct TypeWord { Str word; uint32_t bit; };
constexpr TypeWord type_words[] = {
    {"Chat", model_type::chat}, {"Completions", model_type::completions}, {"Embedding", model_type::embedding}, {"TensorBased", model_type::tensor},
    {"Prefill", model_type::prefill}, {"Images", model_type::images}, {"Videos", model_type::videos}, {"Audios", model_type::audios},
    {"Realtime", model_type::realtime}};
constexpr std::array worker_types = {"aggregated", "prefill", "decode", "encode"};

std::optional<WorkerType> worker_type(const std::string& word) {
    for (size_t i = 0; i < worker_types.size(); i++)
        if (word == worker_types[i]) return static_cast<WorkerType>(i);
    return std::nullopt;
}

void read_types(const std::string& text, ModelCard& card) {   // "Chat | Completions"
    for (size_t at = 0; at < text.size();) {
        const size_t bar = std::min(text.find('|', at), text.size());
        Str word = Str(text).substr(at, bar - at);
        at = bar + 1;
        while (!word.empty() && word.front() == ' ') word.remove_prefix(1);
        while (!word.empty() && word.back() == ' ') word.remove_suffix(1);
        if (word.empty()) continue;
        const auto known = std::find_if(std::begin(type_words), std::end(type_words), [&](auto& t) { return t.word == word; });
        if (known != std::end(type_words)) card.types |= known->bit;
        else card.types_unknown.append(card.types_unknown.empty() ? "" : " ").append(word);
    }
}

Result<CardFile> file_of(const Fields& f) {
    CardFile file;
    file.path = f.text("path");
    if (file.path.empty()) return missing_field("model card", "path");
    file.size = f.number_or<uint64_t>("size", 0);
    const std::string sum = f.text("checksum");
    if (sum.empty()) return file;
    constexpr Str prefix = "blake3:";
    if (!sum.starts_with(prefix) || sum.size() != prefix.size() + 64) return Failure(Code::bad_field, "model card: a checksum is no blake3", "checksum");
    file.blake3 = sum.substr(prefix.size());
    return file;
}

// A slot is {"kind of file": file}; which kind comes back.
Result<std::string> slot(const Fields& card, Str key, std::optional<CardFile>& out) {
    const Fields f = card.object(key);
    if (!f) return std::string();
    JsonMembers m(f.raw());
    if (!m.next()) return std::string();
    const Fields inner(m.value);
    TRY(out, file_of(inner.object("file") ? inner.object("file") : inner));
    return std::string(m.key);
}

Result<void> files(const Fields& f, ModelCard& card) {
    TRY(std::string config, slot(f, "model_info", card.config));
    TRY(std::string tokenizer, slot(f, "tokenizer", card.tokenizer));
    TRY(std::string formatter, slot(f, "prompt_formatter", card.formatter));
    TRY(std::string own, slot(f, "chat_template_file", card.chat_template));
    TRY(std::string generation, slot(f, "gen_config", card.generation));
    card.tokenizer_is_tiktoken = tokenizer == "tik_token_model";
    const Fields own_template = f.object("chat_template_file");
    if (JsonMembers m(own_template ? own_template.raw() : Str("{}")); m.next()) card.template_is_custom = Fields(m.value).flag("is_custom");
    Result<void> ok;
    f.each("extra_files", [&](Str v) {
        auto file = file_of(Fields(v));
        if (file) card.extra_files.push_back(*std::move(file));
        else if (ok) ok = std::move(file).error();
    });
    return ok;
}

Result<void> needs(const Fields& f, ModelCard& card) {
    const std::string word = f.text("worker_type");
    if (!word.empty()) {
        const auto type = worker_type(word);
        if (!type) return Failure(Code::bad_field, "model card: unknown worker_type " + word, "worker_type");
        card.worker_type = *type;
    }
    Result<void> ok;
    f.each("needs", [&](Str set) {
        std::vector<WorkerType> all;
        if (json_kind(set) != JsonKind::array) return void(ok = missing_field("model card", "needs"));
        for (JsonItems items(set); items.next();) {
            const auto type = worker_type(Fields::text_of(items.value));
            if (!type) ok = missing_field("model card", "needs");
            else all.push_back(*type);
        }
        card.needs.push_back(std::move(all));
    });
    return ok;
}

void runtime(const Fields& f, ModelCard& card) {
    const Fields r = f.object("runtime_config");
    card.context = f.number_or<uint32_t>("context_length", 0);
    if (card.context == 0) card.context = r.number_or<uint32_t>("context_length", 0);
    card.context_architectural = f.number_or<uint32_t>("architectural_max_context_length", 0);
    card.kv_blocks = r.number_or<uint32_t>("total_kv_blocks", 0);
    card.seqs_max = r.number_or<uint32_t>("max_num_seqs", 0);
    card.batch_tokens_max = r.number_or<uint32_t>("max_num_batched_tokens", 0);
    card.rank_first = r.number_or<uint32_t>("data_parallel_start_rank", 0);
    card.ranks = std::max<uint32_t>(r.number_or<uint32_t>("data_parallel_size", 1), 1);
    card.tool_parser = r.text("tool_call_parser");
    card.reasoning_parser = r.text("reasoning_parser");
    card.exclude_tools_when_none = r.flag("exclude_tools_when_tool_choice_none");
    card.local_indexer = r.flag("enable_local_indexer");
    card.kv_events = r.flag("kv_event_publishing_enabled");
    card.eagle = r.flag("enable_eagle");
    const Fields meet = r.object("disaggregated_endpoint");
    card.bootstrap_host = meet.text("bootstrap_host");
    card.bootstrap_port = meet.number_or<uint16_t>("bootstrap_port", 0);
    card.taints = r.texts("taints");
    card.lora = f.object("lora").text("name");
}

// The card's text without taints, which alone may change.
std::string fixed_text(const Fields& f) {
    std::string out;
    for (JsonMembers m(f.raw()); m.next();) {
        out.append(m.key).append(":");
        if (m.key != "runtime_config" || json_kind(m.value) != JsonKind::object) {
            out.append(m.value).append(",");
            continue;
        }
        for (JsonMembers r(m.value); r.next();)
            if (r.key != "taints") out.append(r.key).append(":").append(r.value).append(",");
    }
    return blake3_hex(out);
}

std::string set_digest(const ModelCard& c) {
    Blake3 hash;
    auto add = [&](const std::string& text) { hash.update(std::to_string(text.size()) + ":" + text); };
    add(c.name);
    add(c.source);
    for (auto* file : {&c.config, &c.tokenizer, &c.formatter, &c.chat_template, &c.generation}) add(*file ? (*file)->blake3 : "");
    std::vector<std::string> extra;
    for (auto& file : c.extra_files) extra.push_back(file.blake3);
    std::sort(extra.begin(), extra.end());
    for (auto& sum : extra) add(sum);
    add(std::to_string(c.context) + " " + std::to_string(c.block) + " " + weir::name(c.worker_type));
    for (auto& set : c.needs) {
        add("|");
        for (WorkerType t : set) add(weir::name(t));
    }
    return hash.hex();
}

}  // namespace

const char* name(WorkerType type) { return worker_types[static_cast<size_t>(type)]; }

Result<std::shared_ptr<const ModelCard>> read_card(Str json) {
    TRY(Fields record, Fields::parse(json));
    const Fields f = record.object("card_json");
    if (!f) return missing_field("model card", "card_json");
    auto card = std::make_shared<ModelCard>();
    card->endpoint = {record.text("namespace"), record.text("component"), record.text("endpoint")};
    const auto id = record.number("instance_id");
    if (card->endpoint.ns.empty() || card->endpoint.component.empty() || card->endpoint.name.empty() || !id)
        return missing_field("model card", "namespace, component, endpoint, instance_id");
    card->instance_id = *id;
    card->suffix = record.text("model_suffix");
    card->name = f.text("display_name");
    if (card->name.empty()) return missing_field("model card", "display_name");
    card->slug = f.text("slug");
    card->source = f.text("source_path");
    card->aliases = f.texts("aliases");
    std::erase(card->aliases, std::string());
    if (!f.number("migration_limit")) return missing_field("model card", "migration_limit");   // the peer refuses such cards
    card->migration_limit = f.number_or<uint32_t>("migration_limit", 0);
    card->block = f.number_or<uint32_t>("kv_cache_block_size", 0);
    read_types(f.text("model_type"), *card);
    const std::string input = f.text("model_input");
    if (input == "Text") card->input = ModelCard::text;
    else if (input == "Tensor") card->input = ModelCard::tensor;
    else if (!input.empty() && input != "Tokens") return Failure(Code::bad_field, "model card: unknown model_input " + input, "model_input");
    TRY_OK(needs(f, *card));
    TRY_OK(files(f, *card));
    runtime(f, *card);
    card->fixed = fixed_text(f);
    card->set = set_digest(*card);
    return std::shared_ptr<const ModelCard>(std::move(card));
}

}  // namespace weir
