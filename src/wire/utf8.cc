#include "wire/utf8.h"

#include <algorithm>
#include <cstring>

#if defined(__x86_64__)
#include <immintrin.h>
#endif

namespace weir {
namespace {

// Length of the character at p, 0 when it is not valid or cut short.
size_t character(const unsigned char* p, size_t left) {
    auto follows = [&](size_t i, unsigned low = 0x80, unsigned high = 0xbf) { return i < left && p[i] >= low && p[i] <= high; };
    const unsigned c = p[0];
    if (c < 0x80) return 1;
    if (c < 0xc2) return 0;   // a continuation byte, or an overlong two-byte form
    if (c < 0xe0) return follows(1) ? 2 : 0;
    if (c < 0xf0) return follows(1, c == 0xe0 ? 0xa0 : 0x80, c == 0xed ? 0x9f : 0xbf) && follows(2) ? 3 : 0;
    if (c < 0xf5) return follows(1, c == 0xf0 ? 0x90 : 0x80, c == 0xf4 ? 0x8f : 0xbf) && follows(2) && follows(3) ? 4 : 0;
    return 0;
}

bool ascii_only(const char* p, const char* end) {
    uint64_t any = 0;
    for (; end - p >= 8; p += 8) {
        uint64_t word;
        std::memcpy(&word, p, 8);
        any |= word;
    }
    for (; p < end; ++p) any |= static_cast<unsigned char>(*p);
    return (any & 0x8080808080808080ull) == 0;
}

#if defined(__x86_64__)
// The look-up method of Keiser and Lemire ("Validating UTF-8 in less than one instruction per byte", 2020): three tables over
// the nibbles of two neighbouring bytes name every error that two bytes can show; the rest is where 3- and 4-byte
// characters must continue.
enum Fault : uint8_t {
    too_short = 1, too_long = 2, overlong_3 = 4, too_large = 8, surrogate = 16, overlong_2 = 32, overlong_4 = 64, two_conts = 128,
    too_large_1000 = overlong_4,   // above U+10FFFF in another way; never seen with a pair that is overlong
};
struct Tables { alignas(16) char first_high[16], first_low[16], second_high[16]; };
constexpr Tables make_tables() {
    Tables t{};
    constexpr int carry = too_short | too_long | two_conts, cont = too_long | overlong_2 | two_conts;
    for (int i = 0; i < 16; ++i) {
        int high = i < 8 ? too_long : i < 12 ? two_conts : too_short;      // the first byte's upper nibble
        if (i == 12) high |= overlong_2;
        if (i == 14) high |= overlong_3 | surrogate;
        if (i == 15) high |= too_large | too_large_1000 | overlong_4;
        int low = carry;                                                   // its lower nibble
        if (i == 0) low |= overlong_3 | overlong_2 | overlong_4;
        if (i == 1) low |= overlong_2;
        if (i >= 4) low |= too_large;
        if (i >= 5) low |= too_large_1000;
        if (i == 13) low |= surrogate;
        int next = too_short;                                              // the second byte's upper nibble
        if (i == 8) next = cont | overlong_3 | too_large_1000 | overlong_4;
        if (i == 9) next = cont | overlong_3 | too_large;
        if (i == 10 || i == 11) next = cont | surrogate | too_large;
        t.first_high[i] = static_cast<char>(high), t.first_low[i] = static_cast<char>(low), t.second_high[i] = static_cast<char>(next);
    }
    return t;
}
constexpr Tables tables = make_tables();

__attribute__((target("avx2"))) inline __m256i wide_table(const char* sixteen) {
    return _mm256_broadcastsi128_si256(_mm_load_si128(reinterpret_cast<const __m128i*>(sixteen)));
}

__attribute__((target("avx2"))) inline __m256i block_faults(__m256i now, __m256i before) {
    const __m256i nibble = _mm256_set1_epi8(0x0f);
    const __m256i joint = _mm256_permute2x128_si256(before, now, 0x21);   // upper half of before, lower half of now
    const __m256i one_back = _mm256_alignr_epi8(now, joint, 15);
    const __m256i one_back_high = _mm256_and_si256(_mm256_srli_epi16(one_back, 4), nibble);
    const __m256i now_high = _mm256_and_si256(_mm256_srli_epi16(now, 4), nibble);
    const __m256i a = _mm256_shuffle_epi8(wide_table(tables.first_high), one_back_high);
    const __m256i b = _mm256_shuffle_epi8(wide_table(tables.first_low), _mm256_and_si256(one_back, nibble));
    const __m256i c = _mm256_shuffle_epi8(wide_table(tables.second_high), now_high);
    // Top bit set: a lead of three or more bytes is two back, a lead of four bytes three back.
    const __m256i third = _mm256_subs_epu8(_mm256_alignr_epi8(now, joint, 14), _mm256_set1_epi8(0x60));
    const __m256i fourth = _mm256_subs_epu8(_mm256_alignr_epi8(now, joint, 13), _mm256_set1_epi8(0x70));
    const __m256i must_continue = _mm256_and_si256(_mm256_or_si256(third, fourth), _mm256_set1_epi8(static_cast<char>(0x80)));
    return _mm256_xor_si256(must_continue, _mm256_and_si256(_mm256_and_si256(a, b), c));
}

__attribute__((target("avx2"))) bool valid_avx2(const char* p, const char* end) {
    __m256i before = _mm256_setzero_si256(), faults = _mm256_setzero_si256();
    bool before_ascii = true;
    for (; end - p >= 32; p += 32) {
        const __m256i now = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(p));
        const bool ascii = _mm256_movemask_epi8(now) == 0;
        if (!ascii || !before_ascii) faults = _mm256_or_si256(faults, block_faults(now, before));
        before = now;
        before_ascii = ascii;
    }
    char rest[32] = {};   // zeros behind the text: a character cut short shows as one that is not continued
    if (p < end) std::memcpy(rest, p, static_cast<size_t>(end - p));
    faults = _mm256_or_si256(faults, block_faults(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(rest)), before));
    return _mm256_testz_si256(faults, faults) != 0;
}
#endif

}  // namespace

size_t utf8_valid_prefix(std::string_view text) {
    const auto* p = reinterpret_cast<const unsigned char*>(text.data());
    size_t at = 0;
    while (at < text.size()) {
        const size_t n = character(p + at, text.size() - at);
        if (n == 0) break;
        at += n;
    }
    return at;
}

bool utf8_valid(std::string_view text) {
    const char *p = text.data(), *end = p + text.size();
    if (text.size() < 64) return ascii_only(p, end) || utf8_valid_prefix(text) == text.size();
#if defined(__x86_64__)
    static const bool avx2 = __builtin_cpu_supports("avx2");
    if (avx2) return valid_avx2(p, end);
#endif
    while (end - p >= 64 && ascii_only(p, p + 64)) p += 64;
    const std::string_view rest(p, static_cast<size_t>(end - p));
    return utf8_valid_prefix(rest) == rest.size();
}

void append_utf8(std::string& out, uint32_t c) {
    if (c > 0x10ffff || (c >= 0xd800 && c <= 0xdfff)) c = 0xfffd;
    auto put = [&](uint32_t byte) { out.push_back(static_cast<char>(byte)); };
    auto cont = [&](int shift) { put(0x80 | ((c >> shift) & 0x3f)); };
    if (c < 0x80) put(c);
    else if (c < 0x800) put(0xc0 | c >> 6), cont(0);
    else if (c < 0x10000) put(0xe0 | c >> 12), cont(6), cont(0);
    else put(0xf0 | c >> 18), cont(12), cont(6), cont(0);
}

}  // namespace weir
