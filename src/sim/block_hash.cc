#include "sim/block_hash.h"

#define XXH_INLINE_ALL
#include <xxhash.h>

namespace weir::sim {

uint64_t hash_seed(std::string_view lora, std::string_view salt) {
    uint64_t seed = plain_hash_seed;
    if (!lora.empty()) seed += XXH3_64bits_withSeed(lora.data(), lora.size(), 0);
    if (!salt.empty()) seed += XXH3_64bits_withSeed(salt.data(), salt.size(), 1);
    return seed;
}

uint64_t block_hash(std::span<const uint32_t> tokens, uint64_t seed) {
    return XXH3_64bits_withSeed(tokens.data(), tokens.size_bytes(), seed);   // ids are little-endian in memory here
}

uint64_t chain_hash(uint64_t parent, uint64_t block) {
    const uint64_t pair[2] = {parent, block};
    return XXH3_64bits_withSeed(pair, sizeof pair, plain_hash_seed);
}

void append_block_hashes(std::span<const uint32_t> tokens, uint32_t block_size, uint64_t seed, std::vector<uint64_t>& out) {
    const size_t full = tokens.size() / block_size;
    out.reserve(full);
    while (out.size() < full) out.push_back(block_hash(tokens.subspan(out.size() * block_size, block_size), seed));
}

}  // namespace weir::sim
