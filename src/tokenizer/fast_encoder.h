// The fast way from text to ids for the families everybody uses: byte-level BPE behind a known pattern, and SentencePiece-like BPE.
// Vector scanners find the pre-tokens, tables and a bounded cache answer most of them, exact BPE the rest. What is not recognised is left
// to the general pipeline; what is, gives the same ids.
#pragma once
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string_view>
#include <vector>

#include "tokenizer/bpe.h"
#include "tokenizer/spec.h"
#include "tokenizer/vocab.h"

namespace weir::tok {

// Working memory of one thread: class bitmaps and the cache of pre-tokens. Bounded (fast_cache_bytes and a few times the slice).
class FastScratch {
public:
    virtual ~FastScratch() = default;
    uint64_t work = 0;                           // tokens tried where pieces were matched or merged, ever: what tests bound
};

// What stands before a text: nothing, an added token, or its own beginning, up to a safe_cut. SentencePiece's families put a space between
// the first or the second and the text.
enum class Before : uint8_t { nothing, token, itself };

inline constexpr size_t fast_cache_bytes = 5 << 20;    // pre-token cache of one (thread, tokenizer); fast_tables.h says how it is spent

// Immutable; any thread. Outlived by the Vocab and the Bpe it was made from.
class FastEncoder {
public:
    virtual ~FastEncoder() = default;
    // `text` must be normalized already; false: raw text, the normalizer is part of this.
    virtual bool wants_normalized() const = 0;
    virtual std::unique_ptr<FastScratch> scratch() const = 0;
    // Appends the ids of `text` (valid UTF-8; what lies between two added tokens) from byte `from` on, which is 0 or what an earlier call gave.
    // Stops at the first boundary at least `budget` bytes further, or at the end; gives where.
    virtual size_t encode_some(std::string_view text, size_t from, size_t budget, Before before, FastScratch&, std::vector<uint32_t>& ids) const = 0;
    // Tokenizer::safe_cut for a text without added tokens near the cut; 0: none known. Before::itself for what follows it.
    virtual size_t safe_cut(std::string_view text, size_t limit) const = 0;
    virtual size_t memory_bytes() const = 0;

    void encode(std::string_view text, Before before, FastScratch& s, std::vector<uint32_t>& ids) const {
        for (size_t at = 0; at < text.size();) at = encode_some(text, at, text.size(), before, s, ids);
    }
};

// Null when the spec is of no family known here.
std::unique_ptr<FastEncoder> recognise_fast(const TokenizerSpec&, const Vocab&, const Bpe&);

}  // namespace weir::tok
