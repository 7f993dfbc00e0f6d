// UTF-8 by code points. For text that was checked: nothing here looks for errors.
#pragma once
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace weir::tok::unicode {

// The code point at `p`, and past it. `p` is at a character's start.
inline char32_t next_point(const char*& p) {
    const auto lead = static_cast<uint8_t>(*p++);
    if (lead < 0x80) return lead;
    const auto part = [&p] { return static_cast<char32_t>(static_cast<uint8_t>(*p++) & 0x3F); };
    if (lead < 0xE0) return (lead & 0x1Fu) << 6 | part();
    char32_t c = lead < 0xF0 ? lead & 0x0Fu : lead & 0x07u;
    c = c << 6 | part();
    c = c << 6 | part();
    return lead < 0xF0 ? c : c << 6 | part();
}

inline int point_len(uint8_t lead) { return lead < 0x80 ? 1 : lead < 0xE0 ? 2 : lead < 0xF0 ? 3 : 4; }

inline void append_point(std::string& out, char32_t c) {
    if (c < 0x80) {
        out.push_back(static_cast<char>(c));
        return;
    }
    if (c < 0x800) {
        out.push_back(static_cast<char>(0xC0 | c >> 6));
    } else {
        if (c < 0x10000) {
            out.push_back(static_cast<char>(0xE0 | c >> 12));
        } else {
            out.push_back(static_cast<char>(0xF0 | c >> 18));
            out.push_back(static_cast<char>(0x80 | (c >> 12 & 0x3F)));
        }
        out.push_back(static_cast<char>(0x80 | (c >> 6 & 0x3F)));
    }
    out.push_back(static_cast<char>(0x80 | (c & 0x3F)));
}

}  // namespace weir::tok::unicode
