#include "tokenizer/fast_reach.h"

#include <memory>

namespace weir::tok {

// Would a and b, each made by itself, be left alone until `rank`? Walks down the two spines that meet, latest merge first; a pair that lives
// there for a while must not merge by a lower rank than what ends its life. `own`: their own merge is the one at `rank`.
bool TokenTrees::undisturbed(const Bpe& bpe, uint32_t a, uint32_t b, uint32_t rank, bool own) const {
    uint32_t until_a = rank, until_b = rank;
    for (;; own = false) {
        const uint32_t crossing = own ? none : bpe.order(bpe.pairs().rank(a, b));
        if (crossing != none && crossing < until_a && crossing <= until_b) return false;
        const uint32_t made_a = trees_[a].rank, made_b = trees_[b].rank;
        if (made_a == none && made_b == none) return true;
        if (made_b == none || (made_a != none && made_a > made_b)) until_a = made_a, a = trees_[a].right;
        else until_b = made_b, b = trees_[b].left;
    }
}

void TokenTrees::build(const ModelSpec& spec, const Bpe& bpe, const std::vector<uint32_t>& symbols, size_t vocab_size) {
    trees_ = HugeArray<Tree>(vocab_size);
    std::uninitialized_fill_n(trees_.data(), vocab_size, Tree());
    for (const uint32_t id : symbols) trees_[id].reached = 1;
    for (uint32_t number = 0; number < spec.merges.size(); number++) {
        constexpr uint32_t ahead = 16;
        if (number + ahead < spec.merges.size()) {
            const auto [left, right] = spec.merges[number + ahead];
            __builtin_prefetch(&trees_[left]), __builtin_prefetch(&trees_[right]);
            if (!trees_[bpe.merged(number + ahead)].reached) bpe.pairs().prefetch(left, right);
        }
        const auto [a, b] = spec.merges[number];
        const uint32_t token = bpe.merged(number);
        if (trees_[token].reached || !trees_[a].reached || !trees_[b].reached || bpe.pairs().rank(a, b) != number) continue;
        if (!undisturbed(bpe, a, b, bpe.order(number), true)) continue;
        trees_[token].left = a, trees_[token].right = b, trees_[token].rank = bpe.order(number) & 0x7FFFFFFF, trees_[token].reached = 1;
    }
}

}  // namespace weir::tok
