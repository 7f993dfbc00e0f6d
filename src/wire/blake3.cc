#include "wire/blake3.h"

#include <algorithm>
#include <bit>
#include <cstring>

namespace weir {
namespace {

using Words = std::array<uint32_t, 8>;
constexpr Words iv = {0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a, 0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19};
constexpr uint32_t chunk_start = 1, chunk_end = 2, is_parent = 4, is_root = 8;
constexpr std::array<uint8_t, 16> permutation = {2, 6, 3, 10, 7, 0, 4, 13, 1, 11, 12, 5, 9, 14, 15, 8};

// Which message word each step of each round takes: the permutation applied again and again.
constexpr auto schedule = [] {
    std::array<std::array<uint8_t, 16>, 7> rounds{};
    for (uint8_t i = 0; i < 16; i++) rounds[0][i] = i;
    for (size_t r = 1; r < rounds.size(); r++)
        for (size_t i = 0; i < 16; i++) rounds[r][i] = rounds[r - 1][permutation[i]];
    return rounds;
}();

struct State {
    std::array<uint32_t, 16> v;
    void mix(size_t a, size_t b, size_t c, size_t d, uint32_t x, uint32_t y) {
        v[a] += v[b] + x;
        v[d] = std::rotr(v[d] ^ v[a], 16);
        v[c] += v[d];
        v[b] = std::rotr(v[b] ^ v[c], 12);
        v[a] += v[b] + y;
        v[d] = std::rotr(v[d] ^ v[a], 8);
        v[c] += v[d];
        v[b] = std::rotr(v[b] ^ v[c], 7);
    }
};

// The first half of a compression's output: the chaining value, or the digest when it is the root's.
Words compress(const Words& cv, const std::array<uint32_t, 16>& m, uint64_t counter, uint32_t length, uint32_t flags) {
    State s{{cv[0], cv[1], cv[2], cv[3], cv[4], cv[5], cv[6], cv[7], iv[0], iv[1], iv[2], iv[3], static_cast<uint32_t>(counter),
             static_cast<uint32_t>(counter >> 32), length, flags}};
    for (const auto& w : schedule) {
        s.mix(0, 4, 8, 12, m[w[0]], m[w[1]]);
        s.mix(1, 5, 9, 13, m[w[2]], m[w[3]]);
        s.mix(2, 6, 10, 14, m[w[4]], m[w[5]]);
        s.mix(3, 7, 11, 15, m[w[6]], m[w[7]]);
        s.mix(0, 5, 10, 15, m[w[8]], m[w[9]]);
        s.mix(1, 6, 11, 12, m[w[10]], m[w[11]]);
        s.mix(2, 7, 8, 13, m[w[12]], m[w[13]]);
        s.mix(3, 4, 9, 14, m[w[14]], m[w[15]]);
    }
    Words out;
    for (size_t i = 0; i < 8; i++) out[i] = s.v[i] ^ s.v[i + 8];
    return out;
}

std::array<uint32_t, 16> words_of(const uint8_t* bytes) {
    std::array<uint32_t, 16> words;
    for (size_t i = 0; i < 16; i++)
        words[i] = static_cast<uint32_t>(bytes[4 * i]) | static_cast<uint32_t>(bytes[4 * i + 1]) << 8 |
                   static_cast<uint32_t>(bytes[4 * i + 2]) << 16 | static_cast<uint32_t>(bytes[4 * i + 3]) << 24;
    return words;
}

}  // namespace

Blake3::Blake3() : cv_(iv) {}

Blake3::Block Blake3::last_of_chunk() const {
    std::array<uint8_t, block_bytes> padded{};
    std::copy_n(held_.begin(), held_n_, padded.begin());
    const uint32_t start = chunk_n_ <= block_bytes ? chunk_start : 0;
    return {cv_, words_of(padded.data()), chunks_, static_cast<uint32_t>(held_n_), start | chunk_end};
}

Blake3::Block Blake3::parent(const Words& left, const Words& right) {
    Block b{iv, {}, 0, block_bytes, is_parent};
    std::copy(left.begin(), left.end(), b.words.begin());
    std::copy(right.begin(), right.end(), b.words.begin() + 8);
    return b;
}

void Blake3::chunk_done(Words cv) {
    chunks_++;
    // Each trailing zero of the count completes a subtree.
    for (uint64_t n = chunks_; (n & 1) == 0; n >>= 1) {
        const Block b = parent(stack_[--stack_n_], cv);
        cv = compress(b.cv, b.words, b.counter, b.length, b.flags);
    }
    stack_[stack_n_++] = cv;
    cv_ = iv;
    held_n_ = chunk_n_ = 0;
}

void Blake3::update(std::string_view bytes) {
    while (!bytes.empty()) {
        if (held_n_ == block_bytes) {
            const Block b = last_of_chunk();
            if (chunk_n_ == chunk_bytes) chunk_done(compress(b.cv, b.words, b.counter, b.length, b.flags));
            else cv_ = compress(b.cv, b.words, b.counter, b.length, b.flags & ~chunk_end), held_n_ = 0;
        }
        const size_t n = std::min(bytes.size(), block_bytes - held_n_);
        std::memcpy(held_.data() + held_n_, bytes.data(), n);
        held_n_ += n;
        chunk_n_ += n;
        bytes.remove_prefix(n);
    }
}

std::array<uint8_t, 32> Blake3::digest() const {
    Block b = last_of_chunk();
    for (size_t i = stack_n_; i-- > 0;) b = parent(stack_[i], compress(b.cv, b.words, b.counter, b.length, b.flags));
    const Words root = compress(b.cv, b.words, 0, b.length, b.flags | is_root);
    std::array<uint8_t, 32> out;
    for (size_t i = 0; i < 32; i++) out[i] = static_cast<uint8_t>(root[i / 4] >> 8 * (i % 4));
    return out;
}

std::string Blake3::hex() const {
    static constexpr char digits[] = "0123456789abcdef";
    std::string text;
    for (uint8_t byte : digest()) text.append({digits[byte >> 4], digits[byte & 15]});
    return text;
}

std::string blake3_hex(std::string_view bytes) {
    Blake3 hash;
    hash.update(bytes);
    return hash.hex();
}

}  // namespace weir
