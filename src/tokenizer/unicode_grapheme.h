// Extended grapheme clusters (UAX 29, Unicode 17.0), as SentencePiece's precompiled normalizer walks a text in the reference library.
#pragma once
#include <cstddef>
#include <string_view>

namespace weir::tok::unicode {

// The length in bytes of the cluster that starts `text` (valid UTF-8, at a cluster's start); 0 for empty text.
size_t grapheme_len(std::string_view text);

}  // namespace weir::tok::unicode
