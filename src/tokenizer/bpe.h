// Byte pair encoding, exactly as the reference does it: the pair of lowest rank merges first, the leftmost of equals. Short pieces by a
// scan for the lowest rank, long ones from a heap, so that no text costs more than n log n.
#pragma once
#include <array>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "tokenizer/bpe_pairs.h"
#include "tokenizer/models.h"

namespace weir::tok {

class Bpe final : public Model {
public:
    // Null when the vocabulary is beyond the tables' bounds (a million tokens, 16 million merges). `vocab` outlives it.
    static std::unique_ptr<Bpe> build(const ModelSpec&, const Vocab& vocab);

    Result<void> encode(std::string_view piece, ModelScratch&, std::vector<ModelToken>& out) const override;
    size_t memory_bytes() const override;

    // Merges symbols in place: ids, and how long each is.
    void merge(BpeScratch&) const;
    const BpePairs& pairs() const { return pairs_; }
    // A pair's number in `pairs` is its rank, save where ranks are tied: then it is the number of the merge, and order says its rank.
    uint32_t merged(uint32_t number) const { return merged_[number]; }
    uint32_t order(uint32_t number) const { return order_.empty() || number == BpePairs::none ? number : order_[number]; }
    bool tied() const { return !order_.empty(); }
    bool ignores_merges() const { return ignore_merges_; }
    // No prefix, suffix, unknown token in the way: a piece's symbols are its characters, all of them tokens or bytes.
    bool plain() const { return prefix_.empty() && suffix_.empty(); }
    uint32_t byte_id(uint8_t byte) const { return byte_fallback_ ? byte_ids_[byte] : Vocab::none; }
    bool byte_fallback() const { return byte_fallback_; }
    bool has_unk() const { return has_unk_; }

private:
    Bpe(const ModelSpec&, const Vocab&);
    void fill_from_list(const ModelSpec&);
    bool fill_from_ranks(const ModelSpec&);
    bool put_bytes(std::string_view text, BpeScratch&) const;
    Result<void> symbols(std::string_view piece, BpeScratch&) const;
    void merge_short(BpeScratch&) const;
    void merge_long(BpeScratch&) const;

    const Vocab& vocab_;
    BpePairs pairs_;
    std::vector<uint32_t> merged_, order_;            // by number
    std::vector<uint32_t> chars_;                     // ids of single characters below chars_.size(); none: not in the vocabulary
    std::string prefix_, suffix_, unk_;
    bool has_unk_ = false, fuse_unk_ = false, byte_fallback_ = false, ignore_merges_ = false;
    uint32_t unk_id_ = Vocab::none;
    std::array<uint32_t, 256> byte_ids_{};            // <0x00> ... <0xFF>
};

}  // namespace weir::tok
