#include "tokenizer/offsets.h"

#include <algorithm>

namespace weir::tok {

void to_characters(std::string_view text, std::vector<uint32_t>& scratch, std::vector<TokenOffset>& offsets) {
    if (std::all_of(text.begin(), text.end(), [](char c) { return static_cast<uint8_t>(c) < 0x80; })) return;
    scratch.resize(text.size());
    uint32_t number = ~0u;
    for (size_t i = 0; i < text.size(); i++) {
        number += (text[i] & 0xC0) != 0x80;
        scratch[i] = number;
    }
    for (TokenOffset& offset : offsets) {
        if (offset.begin >= text.size()) continue;
        const uint32_t begin = scratch[offset.begin];
        if (offset.end < text.size()) offset = {begin, scratch[offset.end]};
        else offset = {begin, (offset.end - 1 < text.size() ? scratch[offset.end - 1] : begin + 1) + 1};
    }
}

void trim_offset(TokenOffset& offset, uint32_t front, uint32_t back, const OffsetTrim& trim, bool first) {
    if (front > 0) {
        // One space in front of the very first token is the one that was added, which has no place in the text.
        const bool is_first = (first && trim.at_start) || offset.begin == 0;
        if (is_first && trim.add_prefix_space && front == 1) front = 0;
        offset.begin = std::min(offset.begin + front, offset.end);
    }
    if (back > 0 && offset.end >= back) offset.end = std::max(offset.end - back, offset.begin);
}

}  // namespace weir::tok
