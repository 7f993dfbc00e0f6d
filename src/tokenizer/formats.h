// The vocabulary formats beside tokenizer.json, each from the file's bytes to a spec. None reads other files: what stands beside the
// vocabulary comes in as FolderConfig. Every count and length in a file is checked against the bytes there are; errors name the fault.
#pragma once
#include <string_view>

#include "base/result.h"
#include "tokenizer/folder_config.h"
#include "tokenizer/spec.h"

namespace weir::tok {

inline constexpr size_t vocab_max = 4'000'000;       // tokens of a vocabulary
inline constexpr size_t token_bytes_max = 65'536;    // of one token

// tiktoken ranks: lines of base64 and rank. Pattern and special tokens are the model family's; the family is told by `config`, by
// `file_name` and by the number of ranks. Fails with not_supported when no family is known to have this file.
Result<TokenizerSpec> read_tiktoken(std::string_view bytes, std::string_view file_name, const FolderConfig& config);
bool looks_like_tiktoken(std::string_view bytes);

// SentencePiece ModelProto; BPE and Unigram (WORD and CHAR are refused). Encodes as sentencepiece does, but that control tokens written in
// the text are recognised (unless EncodeOptions::special_as_text), as model servers have it.
Result<TokenizerSpec> read_sentencepiece(std::string_view bytes, const FolderConfig& config);

// Mistral's tekken.json.
Result<TokenizerSpec> read_tekken(std::string_view json);

// Bytes in GPT-2's alphabet of visible characters, which tokenizer.json's ByteLevel uses.
std::string byte_level_chars(std::string_view bytes);

}  // namespace weir::tok
