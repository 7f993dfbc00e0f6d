// A tokenizer, whatever its file format: text to token ids and back, exactly as the reference library of that format does it.
#pragma once
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace weir {

struct EncodeOptions {
    bool add_special_tokens = false;   // run the post-processor: BOS, EOS, [CLS] ...; off for text that a chat template rendered
    bool special_as_text = false;      // text that looks like a special token is encoded as plain text (untrusted input)
    bool continues = false;            // the text is what follows a safe_cut of a longer one: nothing is put before it. Not with offsets
};

// Where a token came from, in Unicode code points of the input text (as the reference counts), [begin, end).
struct TokenOffset {
    uint32_t begin = 0, end = 0;
};

// Working memory of one thread: pretoken caches, merge heaps. Not shared, reused from call to call, bounded (limits.h).
class EncodeScratch {
public:
    virtual ~EncodeScratch() = default;
};

// The state of one decoded stream: feed ids one by one, get text that will never be taken back.
// Not thread safe; one per choice. Equal to the reference's DecodeStream chunk by chunk.
class Detokenizer {
public:
    virtual ~Detokenizer() = default;
    virtual void feed(uint32_t id, std::string& out) = 0;   // appends what became certain, possibly nothing
    virtual void flush(std::string& out) = 0;               // the end of the stream: what was held back, as the full decode spells it
};

// Immutable once built; all cores share one.
class Tokenizer {
public:
    virtual ~Tokenizer() = default;
    virtual std::unique_ptr<EncodeScratch> scratch() const = 0;
    // Appends to `ids` (and, when given, to `offsets`, one per id). Invalid UTF-8 in `text` fails with bad_field.
    virtual Result<void> encode(std::string_view text, const EncodeOptions&, EncodeScratch&, std::vector<uint32_t>& ids,
                                std::vector<TokenOffset>* offsets = nullptr) const = 0;
    // The whole text of `ids`; ids outside the vocabulary are passed over, as the reference does.
    virtual std::string decode(std::span<const uint32_t> ids, bool skip_special) const = 0;
    virtual std::unique_ptr<Detokenizer> detokenizer(bool skip_special) const = 0;

    virtual uint32_t vocab_size() const = 0;                              // one above the largest id, added tokens included
    virtual std::string_view token(uint32_t id) const = 0;                // as spelled in the file; empty when there is none
    virtual bool find(std::string_view token, uint32_t& id) const = 0;    // by that spelling
    virtual bool special(uint32_t id) const = 0;
    virtual size_t memory_bytes() const = 0;                              // what this tokenizer holds
    virtual uint64_t fingerprint() const = 0;                             // equal for tokenizers that encode alike; keys the caches
    // A byte offset <= `limit` of `text` at which encoding can be cut so that the two parts' ids, joined, are those of the whole; 0: none
    // known. The second part is encoded with `continues`; of EncodeOptions' other flags none may be set: the post-processor adds its tokens
    // to each part, and a cut beside a special token is none where that is plain text. The answer is for this very text: what follows
    // `limit` may decide (an added token that begins before it, a word that goes on), so for a beginning of a longer text it holds only
    // when that reaches behind `limit` by more than the longest added token; callers that pass a window of 1 KB rely on none being longer.
    virtual size_t safe_cut(std::string_view text, size_t limit) const = 0;
};

using TokenizerRef = std::shared_ptr<const Tokenizer>;

}  // namespace weir
