// How SentencePiece-like tokenizers treat spaces, and where their texts may be cut.
#pragma once
#include <array>
#include <memory>
#include <optional>

#include "tokenizer/scan.h"
#include "tokenizer/spec.h"

namespace weir::tok {

struct SpaceRule {
    enum Prepend : uint8_t { never, always, unless_there, first };    // first: unless there, and only where the input starts
    Prepend prepend = never;
    std::array<bool, 256> joins{};               // last bytes of characters after which a space may be of the same token
};

// Null when the normalizer and pre-tokenizer do anything else than put U+2581 in the place of spaces and one before the text.
std::optional<SpaceRule> recognise_spaces(const TokenizerSpec&);

// Pieces start at spaces that follow another character, where no token holds both.
std::unique_ptr<Scanner> make_space_scanner(const SpaceRule&);

}  // namespace weir::tok
