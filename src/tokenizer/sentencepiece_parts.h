// What SentencePiece files and GGUF's "llama" and "t5" vocabularies have in common.
#pragma once
#include <string>
#include <vector>

#include "base/result.h"
#include "tokenizer/spec.h"

namespace weir::tok {

struct SentencePieceRules {
    std::string charsmap;
    std::vector<std::string> verbatim;   // user-defined pieces
    bool add_dummy_prefix = true, remove_extra_whitespaces = true, escape_whitespaces = true, whitespace_as_suffix = false;
    bool prefix_at_start_only = false;   // text behind a special token gets no dummy prefix
};

// Fills normalizer, pre-tokenizer and decoder. bad_field when the charsmap is broken.
Result<void> apply_sentencepiece_rules(const SentencePieceRules&, TokenizerSpec&);

// ModelSpec::ranks: the better the score the earlier, of equals the lower id; those with `merges` false never come from a merge.
std::vector<uint32_t> ranks_by_score(const std::vector<float>& scores, const std::vector<bool>& merges);

// The score of a Unigram model's user-defined piece of `bytes` bytes: above any way to make it of others, which are all negative.
double user_defined_score(size_t bytes);

}  // namespace weir::tok
