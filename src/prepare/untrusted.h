// Ids of a rendered conversation whose users may not speak in special tokens: what they typed stays text, the template's tokens stay tokens.
#pragma once
#include <span>
#include <string_view>
#include <vector>

#include "template/chat_template.h"
#include "tokenizer/tokenizer.h"

namespace weir::prepare {

// `spans`: as render_spans gives them. A special token counts when the template wrote all of it; any other is encoded as text.
// Formats that put a space before a text (SentencePiece) put it before each stretch between special tokens where one was turned down.
Result<void> encode_untrusted(const Tokenizer&, std::string_view text, std::span<const OutputSpan> spans, EncodeScratch&, std::vector<uint32_t>& ids);

}  // namespace weir::prepare
