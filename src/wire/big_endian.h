// Integers of binary protocols, most significant byte first.
#pragma once
#include <cstdint>
#include <string>
#include <string_view>

namespace weir {

inline void append_big_endian(std::string& out, uint64_t v, size_t bytes) {
    while (bytes > 0) out.push_back(static_cast<char>(v >> 8 * --bytes & 0xff));
}
inline uint64_t read_big_endian(std::string_view bytes) {   // at most 8
    uint64_t v = 0;
    for (char c : bytes) v = v << 8 | static_cast<uint8_t>(c);
    return v;
}

}  // namespace weir
