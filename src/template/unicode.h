// What Python's str methods know about characters. unicode_classes.cc and unicode_cases.cc are generated (make_unicode.py); Unicode 14, as in Python 3.11.
#pragma once
#include <cstddef>
#include <cstdint>
#include <string_view>

namespace weir::jinja::unicode {

struct Range { uint32_t first, last; };
struct Run { uint32_t first, last, stride; int32_t delta; };   // every stride-th character of first..last moves by delta
struct Several { uint32_t from, to[3]; };                      // unused places of `to` are 0

enum class Property : uint8_t { space, unprintable, alpha, decimal, digit, numeric, upper, lower, title, id_start, id_continue, cased, ignorable };
enum class Change : uint8_t { upper, lower, title, fold };

bool has(Property, uint32_t c);
// Writes what `c` becomes, one to three characters; gives their number. The final sigma is the caller's.
size_t change(Change, uint32_t c, uint32_t to[3]);
int digit_value(uint32_t c);   // of a decimal digit of any script, else -1

inline bool space(uint32_t c) { return c < 0x80 ? (c == ' ' || (c >= 9 && c <= 13) || (c >= 0x1c && c <= 0x1f)) : has(Property::space, c); }
inline bool printable(uint32_t c) { return c < 0x7f ? c >= 0x20 : !has(Property::unprintable, c); }

// The character at `at`, which moves behind it. Broken UTF-8 gives U+FFFD for a byte.
inline uint32_t next(std::string_view s, size_t& at) {
    const auto byte = [&](size_t i) -> uint32_t { return i < s.size() ? static_cast<unsigned char>(s[i]) : 0; };
    const uint32_t c = byte(at);
    if (c < 0x80) return ++at, c;
    const auto cont = [&](size_t i) { return (byte(i) & 0xc0) == 0x80; };
    if (c >= 0xc2 && c < 0xe0 && cont(at + 1)) return at += 2, (c & 0x1f) << 6 | (byte(at - 1) & 0x3f);
    if (c >= 0xe0 && c < 0xf0 && cont(at + 1) && cont(at + 2)) return at += 3, (c & 0x0f) << 12 | (byte(at - 2) & 0x3f) << 6 | (byte(at - 1) & 0x3f);
    if (c >= 0xf0 && c < 0xf5 && cont(at + 1) && cont(at + 2) && cont(at + 3))
        return at += 4, (c & 0x07) << 18 | (byte(at - 3) & 0x3f) << 12 | (byte(at - 2) & 0x3f) << 6 | (byte(at - 1) & 0x3f);
    return ++at, 0xfffd;
}
inline uint32_t previous(std::string_view s, size_t& at) {   // at > 0; moves before the character
    size_t from = at - 1;
    while (from > 0 && at - from < 4 && (static_cast<unsigned char>(s[from]) & 0xc0) == 0x80) --from;
    size_t end = from;
    const uint32_t c = next(s, end);
    if (end != at) return --at, 0xfffd;
    at = from;
    return c;
}

std::string_view strip(std::string_view, bool left, bool right);   // white space as Python has it

#define WEIR_UNICODE_TABLE(type, name) \
    extern const type name[];          \
    extern const size_t name##_size
WEIR_UNICODE_TABLE(Range, spaces);
WEIR_UNICODE_TABLE(Range, unprintable);
WEIR_UNICODE_TABLE(Range, alpha);
WEIR_UNICODE_TABLE(Range, decimal);
WEIR_UNICODE_TABLE(Range, digit);
WEIR_UNICODE_TABLE(Range, numeric);
WEIR_UNICODE_TABLE(Range, upper);
WEIR_UNICODE_TABLE(Range, lower);
WEIR_UNICODE_TABLE(Range, title);
WEIR_UNICODE_TABLE(Range, id_start);
WEIR_UNICODE_TABLE(Range, id_continue);
WEIR_UNICODE_TABLE(Range, cased);
WEIR_UNICODE_TABLE(Range, ignorable);
WEIR_UNICODE_TABLE(Run, to_upper);
WEIR_UNICODE_TABLE(Run, to_lower);
WEIR_UNICODE_TABLE(Run, to_title);
WEIR_UNICODE_TABLE(Run, to_fold);
WEIR_UNICODE_TABLE(Several, to_upper_several);
WEIR_UNICODE_TABLE(Several, to_lower_several);
WEIR_UNICODE_TABLE(Several, to_title_several);
WEIR_UNICODE_TABLE(Several, to_fold_several);
#undef WEIR_UNICODE_TABLE

}  // namespace weir::jinja::unicode
