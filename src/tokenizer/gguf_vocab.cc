#include "tokenizer/gguf_vocab.h"

#include <algorithm>
#include <cmath>
#include <unordered_map>

#include "tokenizer/decoders.h"
#include "tokenizer/sentencepiece_parts.h"

namespace weir::tok {
namespace {

constexpr std::string_view space_mark = "\xe2\x96\x81";
using Ids = std::unordered_map<std::string_view, uint32_t>;

Ids index_of(const std::vector<std::string>& texts) {
    Ids ids;
    ids.reserve(texts.size());
    for (uint32_t id = 0; id < texts.size(); ++id) ids[texts[id]] = id;   // the last one counts
    return ids;
}

constexpr std::string_view turn_ends[] = {
    "<|eot_id|>", "<|im_end|>", "<|end|>", "<end_of_turn>", "<|endoftext|>", "<|end_of_text|>", "<EOT>", "_<EOT>", "[EOT]",
    "<\xef\xbd\x9c" "end\xe2\x96\x81of\xe2\x96\x81sentence\xef\xbd\x9c>", "<end_of_utterance>"};
constexpr std::string_view generation_ends[] = {
    "<|eot_id|>", "<|im_end|>", "<|end|>", "<|return|>", "<|call|>", "<|flush|>", "<|calls|>", "<end_of_turn>", "<|endoftext|>", "</s>", "<|eom_id|>", "<EOT>",
    "_<EOT>", "[EOT]", "[EOS]", "<|end_of_text|>", "<end_of_utterance>", "<eos>", "<turn|>", "<|tool_response>",
    "<\xef\xbd\x9c" "end\xe2\x96\x81of\xe2\x96\x81sentence\xef\xbd\x9c>", "[e~["};
constexpr std::string_view always_shown[] = {"<|channel|>", "<|message|>", "<|start|>", "<|constrain|>"};

bool special_type(GgufTokenType type) { return type == GgufTokenType::control || type == GgufTokenType::unknown; }

// Control, unknown and user-defined tokens are found in the text before anything else.
void add_tokens(const GgufVocab& vocab, const GgufInfo& info, bool user_defined, TokenizerSpec& spec) {
    std::string name = info.name;
    for (char& c : name) c = c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
    const bool phi3 = name.find("phi-3") != name.npos || name.find("phi3") != name.npos;
    const bool mask_eats_space = info.tokenizer_pre.starts_with("jina-v2-") || info.architecture == "nomic-bert-moe" || info.architecture == "jina-bert-v3";
    for (uint32_t id = 0; id < vocab.texts.size(); ++id) {
        const GgufTokenType type = vocab.types[id];
        if (!special_type(type) && !(user_defined && type == GgufTokenType::user_defined)) continue;
        AddedToken token;
        token.text = vocab.texts[id];
        token.id = id;
        token.special = special_type(type);
        token.normalized = false;
        token.rstrip = phi3 && token.text != "<unk>" && token.text != "<s>" && token.text != "<|endoftext|>";
        token.lstrip = (mask_eats_space && token.text == "<mask>") || (name.find("modern-bert") != name.npos && token.text == "[MASK]");
        spec.added.push_back(std::move(token));
    }
}

void fill_texts(GgufVocab& vocab, ModelSpec& model) {
    for (const GgufTokenType type : vocab.types) model.present.push_back(!special_type(type) && type != GgufTokenType::user_defined);
    model.vocab = vocab.texts;
}

// A merge whose parts or whole are no tokens can make no token; llama.cpp then spells the bytes, as does leaving it out.
void fill_merges(const GgufVocab& vocab, const Ids& ids, ModelSpec& model) {
    model.merges.reserve(vocab.merges.size());
    std::string whole;
    for (const std::string& merge : vocab.merges) {
        const size_t blank = merge.find(' ', 1);
        if (blank == merge.npos) continue;
        const std::string_view left = std::string_view(merge).substr(0, blank), right = std::string_view(merge).substr(blank + 1);
        const auto l = ids.find(left), r = ids.find(right);
        const auto made = ids.find((whole.assign(left) += right));
        if (l == ids.end() || r == ids.end() || made == ids.end()) continue;
        model.merges.emplace_back(l->second, r->second);
        model.merged.push_back(made->second);
    }
}

Result<void> fill_byte_bpe(GgufVocab vocab, const GgufInfo& info, const GgufPre& pre, TokenizerSpec& spec) {
    ModelSpec& model = spec.model;
    if (!vocab.has_merges && info.tokenizer_pre != "kimi-k2") return Failure(Code::bad_field, "GGUF: there are no merges", "tokenizer.ggml.merges");
    model.ignore_merges = pre.ignore_merges;
    if (vocab.has_merges) {
        fill_merges(vocab, index_of(vocab.texts), model);
    } else {
        model.merge_by_rank_of_token = true;
        model.ignore_merges = true;
    }
    add_tokens(vocab, info, true, spec);
    spec.pre_tokenizer = pre_tokenizer_of(pre);
    if (pre.raw_utf8) {
        // Runs of line ends are tokens of their own, with or without merges that make them.
        for (uint32_t id = 0; id < vocab.texts.size(); ++id) {
            if (vocab.types[id] != GgufTokenType::normal || vocab.texts[id].find_first_not_of('\n') != std::string::npos) continue;
            AddedToken run;
            run.text = vocab.texts[id];
            run.id = id;
            run.normalized = false;
            spec.added.push_back(std::move(run));
        }
        std::sort(spec.added.begin(), spec.added.end(), [](const AddedToken& a, const AddedToken& b) { return a.id < b.id; });
        SentencePieceRules rules;
        rules.add_dummy_prefix = rules.remove_extra_whitespaces = false;
        const auto split = spec.pre_tokenizer;
        TRY_OK(apply_sentencepiece_rules(rules, spec));
        spec.pre_tokenizer = split;
        model.byte_fallback = true;
    } else {
        spec.decoder.emplace().kind = DecoderSpec::Kind::byte_level;
    }
    fill_texts(vocab, model);
    return {};
}

Result<void> fill_llama(GgufVocab vocab, const GgufInfo& info, TokenizerSpec& spec) {
    ModelSpec& model = spec.model;
    const size_t n = vocab.texts.size();
    if (vocab.scores.empty()) vocab.scores.assign(n, 0);
    std::vector<bool> merges(n);
    size_t bytes = 0;
    for (size_t id = 0; id < n; ++id) {
        merges[id] = !special_type(vocab.types[id]) && vocab.types[id] != GgufTokenType::byte && vocab.types[id] != GgufTokenType::user_defined;
        bytes += vocab.types[id] == GgufTokenType::byte;
    }
    model.merge_by_rank_of_token = true;
    model.ranks = ranks_by_score(vocab.scores, merges);
    model.fuse_unk = true;
    model.byte_fallback = bytes > 0;
    SentencePieceRules rules;
    rules.add_dummy_prefix = vocab.add_space_prefix;
    rules.remove_extra_whitespaces = false;
    TRY_OK(apply_sentencepiece_rules(rules, spec));
    add_tokens(vocab, info, true, spec);
    if (info.unk_id) model.unk_id = info.unk_id, model.unk_token = vocab.texts[*info.unk_id];
    fill_texts(vocab, model);
    if (info.unk_id) model.present[*info.unk_id] = true;
    return {};
}

Result<void> fill_t5(GgufVocab vocab, const GgufInfo& info, TokenizerSpec& spec) {
    ModelSpec& model = spec.model;
    model.kind = ModelSpec::Kind::unigram;
    if (vocab.scores.empty()) return Failure(Code::bad_field, "GGUF: there are no scores", "tokenizer.ggml.scores");
    if (!info.unk_id) return Failure(Code::bad_field, "GGUF: there is no unknown token", "tokenizer.ggml.unknown_token_id");
    model.unk_id = info.unk_id;
    SentencePieceRules rules;
    for (size_t id = 0; id < vocab.texts.size(); ++id) {
        const GgufTokenType type = vocab.types[id];
        if (type == GgufTokenType::user_defined) rules.verbatim.push_back(vocab.texts[id]);
        const bool matches = type == GgufTokenType::normal || type == GgufTokenType::user_defined || type == GgufTokenType::unused;
        model.scores.push_back(!matches ? std::nan("") : type == GgufTokenType::user_defined ? 0.0 : static_cast<double>(vocab.scores[id]));
    }
    rules.charsmap = vocab.charsmap;
    rules.add_dummy_prefix = vocab.add_space_prefix;
    rules.remove_extra_whitespaces = vocab.remove_extra_whitespaces;
    TRY_OK(apply_sentencepiece_rules(rules, spec));
    add_tokens(vocab, info, true, spec);
    fill_texts(vocab, model);
    for (size_t id = 0; id < model.vocab.size(); ++id)
        if (id == *info.unk_id) model.present[id] = true;
    return {};
}

// GGUF marks the beginning of words where WordPiece marks their continuation.
std::string word_piece_text(const std::string& text, GgufTokenType type) {
    if (text.starts_with(space_mark)) return text.substr(space_mark.size());
    const bool named = special_type(type) || (text.front() == '[' && text.back() == ']');
    return named ? text : "##" + text;
}

Result<void> fill_bert(GgufVocab vocab, const GgufInfo& info, TokenizerSpec& spec) {
    ModelSpec& model = spec.model;
    model.kind = ModelSpec::Kind::word_piece;
    if (!info.unk_id) return Failure(Code::bad_field, "GGUF: there is no unknown token", "tokenizer.ggml.unknown_token_id");
    add_tokens(vocab, info, true, spec);
    for (size_t id = 0; id < vocab.texts.size(); ++id) vocab.texts[id] = word_piece_text(vocab.texts[id], vocab.types[id]);
    model.unk_token = vocab.texts[*info.unk_id];
    model.unk_id = info.unk_id;
    model.continuing_subword_prefix = "##";
    model.max_input_chars_per_word = UINT32_MAX;
    fill_texts(vocab, model);
    for (size_t id = 0; id < model.vocab.size(); ++id) model.present[id] = true;
    NormalizerSpec& normalizer = spec.normalizer.emplace();
    normalizer.kind = NormalizerSpec::Kind::bert;
    normalizer.lowercase = vocab.lowercase;
    normalizer.strip_accents = vocab.strip_accents;
    spec.pre_tokenizer.emplace().kind = PreTokenizerSpec::Kind::bert;
    spec.decoder.emplace().kind = DecoderSpec::Kind::word_piece;
    return {};
}

}  // namespace

void settle_token_types(GgufVocab& vocab, GgufInfo& info) {
    const Ids ids = index_of(vocab.texts);
    const auto find = [&](std::string_view text) -> std::optional<uint32_t> {
        const auto at = ids.find(text);
        return at == ids.end() ? std::nullopt : std::optional(at->second);
    };
    for (const std::string_view text : turn_ends)
        if (const auto id = find(text); id && !info.eot_id) info.eot_id = id;
    if (const auto id = find("<|eom_id|>"); id && !info.eom_id) info.eom_id = id;
    for (const std::string_view text : generation_ends) {
        const auto id = find(text);
        if (!id) continue;
        vocab.types[*id] = GgufTokenType::control;
        info.end_ids.push_back(*id);
    }
    for (const auto& id : {info.eos_id, info.eot_id, info.eom_id})
        if (id) info.end_ids.push_back(*id);
    // Markers that models use inside an answer are shown.
    for (const std::string_view text : always_shown)
        if (const auto id = find(text)) vocab.types[*id] = GgufTokenType::user_defined;
    const auto drop = [&](std::string_view text, GgufTokenType type) {
        if (const auto id = find(text)) std::erase(info.end_ids, *id), vocab.types[*id] = type;
    };
    const bool calls = find("<|call|>") || find("<|calls|>");
    if (calls && (find("<|return|>") || find("<|flush|>"))) drop("<|end|>", GgufTokenType::user_defined);
    if (find("<|tool_response>") || find("<|plamo:eos|>")) drop("</s>", GgufTokenType::normal);
    std::sort(info.end_ids.begin(), info.end_ids.end());
    info.end_ids.erase(std::unique(info.end_ids.begin(), info.end_ids.end()), info.end_ids.end());
}

Result<void> fill_gguf_spec(GgufVocab vocab, const GgufInfo& info, const std::optional<GgufPre>& pre, TokenizerSpec& spec) {
    if (info.tokenizer_model == "llama") TRY_OK(fill_llama(std::move(vocab), info, spec));
    else if (info.tokenizer_model == "t5") TRY_OK(fill_t5(std::move(vocab), info, spec));
    else if (info.tokenizer_model == "bert") TRY_OK(fill_bert(std::move(vocab), info, spec));
    else TRY_OK(fill_byte_bpe(std::move(vocab), info, *pre, spec));
    const auto first = info.add_bos ? info.bos_id : std::nullopt;
    const auto last = info.tokenizer_model == "bert" ? info.sep_id : info.add_eos ? info.eos_id : info.add_sep ? info.sep_id : std::nullopt;
    spec.post_processor = bos_eos_processor(first, last);
    return {};
}

}  // namespace weir::tok
