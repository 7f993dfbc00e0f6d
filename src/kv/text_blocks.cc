#include "kv/text_blocks.h"

#define XXH_INLINE_ALL
#include <xxhash.h>

#include <algorithm>
#include <cstring>

namespace weir::kv {
namespace {
// Bytes of the first n characters; `chars` of them there are.
size_t bytes_of(std::string_view text, uint32_t n, uint32_t& chars) {
    size_t i = 0;
    for (uint64_t eight; i + 8 <= n && i + 8 <= text.size(); i += 8) {   // plain ASCII
        std::memcpy(&eight, text.data() + i, 8);
        if (eight & 0x8080808080808080ull) break;
    }
    chars = static_cast<uint32_t>(i);
    for (; i < text.size(); i++) {
        if ((static_cast<unsigned char>(text[i]) & 0xc0) == 0x80) continue;
        if (chars == n) break;
        chars++;
    }
    return i;
}
}  // namespace

void TextBlocks::cut(std::string_view text, uint32_t chars_max) {
    hashes.clear();
    chars = 0;
    while (!text.empty() && chars < chars_max) {
        uint32_t have = 0;
        size_t bytes = bytes_of(text, chars < fine_chars ? fine : coarse, have);
        hashes.push_back(XXH3_64bits(text.data(), bytes));
        chars += have;
        text.remove_prefix(bytes);
    }
}

}  // namespace weir::kv
