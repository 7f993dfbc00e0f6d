// Which tokens come out of BPE when it is given their own bytes: those, and only those, may stand for a piece by a look-up. And which may
// stand beside each other: a piece's encoding is the one sequence of such tokens whose neighbours do not disturb each other.
#pragma once
#include <vector>

#include "tokenizer/bpe.h"
#include "tokenizer/spec.h"

namespace weir::tok {

class TokenTrees {
public:
    // `symbols`: the tokens that merging starts from (single bytes or characters).
    void build(const ModelSpec&, const Bpe&, const std::vector<uint32_t>& symbols, size_t vocab_size);
    bool reached(uint32_t id) const { return trees_[id].reached; }
    // Whether text that is a's, then b's, encodes to a, b. Both are reached.
    bool neighbours(const Bpe& bpe, uint32_t a, uint32_t b) const { return undisturbed(bpe, a, b, BpePairs::none, false); }
    size_t memory_bytes() const { return trees_.size() * sizeof(Tree); }

private:
    struct Tree {
        uint32_t left = 0, right = 0;
        uint32_t rank : 31 = none;       // of the merge that makes a token out of its bytes; none: a symbol
        uint32_t reached : 1 = 0;
    };
    static constexpr uint32_t none = BpePairs::none;
    bool undisturbed(const Bpe&, uint32_t a, uint32_t b, uint32_t rank, bool own) const;
    HugeArray<Tree> trees_;
};

}  // namespace weir::tok
