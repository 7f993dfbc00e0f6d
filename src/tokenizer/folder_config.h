// What the files beside a vocabulary say about it: tokenizer_config.json, special_tokens_map.json, config.json. Formats without special
// tokens of their own (tiktoken), and those that leave BOS and EOS to the model (SentencePiece), need it.
#pragma once
#include <map>
#include <optional>
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

    // The texts of the two files; empty ones say nothing. Broken JSON is refused.
    static Result<FolderConfig> read(std::string_view tokenizer_config_json, std::string_view config_json);
};

// BOS before and EOS after a sequence: nullopt when neither is wanted.
std::optional<PostProcessorSpec> bos_eos_processor(std::optional<uint32_t> bos, std::optional<uint32_t> eos);

// For formats that mark tokens themselves: adds those of `config` that `spec` does not have yet, and lets its flags win where ids and texts agree.
// Fails with bad_field when an id has another text.
Result<void> merge_added_tokens(const FolderConfig& config, TokenizerSpec& spec);

}  // namespace weir::tok
