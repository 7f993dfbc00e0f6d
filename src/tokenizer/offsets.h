// Offsets of tokens: from bytes to characters, and without the spaces of the tokens' texts.
#pragma once
#include <string_view>
#include <vector>

#include "tokenizer/post_plan.h"
#include "tokenizer/tokenizer.h"

namespace weir::tok {

// `offsets` from bytes of `text` to its code points. One that begins at the text's end stays as it is, as in the reference.
void to_characters(std::string_view text, std::vector<uint32_t>& scratch, std::vector<TokenOffset>& offsets);

// `front` and `back`: how many spaces the token's text begins and ends with. `first`: it is the text's first token.
void trim_offset(TokenOffset&, uint32_t front, uint32_t back, const OffsetTrim&, bool first);

}  // namespace weir::tok
