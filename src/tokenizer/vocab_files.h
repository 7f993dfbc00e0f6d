// Folders older than tokenizer.json: vocab.json with merges.txt (byte-level BPE), vocab.txt (WordPiece). The files hold the vocabulary alone; what
// is around it the reference knows by the class that tokenizer_config.json names, and so does this.
#pragma once
#include "base/result.h"
#include "tokenizer/file_bytes.h"
#include "tokenizer/folder_config.h"
#include "tokenizer/spec.h"

namespace weir::tok {

Result<TokenizerSpec> read_vocab_and_merges(const FileBytes& vocab_json, const FileBytes& merges_txt, const FolderConfig&);
Result<TokenizerSpec> read_word_list(const FileBytes& vocab_txt, const FolderConfig&);

}  // namespace weir::tok
