#include "tokenizer/vocab_files.h"

#include <algorithm>

#include "base/limits.h"
#include "tokenizer/detokenizer_utf8.h"
#include "tokenizer/hf_model.h"
#include "tokenizer/unicode_tables.h"
#include "tokenizer/unicode_utf8.h"

namespace weir::tok {
namespace {

enum class Family : uint8_t { gpt2, qwen2, roberta, bert };

struct Named {
    std::string_view name;
    Family family;
};
// By tokenizer_class, less "Fast" at its end.
constexpr Named classes[] = {
    {"GPT2Tokenizer", Family::gpt2}, {"CodeGenTokenizer", Family::gpt2}, {"Qwen2Tokenizer", Family::qwen2}, {"RobertaTokenizer", Family::roberta},
    {"BartTokenizer", Family::roberta}, {"LongformerTokenizer", Family::roberta}, {"BertTokenizer", Family::bert},
    {"DistilBertTokenizer", Family::bert}, {"ElectraTokenizer", Family::bert},
};
// Else by model_type.
constexpr Named model_types[] = {
    {"gpt2", Family::gpt2}, {"gpt_neo", Family::gpt2}, {"gptj", Family::gpt2}, {"opt", Family::gpt2}, {"phi", Family::gpt2},
    {"codegen", Family::gpt2}, {"starcoder2", Family::gpt2}, {"qwen2", Family::qwen2}, {"qwen2_moe", Family::qwen2}, {"qwen2_vl", Family::qwen2},
    {"qwen2_5_vl", Family::qwen2}, {"qwen3", Family::qwen2}, {"qwen3_moe", Family::qwen2}, {"qwen3_next", Family::qwen2}, {"qwen3_vl", Family::qwen2},
    {"roberta", Family::roberta}, {"bart", Family::roberta}, {"longformer", Family::roberta}, {"bert", Family::bert}, {"distilbert", Family::bert},
    {"electra", Family::bert},
};

Result<Family> family_of(const FolderConfig& config, const char* file) {
    std::string_view name = config.tokenizer_class;
    if (name.ends_with("Fast")) name.remove_suffix(4);
    for (const Named& known : classes)
        if (name == known.name) return known.family;
    // Names of no family in particular: the model tells.
    if (name.empty() || name == "PreTrainedTokenizer" || name == "TokenizersBackend")
        for (const Named& known : model_types)
            if (config.model_type == known.name) return known.family;
    const std::string said = !name.empty() ? "the tokenizer class " + std::string(name) : "no tokenizer class known";
    return Failure(Code::not_supported, std::string(file) + " without a tokenizer.json is read for GPT-2, Qwen2, RoBERTa and BERT; this folder names " + said,
                   "tokenizer_class");
}

// What the reference's classes take where the folder says nothing.
using Defaults = std::span<const SpecialRoles::Default>;
constexpr SpecialRoles::Default gpt2_tokens[] = {{"bos_token", "<|endoftext|>"}, {"eos_token", "<|endoftext|>"}, {"unk_token", "<|endoftext|>"},
                                                 {"sep_token", nullptr}, {"pad_token", nullptr}, {"cls_token", nullptr}, {"mask_token", nullptr}};
constexpr SpecialRoles::Default qwen2_tokens[] = {{"bos_token", nullptr}, {"eos_token", "<|endoftext|>"}, {"unk_token", "<|endoftext|>"},
                                                  {"sep_token", nullptr}, {"pad_token", "<|endoftext|>"}, {"cls_token", nullptr}, {"mask_token", nullptr}};
constexpr SpecialRoles::Default roberta_tokens[] = {{"bos_token", "<s>"}, {"eos_token", "</s>"}, {"unk_token", "<unk>"}, {"sep_token", "</s>"},
                                                    {"pad_token", "<pad>"}, {"cls_token", "<s>"}, {"mask_token", "<mask>"}};
constexpr SpecialRoles::Default bert_tokens[] = {{"bos_token", nullptr}, {"eos_token", nullptr}, {"unk_token", "[UNK]"}, {"sep_token", "[SEP]"},
                                                 {"pad_token", "[PAD]"}, {"cls_token", "[CLS]"}, {"mask_token", "[MASK]"}};

Defaults tokens_of(Family family) {
    switch (family) {
    case Family::gpt2: return gpt2_tokens;
    case Family::qwen2: return qwen2_tokens;
    case Family::roberta: return roberta_tokens;
    case Family::bert: return bert_tokens;
    }
    return {};
}

class Builder {
public:
    Builder(Family family, const FolderConfig& config) : family_(family), config_(config), roles_(config, tokens_of(family)) {}

