// From files to a Tokenizer. Errors name the file's component at fault; a file the reference refuses is refused.
#pragma once
#include <string>
#include <string_view>

#include "base/result.h"
#include "tokenizer/file_bytes.h"
#include "tokenizer/spec.h"
#include "tokenizer/tokenizer.h"

namespace weir {

// Builds the tables; takes tens of milliseconds for a large vocabulary, so it runs on a pool thread.
Result<TokenizerRef> build_tokenizer(tok::TokenizerSpec spec);

// The loaders, one per format, from the file's bytes.
Result<tok::TokenizerSpec> read_hf_tokenizer(std::string_view tokenizer_json);
Result<tok::TokenizerSpec> read_hf_tokenizer(const tok::FileBytes&);    // the spec keeps the bytes

// Which format a file has is told by its name and first bytes: tokenizer.json, *.tiktoken / tiktoken.model, *.model (SentencePiece),
// tekken.json, *.gguf. `path` is a file, or a folder with one of these in it (tokenizer.json first). `config_json` is the folder's
// tokenizer_config.json, needed by formats that do not carry their special tokens; may be empty.
Result<TokenizerRef> load_tokenizer(const std::string& path);

}  // namespace weir
