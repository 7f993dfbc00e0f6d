// What one thread keeps between texts for the fast encoder, and what it works with.
#pragma once
#include <array>
#include <vector>

#include "tokenizer/fast_cache.h"
#include "tokenizer/fast_encoder.h"
#include "tokenizer/fast_reach.h"
#include "tokenizer/scan.h"

namespace weir::tok {

struct TableScratch final : FastScratch {
    ScanScratch scan;
    PieceCache cache;
    BpeScratch bpe;
    std::vector<uint32_t> ids;
    std::vector<uint64_t> dead;                  // of a long piece
    std::vector<uint8_t> lens;
    // Verdicts on neighbours met lately: the two ids, then the verdict. 0 is none.
    std::array<uint64_t, 4096> pairs{};
    bool apart(const TokenTrees& trees, const Bpe& bpe, uint32_t a, uint32_t b) {
        const uint64_t key = (uint64_t(a) << 32 | b) * 2 + 1;
        uint64_t& known = pairs[key * 0x9E3779B97F4A7C15u >> 52];
        if (known >> 1 != key) known = key << 1 | uint64_t(trees.neighbours(bpe, a, b));
        return known & 1;
    }
};

// Places of a short piece, and of any.
class FewPlaces {
public:
    bool operator[](size_t at) const { return bits_ >> at & 1; }
    void set(size_t at) { bits_ |= uint64_t(1) << at; }

private:
    uint64_t bits_ = 0;
};
class ManyPlaces {
public:
    ManyPlaces(std::vector<uint64_t>& bits, size_t count) : bits_(bits) { bits_.assign(count / 64 + 1, 0); }
    bool operator[](size_t at) const { return bits_[at >> 6] >> (at & 63) & 1; }
    void set(size_t at) { bits_[at >> 6] |= uint64_t(1) << (at & 63); }

private:
    std::vector<uint64_t>& bits_;
};

}  // namespace weir::tok
