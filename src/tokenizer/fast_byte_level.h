// The families of FastEncoder: a scanner, then tables over the text's own bytes.
#pragma once
#include "tokenizer/fast_encoder.h"

namespace weir::tok {

// Null when the pre-tokenizer's pattern is not known, or a byte has no token.
std::unique_ptr<FastEncoder> make_byte_level_encoder(const TokenizerSpec&, const Vocab&, const Bpe&);

// SentencePiece's BPE: spaces become U+2581, a piece is a word with the spaces before it. Null when the spec is not built like that.
std::unique_ptr<FastEncoder> make_sentence_piece_encoder(const TokenizerSpec&, const Vocab&, const Bpe&);

}  // namespace weir::tok
