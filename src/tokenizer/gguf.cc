#include "tokenizer/gguf.h"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <memory>

#include "tokenizer/detokenizer_utf8.h"
#include "tokenizer/gguf_metadata.h"
#include "tokenizer/gguf_vocab.h"

namespace weir::tok {
namespace {

Failure bad(const std::string& what, std::string param = "") { return Failure(Code::bad_field, "GGUF: " + what, std::move(param)); }

std::string key(std::string_view name) { return "tokenizer.ggml." + std::string(name); }

Result<void> read_texts(const GgufMetadata& meta, GgufVocab& vocab) {
    std::vector<std::string_view> texts;
    if (!meta.strings(key("tokens"), texts)) return bad("there are no tokens", key("tokens"));
    if (texts.empty() || texts.size() > vocab_max) return bad("there are no tokens, or too many", key("tokens"));
    vocab.texts.reserve(texts.size());
    for (size_t id = 0; id < texts.size(); ++id) {
        if (texts[id].size() > token_bytes_max) return bad("token " + std::to_string(id) + " is too long", key("tokens"));
        vocab.texts.push_back(texts[id].empty() ? "[EMPTY_" + std::to_string(id) + "]" : lossy_utf8(texts[id]));
    }
    return {};
}

Result<void> read_vocab(const GgufMetadata& meta, GgufVocab& vocab) {
    TRY_OK(read_texts(meta, vocab));
    const size_t n = vocab.texts.size();
    vocab.types.assign(n, GgufTokenType::normal);
    std::vector<int64_t> types;
    if (meta.find(key("token_type"))) {
        if (!meta.integers(key("token_type"), types) || types.size() < n) return bad("token types are no numbers, or fewer than tokens", key("token_type"));
        for (size_t id = 0; id < n; ++id)
            vocab.types[id] = types[id] >= 1 && types[id] <= 6 ? static_cast<GgufTokenType>(types[id]) : GgufTokenType::undefined;
    }
    if (meta.find(key("scores"))) {
        if (!meta.floats(key("scores"), vocab.scores) || vocab.scores.size() < n) return bad("scores are no numbers, or fewer than tokens", key("scores"));
        vocab.scores.resize(n);
        if (std::any_of(vocab.scores.begin(), vocab.scores.end(), [](float s) { return std::isnan(s); })) return bad("a score is not a number", key("scores"));
    }
    if (meta.find(key("merges"))) {
        std::vector<std::string_view> merges;
        if (!meta.strings(key("merges"), merges) || merges.size() > vocab_max) return bad("merges are no texts, or too many", key("merges"));
        vocab.merges.assign(merges.begin(), merges.end());
        vocab.has_merges = true;
    }
    return {};
}

// An id that the file names, or a model's usual one; those outside the vocabulary do not count.
std::optional<uint32_t> special_id(const GgufMetadata& meta, std::string_view name, std::optional<uint32_t> usual, size_t n) {
    if (const auto said = meta.number(key(name)); said && *said < n) return static_cast<uint32_t>(*said);
    return usual && *usual < n ? usual : std::nullopt;
}

struct Usual {
    std::string_view model;
    std::optional<uint32_t> bos, eos, unk, sep, pad, mask;
    bool add_bos, add_eos, add_sep;
};
constexpr auto none = std::nullopt;
constexpr Usual usual_ids[] = {
    {"llama", 1, 2, 0, none, none, none, true, false, false},
    {"bert", 101, none, 100, 102, 0, 103, true, false, true},
    {"gpt2", none, none, none, none, none, none, false, false, false},
    {"gemma4", none, none, none, none, none, none, true, false, false},
    {"t5", none, 1, 2, none, 0, none, false, true, false},
};

// Names of llama.cpp's bert keys came first, others call the first token CLS.
void read_special_ids(const GgufMetadata& meta, const Usual& usual, const std::optional<GgufPre>& pre, GgufInfo& info) {
    const size_t n = info.vocab_size;
    info.bos_id = special_id(meta, "bos_token_id", pre && pre->bos_unset ? none : usual.bos, n);
    if (usual.model == "bert") info.bos_id = special_id(meta, "cls_token_id", info.bos_id, n);
    info.eos_id = special_id(meta, "eos_token_id", usual.eos, n);
    info.eot_id = special_id(meta, "eot_token_id", none, n);
    info.eom_id = special_id(meta, "eom_token_id", none, n);
    info.unk_id = special_id(meta, "unknown_token_id", usual.unk, n);
    info.sep_id = special_id(meta, "seperator_token_id", special_id(meta, "separator_token_id", usual.sep, n), n);
    info.pad_id = special_id(meta, "padding_token_id", usual.pad, n);
    info.mask_id = special_id(meta, "mask_token_id", usual.mask, n);
    info.add_bos = meta.flag(key("add_bos_token")).value_or(usual.add_bos || (pre && pre->add_bos));
    info.add_eos = meta.flag(key("add_eos_token")).value_or(usual.add_eos);
    info.add_sep = meta.flag(key("add_sep_token")).value_or(usual.add_sep || (pre && pre->add_sep));
    if (pre && pre->raw_utf8 && pre->add_bos) info.add_bos = true;   // Gemma 4's first files say false, wrongly
}

void read_general(const GgufMetadata& meta, GgufInfo& info) {
    info.architecture = meta.text("general.architecture").value_or("");
    info.name = meta.text("general.name").value_or("");
    info.context_length = meta.number(info.architecture + ".context_length").value_or(0);
    info.tokenizer_model = meta.text(key("model")).value_or("");
    info.tokenizer_pre = meta.text(key("pre")).value_or("");
    constexpr std::string_view prefix = "tokenizer.chat_template";
    info.chat_template = meta.text(prefix).value_or("");
    for (const auto& value : meta.values()) {
        const bool named = value.key.starts_with(prefix) && value.key.size() > prefix.size() + 1 && value.key[prefix.size()] == '.';
        if (!named || value.type != GgufType::string) continue;
        info.named_templates.emplace_back(value.key.substr(prefix.size() + 1), value.bytes);
    }
}

Result<GgufFile> build(const GgufMetadata& meta) {
    GgufFile file;
    GgufInfo& info = file.info;
    read_general(meta, info);
    if (info.tokenizer_model.empty()) return bad("it has no tokenizer", key("model"));
    const Usual* usual = std::find_if(std::begin(usual_ids), std::end(usual_ids), [&](const Usual& u) { return u.model == info.tokenizer_model; });
    if (usual == std::end(usual_ids))
        return Failure(Code::not_supported, "GGUF: tokenizers of model " + info.tokenizer_model + " are not supported", key("model"));
    std::optional<GgufPre> pre;
    if (usual->model == "gpt2" || usual->model == "gemma4") {
        pre = find_gguf_pre(usual->model == "gemma4" ? "gemma4" : std::string_view(info.tokenizer_pre));
        if (!pre) return Failure(Code::not_supported, "GGUF: unknown pre-tokenizer " + info.tokenizer_pre, key("pre"));
    }
    GgufVocab vocab;
    TRY_OK(read_vocab(meta, vocab));
    info.vocab_size = static_cast<uint32_t>(vocab.texts.size());
    read_special_ids(meta, *usual, pre, info);
    settle_token_types(vocab, info);
    vocab.add_space_prefix = meta.flag(key("add_space_prefix")).value_or(usual->model == "llama");
    vocab.remove_extra_whitespaces = meta.flag(key("remove_extra_whitespaces")).value_or(false);
    vocab.lowercase = meta.flag(key("normalizer.lowercase")).value_or(true);
    vocab.strip_accents = meta.flag(key("normalizer.strip_accents")).value_or(vocab.lowercase);
    std::vector<int64_t> charsmap;
    if (meta.find(key("precompiled_charsmap"))) {
        if (!meta.integers(key("precompiled_charsmap"), charsmap)) return bad("precompiled_charsmap is no list of bytes", key("precompiled_charsmap"));
        for (const int64_t byte : charsmap) vocab.charsmap += static_cast<char>(byte);
    }
    TRY_OK(fill_gguf_spec(std::move(vocab), info, pre, file.spec));
    return file;
}

}  // namespace

Result<GgufFile> read_gguf(std::string_view bytes) {
    GgufMetadata meta;
    const char* what = "";
    if (meta.read(bytes, what) != GgufMetadata::Outcome::ok) return bad(what);
    return build(meta);
}

// The metadata's size is not written anywhere: more of the file is read until it is all there.
Result<GgufFile> read_gguf_file(const std::string& path) {
    const std::unique_ptr<FILE, int (*)(FILE*)> file(std::fopen(path.c_str(), "rb"), std::fclose);
    if (!file) return Failure(Code::bad_request, "cannot open " + path);
    std::string bytes;
    for (size_t wanted = size_t{16} << 20;; wanted *= 2) {
        const size_t had = bytes.size();
        bytes.resize(wanted);
        bytes.resize(had + std::fread(bytes.data() + had, 1, wanted - had, file.get()));
        GgufMetadata meta;
        const char* what = "";
        const auto outcome = meta.read(bytes, what);
        if (outcome == GgufMetadata::Outcome::ok) return build(meta);
        if (outcome == GgufMetadata::Outcome::bad || bytes.size() < wanted || wanted >= gguf_metadata_max) return bad(what + std::string(" (") + path + ")");
    }
}

}  // namespace weir::tok
