// The pre-tokenizers of tokenizer.json, each exactly as the reference runs it.
#pragma once
#include <memory>

#include "base/result.h"
#include "tokenizer/pieces.h"
#include "tokenizer/spec.h"

namespace weir::tok {

// Buffers of one thread's pre-tokenization.
struct PreTokenizerScratch {
    struct Part {
        uint32_t begin = 0, end = 0;
        bool match = false;                                   // later: to be dropped
    };
    std::vector<Part> parts, kept;
    std::vector<TextPiece> items;
    TextPieces next;
    Aligned aligned;
};

// Immutable; any thread.
class PreTokenizer {
public:
    virtual ~PreTokenizer() = default;
    // TextPieces that are tokens stay as they are. Fails only where a regex engine gives up.
    virtual Result<void> run(TextPieces&, PreTokenizerScratch&) const = 0;
    // Its result depends on where the pieces came from, so they must be tracked.
    virtual bool needs_tracking() const { return false; }
};

Result<std::unique_ptr<PreTokenizer>> make_pre_tokenizer(const PreTokenizerSpec&);

}  // namespace weir::tok
