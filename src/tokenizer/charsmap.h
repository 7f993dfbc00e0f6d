// SentencePiece's precompiled normalization rules: a double array of byte sequences and the texts that replace them.
#pragma once
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace weir::tok {

class Charsmap {
public:
    // What tokenizer.json's reference takes: a size, that many bytes of array, the rest UTF-8.
    static bool well_formed(std::string_view blob);
    // What sentencepiece takes; empty: no rules. Fails with bad_field.
    static Result<Charsmap> read(std::string_view blob);

    Charsmap() = default;
    // A blob that is not well formed has no rules; a broken array finds nothing, it is never read past its end.
    explicit Charsmap(std::string_view blob);

    struct Match {
        size_t size = 0;               // bytes of the text; 0: no rule
        std::string_view by;
    };
    Match longest(std::string_view text) const;                       // at the front of `text`
    std::optional<std::string_view> replace(std::string_view text) const;   // what the shortest rule at its front says, as the reference asks it
    bool empty() const { return units_.empty(); }
    size_t memory_bytes() const { return units_.capacity() * 4 + texts_.capacity(); }

    std::string normalize(std::string_view text) const;               // front to back, longest rule first, as sentencepiece does

private:
    template <class Found>
    void search(std::string_view text, Found&& found) const;
    std::string_view replacement(uint32_t at) const;

    std::vector<uint32_t> units_;
    std::string texts_;   // each ends with a zero byte
};

}  // namespace weir::tok
