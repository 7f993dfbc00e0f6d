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

struct ScanScratch {
    ScanChunk chunk;
    std::vector<uint32_t> ends;                  // of the pre-tokens found, from where the scan began
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
