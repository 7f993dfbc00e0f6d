#include <algorithm>
#include <charconv>

#include "base/base64.h"
#include "tokenizer/decoders.h"
#include "tokenizer/tiktoken_families.h"

namespace weir::tok {
namespace {

Failure bad(size_t line, const char* what) { return Failure(Code::bad_field, "tiktoken ranks, line " + std::to_string(line) + ": " + what); }

// One line without its end: base64, a blank, the rank.
bool split_line(std::string_view line, std::string_view& coded, uint32_t& rank) {
    const size_t blank = line.find(' ');
    if (blank == line.npos || blank == 0) return false;
    coded = line.substr(0, blank);
    const auto [end, error] = std::from_chars(line.data() + blank + 1, line.data() + line.size(), rank);
    return error == std::errc() && end == line.data() + line.size();
}

Result<size_t> read_ranks(std::string_view text, ModelSpec& model) {
    size_t count = 0;
    for (size_t number = 1; !text.empty(); ++number) {
        const size_t end = std::min(text.find('\n'), text.size());
        std::string_view line = text.substr(0, end), coded;
        text.remove_prefix(std::min(end + 1, text.size()));
        if (line.ends_with('\r')) line.remove_suffix(1);
        if (line.empty()) continue;
        uint32_t rank = 0;
        if (!split_line(line, coded, rank)) return bad(number, "not a token and its rank");
        const auto bytes = base64_decode(coded);
        if (!bytes || bytes->empty() || bytes->size() > token_bytes_max) return bad(number, "the token is not base64");
        if (rank >= vocab_max) return bad(number, "the rank is too large");
        if (rank >= model.vocab.size()) model.vocab.resize(rank + 1), model.present.resize(rank + 1);
        if (model.present[rank]) return bad(number, "the rank is there twice");
        model.vocab.set(rank, byte_level_chars(*bytes));
        model.present[rank] = true;
        ++count;
    }
    return count;
}

// The bytes must all be there, and no token twice: else what cannot be merged could not be spelled.
Result<void> check_ranks(const ModelSpec& model) {
    std::vector<std::string_view> texts;
    size_t bytes = 0;
    for (size_t i = 0; i < model.vocab.size(); ++i) {
        if (!model.present[i]) continue;
        texts.push_back(model.vocab[i]);
        bytes += byte_level_bytes(model.vocab[i]).size() == 1;
    }
    std::sort(texts.begin(), texts.end());
    if (std::adjacent_find(texts.begin(), texts.end()) != texts.end()) return Failure(Code::bad_field, "tiktoken ranks: a token is there twice");
    if (bytes != 256) return Failure(Code::bad_field, "tiktoken ranks: the 256 single bytes are not all there");
    return {};
}

// The family's own tokens, where the folder names no other token for the id or the same text elsewhere.
void add_specials(const TiktokenFamily& family, const FolderConfig& config, TokenizerSpec& spec) {
    spec.added = config.added;
    if (!family.specials || (!config.added.empty() && !family.fills_gaps)) return;
    std::vector<AddedToken> known;
    family.specials(static_cast<uint32_t>(spec.model.vocab.size()), known);
    std::vector<uint32_t> ids;
    std::vector<std::string> texts;
    for (const AddedToken& token : spec.added) ids.push_back(token.id), texts.push_back(token.text);
    std::sort(ids.begin(), ids.end());
    std::sort(texts.begin(), texts.end());
    for (AddedToken& token : known) {
        const bool id_taken = std::binary_search(ids.begin(), ids.end(), token.id);
        if (!id_taken && !std::binary_search(texts.begin(), texts.end(), token.text)) spec.added.push_back(std::move(token));
    }
    std::sort(spec.added.begin(), spec.added.end(), [](const AddedToken& a, const AddedToken& b) { return a.id < b.id; });
}

std::optional<uint32_t> id_of(const TokenizerSpec& spec, const std::string& text) {
    if (text.empty()) return std::nullopt;
    for (const AddedToken& token : spec.added)
        if (token.text == text) return token.id;
    return std::nullopt;
}

}  // namespace

bool looks_like_tiktoken(std::string_view bytes) {
    std::string_view line = bytes.substr(0, std::min(bytes.find('\n'), bytes.size())), coded;
    if (line.ends_with('\r')) line.remove_suffix(1);
    uint32_t rank = 0;
    return line.size() < 1'024 && split_line(line, coded, rank) && base64_decode(coded).has_value();
}

Result<TokenizerSpec> read_tiktoken(std::string_view bytes, std::string_view file_name, const FolderConfig& config) {
    TokenizerSpec spec;
    TRY(const size_t ranks, read_ranks(bytes, spec.model));
    TRY_OK(check_ranks(spec.model));
    const TiktokenFamily* family = find_tiktoken_family(file_name, ranks, config);
    if (!family) {
        return Failure(Code::not_supported, "no model family with " + std::to_string(ranks) + " tiktoken ranks is known, and neither " +
                                                std::string(file_name) +
                                                " nor config.json's model_type names one");
    }
    spec.model.merge_by_rank_of_token = true;
    spec.model.ignore_merges = true;
    add_specials(*family, config, spec);
    if (family->nfc) spec.normalizer.emplace().kind = NormalizerSpec::Kind::nfc;
    PreTokenizerSpec split, level, both;
    split.kind = PreTokenizerSpec::Kind::split;
    split.pattern = {std::string(family->pattern), true};
    level.kind = PreTokenizerSpec::Kind::byte_level;
    level.add_prefix_space = level.use_regex = false;
    both.children = {split, level};
    spec.pre_tokenizer = both;
    spec.decoder.emplace().kind = DecoderSpec::Kind::byte_level;
    const bool llama = family->name.starts_with("llama");
    const std::string bos_text = config.bos_token.empty() && llama ? "<|begin_of_text|>" : config.bos_token;
    const auto bos = config.add_bos_token.value_or(llama) ? id_of(spec, bos_text) : std::nullopt;
    const auto eos = config.add_eos_token.value_or(false) ? id_of(spec, config.eos_token) : std::nullopt;
    spec.post_processor = bos_eos_processor(bos, eos);
    return spec;
}

}  // namespace weir::tok
