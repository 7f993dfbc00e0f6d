#include "kv/block_hash.h"

#include <algorithm>
#include <bit>
#include <cstring>

#include "base/assert.h"

#define XXH_INLINE_ALL
#include <xxhash.h>

namespace weir::kv {
static_assert(std::endian::native == std::endian::little, "token ids are hashed as they lie in memory");

uint64_t hash_seed(std::string_view lora, std::string_view cache_salt) {
    uint64_t seed = hash_seed_plain;
    if (!lora.empty()) seed += XXH3_64bits_withSeed(lora.data(), lora.size(), 0);
    if (!cache_salt.empty()) seed += XXH3_64bits_withSeed(cache_salt.data(), cache_salt.size(), 1);
    return seed;
}

uint64_t chain_hash(uint64_t parent_chained, uint64_t local) {
    const uint64_t both[2] = {parent_chained, local};
    return XXH3_64bits_withSeed(both, sizeof both, hash_seed_plain);
}

uint64_t media_hash(std::string_view identifier) {
    const auto digit = [](char c) { return c >= '0' && c <= '9' ? c - '0' : (c | 32) >= 'a' && (c | 32) <= 'f' ? (c | 32) - 'a' + 10 : -1; };
    if (identifier.size() == 64 && std::all_of(identifier.begin(), identifier.end(), [&](char c) { return digit(c) >= 0; })) {
        uint64_t value = 0;
        for (char c : identifier.substr(0, 16)) value = value << 4 | static_cast<uint64_t>(digit(c));
        return value;
    }
    return XXH3_64bits(identifier.data(), identifier.size());
}

uint32_t sglang_pad_token(uint64_t media_hash) { return 1'000'000 + static_cast<uint32_t>(media_hash & ((1u << 30) - 1)); }

uint64_t prefix_key(std::span<const uint32_t> tokens) { return XXH3_64bits(tokens.data(), tokens.size_bytes()); }
uint64_t prefix_key(std::string_view text) { return XXH3_64bits(text.data(), text.size()); }
std::string prefix_key_text(uint64_t key) {
    std::string text(16, '0');
    for (size_t i = 16; i-- > 0; key >>= 4) text[i] = "0123456789abcdef"[key & 15];
    return text;
}

BlockHasher::BlockHasher(HashRules rules) : rules_(rules), window_(rules.block_tokens + (rules.eagle ? 1 : 0)) {
    ASSERT(rules.block_tokens >= 1 && rules.block_tokens <= block_tokens_max);
    held_.reserve(window_);
}

void BlockHasher::reset() {
    held_.clear();
    tokens_ = last_ = 0;
    blocks_ = 0;
}

uint64_t BlockHasher::local(const uint32_t* tokens, std::span<const MediaRange>& media) const {
    const uint64_t from = uint64_t{blocks_} * rules_.block_tokens, to = from + rules_.block_tokens;
    while (!media.empty() && media.front().to <= from) media = media.subspan(1);
    if (media.empty() || media.front().from >= to) {
        if (rules_.block_tokens == 16 && !rules_.eagle) return XXH3_64bits_withSeed(tokens, 64, rules_.seed);   // a constant length: inlined
        return XXH3_64bits_withSeed(tokens, window_ * sizeof(uint32_t), rules_.seed);
    }
    std::vector<uint64_t> hashes;
    for (const MediaRange& m : media) {
        if (m.from >= to) break;
        if (m.to > from) hashes.push_back(m.hash);
    }
    std::sort(hashes.begin(), hashes.end());
    std::vector<unsigned char> bytes(window_ * sizeof(uint32_t) + hashes.size() * sizeof(uint64_t));
    std::memcpy(bytes.data(), tokens, window_ * sizeof(uint32_t));
    std::memcpy(bytes.data() + window_ * sizeof(uint32_t), hashes.data(), hashes.size() * sizeof(uint64_t));
    return XXH3_64bits_withSeed(bytes.data(), bytes.size(), rules_.seed);
}

void BlockHasher::emit(const uint32_t* tokens, BlockHashes& out, std::span<const MediaRange>& media) {
    const uint64_t hash = local(tokens, media);
    last_ = blocks_ == 0 ? hash : chain_hash(last_, hash);
    ++blocks_;
    out.local.push_back(hash);
    out.chained.push_back(last_);
}

void BlockHasher::feed(std::span<const uint32_t> tokens, BlockHashes& out, std::span<const MediaRange> media) {
    tokens_ += tokens.size();
    const size_t stride = rules_.block_tokens, expected = (held_.size() + tokens.size()) / stride;
    if (out.local.capacity() < out.local.size() + expected && expected > 1) {
        out.local.reserve(out.local.size() + expected);
        out.chained.reserve(out.chained.size() + expected);
    }
    while (!held_.empty()) {                                   // finish the block that an earlier call left open
        const size_t n = std::min(window_ - held_.size(), tokens.size());
        held_.insert(held_.end(), tokens.begin(), tokens.begin() + static_cast<ptrdiff_t>(n));
        if (held_.size() < window_) return;
        emit(held_.data(), out, media);
        held_.erase(held_.begin(), held_.begin() + static_cast<ptrdiff_t>(stride));
        tokens = tokens.subspan(n);
    }
    size_t at = 0;
    for (; at + window_ <= tokens.size(); at += stride) emit(tokens.data() + at, out, media);
    held_.assign(tokens.begin() + static_cast<ptrdiff_t>(at), tokens.end());
}

void hash_local(std::span<const uint32_t> tokens, HashRules rules, std::vector<uint64_t>& out, std::span<const MediaRange> media) {
    BlockHasher hasher(rules);
    if (tokens.size() < hasher.window_) return;
    const size_t n = (tokens.size() - hasher.window_) / rules.block_tokens + 1, before = out.size();
    out.resize(before + n);
    for (size_t i = 0; i < n; ++i, ++hasher.blocks_) out[before + i] = hasher.local(tokens.data() + i * rules.block_tokens, media);
}

BlockHashes hash_blocks(std::span<const uint32_t> tokens, HashRules rules, std::span<const MediaRange> media) {
    BlockHashes out;
    BlockHasher(rules).feed(tokens, out, media);
    return out;
}

}  // namespace weir::kv
