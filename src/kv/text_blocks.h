// Text as blocks: hashes of 16 characters each at the beginning, of 128 further on, of the rest at the end.
#pragma once
#include <cstdint>
#include <string_view>
#include <vector>

namespace weir::kv {

struct TextBlocks {
    static constexpr uint32_t fine = 16, coarse = 128, fine_chars = 1'024, fine_blocks = fine_chars / fine;
    std::vector<uint64_t> hashes;
    uint32_t chars = 0;                          // of the text, as far as it counts
    uint32_t chars_until(uint32_t block) const { // of that many leading blocks
        if (block >= hashes.size()) return chars;
        return block <= fine_blocks ? block * fine : fine_chars + (block - fine_blocks) * coarse;
    }
    void cut(std::string_view text, uint32_t chars_max);
};

}  // namespace weir::kv
