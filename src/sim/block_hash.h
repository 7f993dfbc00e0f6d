// Hashes of KV blocks as Dynamo's workers publish them: XXH3 over the token ids of a full block, and a chain over blocks.
#pragma once
#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

namespace weir::sim {

inline constexpr uint64_t plain_hash_seed = 1337;
// Seed of block hashes for an adapter and a tenant's salt; both may be empty.
uint64_t hash_seed(std::string_view lora, std::string_view salt);
uint64_t block_hash(std::span<const uint32_t> tokens, uint64_t seed);
uint64_t chain_hash(uint64_t parent, uint64_t block);   // of every block but the first, whose chain hash is its block hash
// Appends the hash of each full block of `tokens`, from block out.size() on.
void append_block_hashes(std::span<const uint32_t> tokens, uint32_t block_size, uint64_t seed, std::vector<uint64_t>& out);

}  // namespace weir::sim
