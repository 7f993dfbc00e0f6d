// Pre-tokens by hand-written rules in place of a regular expression, for the patterns that are recognised.
#pragma once
#include <cstdint>
#include <memory>
#include <string_view>
#include <vector>

#include "tokenizer/scan_classes.h"
#include "tokenizer/spec.h"

namespace weir::tok {

inline constexpr size_t scan_chunk = 4096;       // bytes classified at once; a longer pre-token makes it grow for its sake

// Where pre-tokens end. A list that is filled through a pointer: nothing is zeroed for a chunk.
class ScanEnds {
public:
    uint32_t* room(size_t most) {                // for so many; what was there is gone
        if (most > room_) places_ = std::make_unique_for_overwrite<uint32_t[]>(room_ = most);
        return places_.get();
    }
    void filled(const uint32_t* end) { count_ = static_cast<size_t>(end - places_.get()); }
    void clear() { count_ = 0; }
    size_t size() const { return count_; }
    const uint32_t* begin() const { return places_.get(); }
    const uint32_t* end() const { return places_.get() + count_; }
    uint32_t operator[](size_t i) const { return places_[i]; }

private:
    std::unique_ptr<uint32_t[]> places_;
    size_t room_ = 0, count_ = 0;
};

struct ScanScratch {
    ScanChunk chunk;
    ScanEnds ends;                               // of the pre-tokens found, from where the scan began
};

// Immutable; any thread.
class Scanner {
public:
    virtual ~Scanner() = default;
    // Fills scratch.ends with the pre-tokens of about one chunk of `text` (valid UTF-8) from `from` on, which is a boundary; at least one
    // unless the text is at its end. Gives the end of the last.
    virtual size_t scan(std::string_view text, size_t from, ScanScratch&) const = 0;
    virtual size_t memory_bytes() const = 0;
};

// For a pre-tokenizer that ends in ByteLevel without a prefix space; null when it is none of those known here.
std::unique_ptr<Scanner> recognise_scanner(const PreTokenizerSpec&);

}  // namespace weir::tok
