// Hashes of KV blocks, equal to Dynamo's and SMG's: routers and engines must agree on them bit by bit.
#pragma once
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace weir::kv {

// Two kinds of hash for block i of a token sequence; only full blocks have any:
//   local hash    XXH3-64 of the block's token ids (u32 little endian), then of the mm hashes of the media in it (u64 little endian,
//                 ascending), under a seed made of LoRA name and cache salt. Says nothing about what stands before the block.
//   chained hash  c[0] = local[0]; c[i] = XXH3-64(le64(c[i-1]) || le64(local[i]), seed 1337). Names the block with all before it.
// SMG's block content hash and rolling prefix hash are the same two without LoRA, salt and media.
inline constexpr uint64_t hash_seed_plain = 1337;
uint64_t hash_seed(std::string_view lora, std::string_view cache_salt);   // empty = absent
uint64_t chain_hash(uint64_t parent_chained, uint64_t local);

// What an engine's identifier of an image (or other media) counts as: 64 hex digits give their first 16, all else XXH3-64 of the bytes.
uint64_t media_hash(std::string_view identifier);
uint32_t sglang_pad_token(uint64_t media_hash);     // the token SGLang puts where the media is: 1,000,000 + low 30 bits

// SMG's prefix_hash policy and placement index: XXH3-64, seed 0, over token ids or text.
uint64_t prefix_key(std::span<const uint32_t> tokens);
uint64_t prefix_key(std::string_view text);
std::string prefix_key_text(uint64_t key);          // 16 lower-case hex digits, what goes on SMG's ring

struct MediaRange {          // tokens [from, to) stand for the media
    uint64_t hash;
    uint32_t from, to;
};

struct HashRules {
    uint32_t block_tokens = 16;                 // 1..block_tokens_max
    uint64_t seed = hash_seed_plain;
    bool eagle = false;                         // a block's hash covers one token more than the block; blocks = (n - 1) / block_tokens
};
inline constexpr uint32_t block_tokens_max = 4'096;

struct BlockHashes {
    std::vector<uint64_t> local, chained;       // same length
};

// Grows with a conversation and hashes only what is new. One thread. Memory: one block of tokens.
class BlockHasher {
public:
    explicit BlockHasher(HashRules rules);
    // Appends the hashes of the blocks that `tokens` completes. `media`: of the whole sequence, sorted by `from`; ranges that end
    // before the first unhashed token may be left out.
    void feed(std::span<const uint32_t> tokens, BlockHashes& out, std::span<const MediaRange> media = {});
    friend void hash_local(std::span<const uint32_t>, HashRules, std::vector<uint64_t>&, std::span<const MediaRange>);
    void reset();
    uint64_t tokens() const { return tokens_; }             // fed so far
    uint32_t blocks() const { return blocks_; }             // hashed so far
    std::span<const uint32_t> partial() const { return held_; }   // tokens that no finished block covers; eagle: with the one token it shares

private:
    uint64_t local(const uint32_t* tokens, std::span<const MediaRange>& media) const;
    void emit(const uint32_t* tokens, BlockHashes& out, std::span<const MediaRange>& media);
    HashRules rules_;
    uint32_t window_;                                        // tokens under one hash
    std::vector<uint32_t> held_;
    uint64_t tokens_ = 0, last_ = 0;                         // last_: chained hash of the newest block
    uint32_t blocks_ = 0;
};

// All at once; `local` alone is what routing goes by, and costs half as much.
void hash_local(std::span<const uint32_t> tokens, HashRules rules, std::vector<uint64_t>& out, std::span<const MediaRange> media = {});   // appends
BlockHashes hash_blocks(std::span<const uint32_t> tokens, HashRules rules, std::span<const MediaRange> media = {});

}  // namespace weir::kv
