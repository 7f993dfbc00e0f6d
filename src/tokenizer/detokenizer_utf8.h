// Bytes to text the way Rust's String::from_utf8_lossy does it, also when the bytes come in pieces: each maximal part of a sequence that
// cannot go on becomes one U+FFFD.
#pragma once
#include <array>
#include <cstdint>
#include <string>
#include <string_view>

namespace weir::tok {

inline constexpr std::string_view replacement_char = "\xef\xbf\xbd";

enum class Sequence : uint8_t { valid, unfinished, broken };

// The sequence that begins at p (p < end), and its size, or that of the part that could have been one.
struct SeenSequence {
    Sequence kind;
    uint8_t size;
};
SeenSequence look_utf8(const char* p, const char* end);

bool valid_utf8(std::string_view bytes);
std::string lossy_utf8(std::string_view bytes);
std::string patched_utf8(std::string_view bytes);   // as sentencepiece does it: one U+FFFD for each byte that belongs to no character

// A sequence that has begun and is not complete: at most three bytes.
class Utf8Tail {
public:
    bool empty() const { return size_ == 0; }
    // Appends to `out` what `bytes` make certain; an unfinished sequence at their end stays here.
    void feed(std::string_view bytes, std::string& out);
    // The end: an unfinished sequence is one U+FFFD.
    void finish(std::string& out) {
        if (size_) out += replacement_char;
        size_ = 0;
    }

private:
    std::array<char, 3> bytes_{};
    uint8_t size_ = 0;
};

}  // namespace weir::tok
