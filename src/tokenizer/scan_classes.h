// Character classes of a stretch of text: one byte of flags for each byte of text (a character's flags stand at all of its bytes), and each
// flag as a bitmap. The scanners (scan_rules.h) work on these, so they never look at UTF-8 twice.
#pragma once
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string_view>
#include <vector>

namespace weir::tok {

// Flags by code point, two stages.
class ScanClasses {
public:
    // `edges`: in order, where flags may change beyond ASCII.
    ScanClasses(const std::function<uint8_t(char32_t)>& flags_of, std::span<const char32_t> edges);
    uint8_t operator[](char32_t c) const { return blocks_[size_t(index_[c >> 7]) * 128 + (c & 127)]; }
    const uint8_t* ascii() const { return blocks_.data() + size_t(index_[0]) * 128; }
    uint8_t used() const { return used_; }                   // flags that some character has
    size_t memory_bytes() const { return blocks_.capacity() + 2 * index_.capacity(); }

private:
    std::vector<uint16_t> index_;
    std::vector<uint8_t> blocks_;
    uint8_t used_ = 0;
};

// The classes of one chunk. Reading a few bytes or words past the end gives zeros.
class ScanChunk {
public:
    static constexpr size_t pad = 64;
    // `text` ends at a character's end. Uses the widest vectors this processor has.
    void classify(std::string_view text, const ScanClasses&);

    const uint8_t* text = nullptr;
    size_t len = 0;
    const uint8_t* flags() const { return flags_.data(); }
    const uint64_t* bits(int flag) const { return bits_.data() + static_cast<size_t>(flag) * stride_; }
    const uint64_t* high() const { return high_.data(); }    // bytes beyond ASCII
    const uint64_t* quotes() const { return quotes_.data(); }    // apostrophes
    const uint64_t* spaces() const { return spaces_.data(); }    // U+0020
    size_t memory_bytes() const { return flags_.capacity() + 8 * (bits_.capacity() + 3 * high_.capacity()); }

private:
    void classify_others(const ScanClasses&);                // characters beyond ASCII
    std::vector<uint8_t> flags_;
    std::vector<uint64_t> bits_, high_, quotes_, spaces_;
    size_t stride_ = 0;
};

// For tests: 0 portable, 1 AVX2, 2 AVX-512; what the processor does not have is not used.
extern int scan_level_max;

}  // namespace weir::tok
