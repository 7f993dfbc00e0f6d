// GGUF files as far as a gateway needs them: the metadata at their front, never the tensors.
#pragma once
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/result.h"
#include "tokenizer/spec.h"

namespace weir::tok {

struct GgufInfo {
    std::string architecture, name;                          // general.*
    uint64_t context_length = 0;                             // of the architecture; 0: not said
    std::string tokenizer_model, tokenizer_pre;              // tokenizer.ggml.model, .pre
    std::string chat_template;                               // tokenizer.chat_template; empty when there is none
    std::vector<std::pair<std::string, std::string>> named_templates;   // tokenizer.chat_template.NAME
    std::optional<uint32_t> bos_id, eos_id, eot_id, eom_id, unk_id, sep_id, pad_id, mask_id;
    bool add_bos = false, add_eos = false, add_sep = false;
    std::vector<uint32_t> end_ids;                           // every token that ends a turn, as llama.cpp finds them: sorted
    uint32_t vocab_size = 0;
};

struct GgufFile {
    GgufInfo info;
    TokenizerSpec spec;
};

inline constexpr size_t gguf_metadata_max = size_t{1} << 30;   // bytes before the tensors
inline constexpr uint64_t gguf_keys_max = 65'536;

// From bytes that hold all metadata (what follows is not looked at). Fails with bad_field, or not_supported for vocabularies that are
// known and not built (rwkv, plamo2, whitespace, hybriddna) and pre-tokenizers nobody knows.
Result<GgufFile> read_gguf(std::string_view bytes);
// Reads no more of the file than the metadata.
Result<GgufFile> read_gguf_file(const std::string& path);
bool looks_like_gguf(std::string_view bytes);

}  // namespace weir::tok
