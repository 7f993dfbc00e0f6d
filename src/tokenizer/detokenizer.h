// Ids back to text, whole or as a stream. What a token contributes is computed once per vocabulary; a stream then copies bytes and keeps
// only what is not yet certain, so a token costs the same wherever it stands. Chains that no table can serve re-decode a short window.
//
// A stream equals the reference's DecodeStream chunk by chunk: text is held while it ends in U+FFFD, and given out once it does not.
// Chunks and flush together are the full decode, but for byte-fallback runs that break after text of the same run was given out: the full
// decode makes every byte of such a run U+FFFD, DecodeStream fails, this stream makes the remaining ones U+FFFD.
#pragma once
#include <memory>
#include <optional>
#include <span>
#include <string>

#include "base/result.h"
#include "tokenizer/spec.h"
#include "tokenizer/token_table.h"
#include "tokenizer/tokenizer.h"

namespace weir::tok {

// Text held back by one stream: never more than this before it is given out, U+FFFD or not.
inline constexpr size_t detokenizer_held_max = 4'096;

// Immutable; shared by all streams of a tokenizer. Streams must not outlive it, nor it the table.
class Decoding {
public:
    virtual ~Decoding() = default;
    // Fails with bad_field for a decoder that cannot be run.
    static Result<std::unique_ptr<const Decoding>> make(const std::optional<DecoderSpec>& decoder, const TokenTable& tokens);

    // Ids without a token are passed over; with skip_special so are special ones.
    virtual std::string decode(std::span<const uint32_t> ids, bool skip_special) const = 0;
    virtual std::unique_ptr<Detokenizer> stream(bool skip_special) const = 0;
    virtual size_t memory_bytes() const = 0;
    virtual const char* form() const = 0;   // which of the forms serves this chain: "bytes", "words", "fallback", "window"
};

}  // namespace weir::tok
