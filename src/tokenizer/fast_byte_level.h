// The byte-level families of FastEncoder: a scanner, then tables over raw bytes.
#pragma once
#include "tokenizer/fast_encoder.h"

namespace weir::tok {

// Null when the pre-tokenizer's pattern is not known, or a byte has no token.
std::unique_ptr<FastEncoder> make_byte_level_encoder(const TokenizerSpec&, const Vocab&, const Bpe&);

}  // namespace weir::tok
