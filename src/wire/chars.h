// Character classes and SSE2 scans shared by the codecs. SSE2 is part of x86-64; other machines take the plain loops.
#pragma once
#include <array>
#include <bit>
#include <cstdint>
#include <string_view>
#if defined(__SSE2__)
#include <emmintrin.h>
#endif

namespace weir::chars {

enum : uint8_t { token = 1, target = 2, host = 4, hex = 8, digit = 16 };

constexpr std::array<uint8_t, 256> make_classes() {
    std::array<uint8_t, 256> t{};
    auto add = [&](std::string_view set, uint8_t bits) { for (char c : set) t[static_cast<unsigned char>(c)] |= bits; };
    for (int c = '0'; c <= '9'; ++c) t[c] |= token | target | host | hex | digit;
    for (int c = 'a'; c <= 'z'; ++c) t[c] |= token | target | host;
    for (int c = 'A'; c <= 'Z'; ++c) t[c] |= token | target | host;
    add("abcdefABCDEF", hex);
    add("!#$%&'*+-.^_`|~", token);                        // RFC 9110 5.6.2
    add("-._~%!$&'()*+,;=:@/?[]{}|^`", target);           // RFC 3986, and five that clients send unescaped; never '#', '"', '<', '>', '\\'
    add("-._~%!$&'()*+,;=", host);                        // RFC 3986 reg-name
    return t;
}
inline constexpr std::array<uint8_t, 256> classes = make_classes();
inline bool is(char c, uint8_t bits) { return classes[static_cast<unsigned char>(c)] & bits; }
inline char lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c | 0x20) : c; }
inline int hex_value(char c) { return !is(c, hex) ? -1 : c <= '9' ? c - '0' : (c | 0x20) - 'a' + 10; }
inline bool is_control(char c) { auto u = static_cast<unsigned char>(c); return (u < 0x20 && u != '\t') || u == 0x7f; }
inline bool is_blank(char c) { return c == ' ' || c == '\t'; }

inline std::string_view trim_blanks(std::string_view s) {
    while (!s.empty() && is_blank(s.front())) s.remove_prefix(1);
    while (!s.empty() && is_blank(s.back())) s.remove_suffix(1);
    return s;
}

// First control byte (HTAB is not one) in [p, end), or end.
inline const char* find_control(const char* p, const char* end) {
#if defined(__SSE2__)
    const __m128i top = _mm_set1_epi8(0x1f), tab = _mm_set1_epi8('\t'), del = _mm_set1_epi8(0x7f);
    for (; end - p >= 16; p += 16) {
        const __m128i v = _mm_loadu_si128(reinterpret_cast<const __m128i*>(p));
        const __m128i low = _mm_cmpeq_epi8(_mm_min_epu8(v, top), v);   // v <= 0x1f, unsigned
        const __m128i hit = _mm_or_si128(_mm_andnot_si128(_mm_cmpeq_epi8(v, tab), low), _mm_cmpeq_epi8(v, del));
        if (const unsigned mask = static_cast<unsigned>(_mm_movemask_epi8(hit))) return p + std::countr_zero(mask);
    }
#endif
    while (p < end && !is_control(*p)) ++p;
    return p;
}

}  // namespace weir::chars
