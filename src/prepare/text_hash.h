// 128-bit keyed hashes of texts: of a whole, and of each beginning of it at a block boundary. The key is drawn at start, so that
// nobody outside can make two texts meet.
#pragma once
#include <array>
#include <cstdint>
#include <string_view>
#include <vector>

namespace weir::prepare {

struct TextKey {
    uint64_t lo = 0, hi = 0;
    bool operator==(const TextKey&) const = default;
};
struct TextKeyHash {
    size_t operator()(const TextKey& k) const { return k.hi; }   // shards take bits of lo
};

class TextHash {
public:
    static constexpr size_t block_bytes = 512;
    TextHash();                                  // from the kernel's random numbers
    explicit TextHash(uint64_t seed);            // tests: the same keys again
    // `salt` keeps apart what encodes differently: a tokenizer's fingerprint, options.
    TextKey whole(std::string_view text, uint64_t salt) const;
    // One key for each full block: that of the text up to the block's end.
    void beginnings(std::string_view text, uint64_t salt, std::vector<TextKey>& out) const;
    // That of the text up to byte `end`; `keys`: its beginnings, `end` at least a block.
    TextKey beginning(std::string_view text, const std::vector<TextKey>& keys, size_t end) const;

private:
    std::array<char, 192> secret_;
};

}  // namespace weir::prepare
