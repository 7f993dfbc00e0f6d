// The normalizers of tokenizer.json, each exactly as the reference runs it.
#pragma once
#include <memory>
#include <vector>

#include "base/result.h"
#include "tokenizer/aligned.h"
#include "tokenizer/spec.h"

namespace weir::tok {

// Immutable; any thread.
class Normalizer {
public:
    virtual ~Normalizer() = default;
    // Fails only where a regex engine gives up. Untracked text may ask for tracking (Aligned::needs_tracking).
    virtual Result<void> run(Aligned&) const = 0;
    // Whether `text` surely comes out as it is; false may also mean "cannot tell".
    virtual bool leaves(std::string_view) const { return false; }
    virtual size_t memory_bytes() const { return 64; }
};

Result<std::unique_ptr<Normalizer>> make_normalizer(const NormalizerSpec&);

}  // namespace weir::tok
