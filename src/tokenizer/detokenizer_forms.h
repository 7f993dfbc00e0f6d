// The forms of Decoding; detokenizer.cc chooses among them. Each is exact for the chains it is made for.
#pragma once
#include <memory>

#include "tokenizer/decoders.h"
#include "tokenizer/detokenizer.h"
#include "tokenizer/detokenizer_pieces.h"

namespace weir::tok {

// Bytes joined and read as UTF-8 (ByteLevel), or texts joined where only the first one differs (WordPiece, Metaspace, no decoder).
// `first` is null when the first token is like any other.
std::unique_ptr<const Decoding> make_joined(const TokenTable&, Pieces, std::function<std::string(std::string_view)> first);

// SentencePiece chains: texts and byte-fallback runs joined, then up to `strip` leading `strip_char` taken from the front of it all.
struct FallbackRules {
    uint32_t strip = 0;
    std::string strip_char = " ";
    bool per_char = false;   // DecoderSpec::per_char
    bool at_pieces = false, strip_all = false;   // the sentence_piece decoder: pieces in front lose their mark, not the text its first character
};
std::unique_ptr<const Decoding> make_fallback(Pieces, FallbackRules);

// Any other chain: DecodeStream's own way.
std::unique_ptr<const Decoding> make_window(const TokenTable&, std::optional<Decoder>);

}  // namespace weir::tok
