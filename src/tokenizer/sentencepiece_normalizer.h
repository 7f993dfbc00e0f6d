// SentencePiece's normalizer: charsmap by longest match, user-defined pieces untouched, whitespace collapsed and escaped, dummy prefix.
#pragma once
#include <memory>

#include "tokenizer/normalizers.h"

namespace weir::tok {

// bad_field: a broken charsmap.
Result<std::unique_ptr<Normalizer>> make_sentencepiece_normalizer(const NormalizerSpec&);

}  // namespace weir::tok