    Result<TokenizerSpec> bpe(const HfModel& said) {
        TRY(spec_.model, read_model(said));
        roles_.add_to(spec_);
        if (family_ == Family::qwen2) spec_.normalizer.emplace().kind = NormalizerSpec::Kind::nfc;
        spec_.pre_tokenizer = byte_level();
        spec_.decoder.emplace().kind = DecoderSpec::Kind::byte_level;
        if (family_ == Family::roberta) {
            PostProcessorSpec& post = spec_.post_processor.emplace();
            post.kind = PostProcessorSpec::Kind::roberta;
            TRY(post.sep_id, roles_.id(spec_, "sep_token"));
            TRY(post.cls_id, roles_.id(spec_, "cls_token"));
            post.add_prefix_space = config_.add_prefix_space.value_or(false);
            return std::move(spec_);
        }
        const auto wanted = [this](const std::optional<bool>& flag, const char* role) { 
            std::optional<uint32_t> id;
            if (auto found = roles_.id(spec_, role); found && flag.value_or(false)) id = *found;
            return id;
        };
        spec_.post_processor = bos_eos_processor(wanted(config_.add_bos_token, "bos_token"), wanted(config_.add_eos_token, "eos_token"));
        return std::move(spec_);
    }

    Result<TokenizerSpec> word_piece(HfModel& said) {
        const std::string unknown = roles_.text("unk_token");
        said.unk_token = unknown;
        TRY(spec_.model, read_model(said));
        roles_.add_to(spec_);
        NormalizerSpec& normal = spec_.normalizer.emplace();
        normal.kind = NormalizerSpec::Kind::bert;
        normal.lowercase = config_.do_lower_case.value_or(true);
        normal.handle_chinese_chars = config_.tokenize_chinese_chars.value_or(true);
        normal.strip_accents = config_.strip_accents;
        spec_.pre_tokenizer.emplace().kind = PreTokenizerSpec::Kind::bert;
        spec_.decoder.emplace().kind = DecoderSpec::Kind::word_piece;
        TRY(const uint32_t cls, roles_.id(spec_, "cls_token"));
        TRY(const uint32_t sep, roles_.id(spec_, "sep_token"));
        spec_.post_processor = bos_eos_processor(cls, sep);
        return std::move(spec_);
    }

private:
    PreTokenizerSpec byte_level() const {
        PreTokenizerSpec level;
        level.kind = PreTokenizerSpec::Kind::byte_level;
        level.add_prefix_space = config_.add_prefix_space.value_or(false);
        if (family_ != Family::qwen2) return level;
        PreTokenizerSpec split, both;
        split.kind = PreTokenizerSpec::Kind::split;
        split.pattern = {R"((?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+)", true};
        level.use_regex = false;
        both.children = {split, level};
        return both;
    }

    const Family family_;
    const FolderConfig& config_;
    const SpecialRoles roles_;
    TokenizerSpec spec_;
};

// Line by line, as Rust's lines(): without "\n" or "\r\n"; no line after the last newline.
template <class Each>
void each_line(std::string_view text, Each each) {
    while (!text.empty()) {
        const size_t end = std::min(text.find('\n'), text.size());
        std::string_view line = text.substr(0, end);
        if (end < text.size() && line.ends_with('\r')) line.remove_suffix(1);
        each(line);
        text.remove_prefix(std::min(end + 1, text.size()));
    }
}

std::string_view without_trailing_space(std::string_view line) {
    while (!line.empty()) {
        size_t from = line.size() - 1;
        while (from > 0 && (static_cast<uint8_t>(line[from]) & 0xC0) == 0x80) from--;
        const char* p = line.data() + from;
        if (!unicode::is_white_space(unicode::next_point(p))) break;
        line = line.substr(0, from);
    }
    return line;
}

}  // namespace

Result<TokenizerSpec> read_vocab_and_merges(const FileBytes& vocab_json, const FileBytes& merges_txt, const FolderConfig& config) {
    TRY(const Family family, family_of(config, "vocab.json"));
    if (family == Family::bert) return Failure(Code::not_supported, "a BERT tokenizer needs a vocab.txt", "tokenizer_class");
    TRY(HfModel said, read_hf_vocab(vocab_json));
    if (!valid_utf8(merges_txt.text())) return Failure(Code::bad_field, "merges.txt is not UTF-8");
    said.type = "BPE";
    said.merges = HfModel::Merges::lines;
    each_line(merges_txt.text(), [&](std::string_view line) { said.merge_lines.push_back(line); });
    if (said.merge_lines.size() > limits::tokenizer_id_max) return Failure(Code::too_large, "merges.txt is too long");
    return Builder(family, config).bpe(said);
}

Result<TokenizerSpec> read_word_list(const FileBytes& vocab_txt, const FolderConfig& config) {
    FolderConfig with = config;
    if (with.tokenizer_class.empty() && with.model_type.empty()) with.model_type = "bert";
    TRY(const Family family, family_of(with, "vocab.txt"));
    if (family != Family::bert) return Failure(Code::not_supported, "a vocab.txt is read for BERT tokenizers", "tokenizer_class");
    if (!valid_utf8(vocab_txt.text())) return Failure(Code::bad_field, "vocab.txt is not UTF-8");
    HfModel said;
    said.type = "WordPiece";
    said.vocab = HfModel::Vocab::ids;
    said.continuing_subword_prefix = "##";
    said.max_input_chars_per_word = 100;
    said.memory = vocab_txt.share();
    each_line(vocab_txt.text(), [&](std::string_view line) { said.ids.emplace_back(without_trailing_space(line), static_cast<uint32_t>(said.ids.size())); });
    if (said.ids.size() > limits::tokenizer_id_max) return Failure(Code::too_large, "vocab.txt is too long");
    return Builder(family, config).word_piece(said);
}

}  // namespace weir::tok
