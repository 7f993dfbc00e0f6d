// BLAKE3, plain hash mode, 256 bits: the checksum that model cards name for their files. One thread; about 0.5 GB/s.
#pragma once
#include <array>
#include <cstdint>
#include <string>
#include <string_view>

namespace weir {

class Blake3 {
public:
    Blake3();
    void update(std::string_view bytes);            // any cuts give the same digest
    std::array<uint8_t, 32> digest() const;         // of everything so far; more may follow
    std::string hex() const;                        // 64 lower-case digits

private:
    using Words = std::array<uint32_t, 8>;
    struct Block { Words cv; std::array<uint32_t, 16> words; uint64_t counter; uint32_t length, flags; };   // what one compression takes
    Block last_of_chunk() const;
    static Block parent(const Words& left, const Words& right);
    void chunk_done(Words cv);

    static constexpr size_t block_bytes = 64, chunk_bytes = 1024, stack_max = 54;   // 2^54 chunks of 1 KB: all a u64 counts
    Words cv_;                                      // of the chunk at hand
    std::array<uint8_t, block_bytes> held_{};       // its last block, never compressed before more comes
    size_t held_n_ = 0, chunk_n_ = 0;               // bytes in held_; bytes of this chunk, held ones included
    uint64_t chunks_ = 0;                           // complete ones
    std::array<Words, stack_max> stack_;            // left subtrees that wait for their right side
    size_t stack_n_ = 0;
};

std::string blake3_hex(std::string_view bytes);

}  // namespace weir
