// What the files beside a vocabulary say about it: tokenizer_config.json, special_tokens_map.json, config.json. Formats without special
// tokens of their own (tiktoken), and those that leave BOS and EOS to the model (SentencePiece), need it.
#pragma once
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "tokenizer/spec.h"

namespace weir::tok {

struct FolderConfig {
    std::string tokenizer_class, model_type;
    std::vector<AddedToken> added;                 // added_tokens_decoder, by id
    std::optional<uint64_t> vocab_size;            // config.json
    std::optional<bool> legacy, add_bos_token, add_eos_token;
    std::string bos_token, eos_token;              // as spelled; empty when not named
    // By role ("bos_token" ... "mask_token"), those that are named; one that is null has no text.
    std::map<std::string, AddedToken, std::less<>> special;
    std::vector<AddedToken> extra_special;         // extra_special_tokens, additional_special_tokens
    std::optional<bool> do_lower_case, tokenize_chinese_chars, strip_accents, add_prefix_space;

    // The texts of the files; empty ones say nothing. Broken JSON is refused. The last two count in old folders only: those without an
    // added_tokens_decoder.
    static Result<FolderConfig> read(std::string_view tokenizer_config_json, std::string_view config_json, std::string_view special_tokens_map_json = {},
                                     std::string_view added_tokens_json = {});
};

// The special tokens of a tokenizer class of the reference: those that the folder names, else the class's own.
class SpecialRoles {
public:
    struct Default {
        std::string_view role;                     // in the order in which new tokens are numbered
        const char* text;                          // null: none
    };
    SpecialRoles(const FolderConfig&, std::span<const Default>);
    std::string text(std::string_view role) const; // empty: there is none
    // Gives `spec`, whose model is there, its added tokens: those of added_tokens_decoder, those with a role, further ones.
    void add_to(TokenizerSpec& spec) const;
    // Of a spec that has them.
    Result<uint32_t> id(const TokenizerSpec& spec, std::string_view role) const;

private:
    const FolderConfig& config_;
    std::vector<std::pair<std::string_view, AddedToken>> roles_;
};

// BOS before and EOS after a sequence: nullopt when neither is wanted.
std::optional<PostProcessorSpec> bos_eos_processor(std::optional<uint32_t> bos, std::optional<uint32_t> eos);

// For formats that mark tokens themselves: adds those of `config` that `spec` does not have yet, and lets its flags win where ids and texts agree.
// Fails with bad_field when an id has another text.
Result<void> merge_added_tokens(const FolderConfig& config, TokenizerSpec& spec);

}  // namespace weir::tok
