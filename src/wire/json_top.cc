#include "wire/json_top.h"

#include <algorithm>
#include <array>
#include <bit>
#include <charconv>
#include <cstring>

#include "base/limits.h"
#include "wire/chars.h"
#include "wire/utf8.h"

namespace weir {
namespace {

// serde_json's words; clients and SMG's own tests know them.
namespace say {
constexpr const char* eof_value = "EOF while parsing a value";
constexpr const char* eof_list = "EOF while parsing a list";
constexpr const char* eof_object = "EOF while parsing an object";
constexpr const char* eof_string = "EOF while parsing a string";
constexpr const char* colon = "expected `:`";
constexpr const char* comma_list = "expected `,` or `]`";
constexpr const char* comma_object = "expected `,` or `}`";
constexpr const char* ident = "expected ident";
constexpr const char* value = "expected value";
constexpr const char* escape = "invalid escape";
constexpr const char* number = "invalid number";
constexpr const char* range = "number out of range";
constexpr const char* unicode = "invalid unicode code point";
constexpr const char* control = "control character (\\u0000-\\u001F) found while parsing a string";
constexpr const char* key = "key must be a string";
constexpr const char* surrogate = "lone leading surrogate in hex escape";
constexpr const char* hex_end = "unexpected end of hex escape";
constexpr const char* trailing_comma = "trailing comma";
constexpr const char* trailing = "trailing characters";
constexpr const char* depth = "recursion limit exceeded";
constexpr const char* members = "too many members";
}  // namespace say

class Scanner {
public:
    explicit Scanner(std::string_view text) : p_(text.data()), begin_(p_), end_(p_ + text.size()) {}

    Result<TopScan> top(std::span<Member> out);
    bool whole();                        // one value and nothing behind it
    Failure failure() const;

private:
    enum class After : uint8_t { bad, more, closed };

    bool fail(const char* why, const char* at) {   // `at`: how far the reader has come, the column it reports
        why_ = why, at_ = std::min(at, end_);
        return false;
    }
    bool fail_peek(const char* why) { return fail(why, p_ + 1); }   // at the byte looked at but not taken
    bool blank(const char* eof_why) {                               // skips blanks; the end is an error
        while (p_ < end_ && (*p_ == ' ' || *p_ == '\n' || *p_ == '\r' || *p_ == '\t')) ++p_;
        return p_ < end_ || fail_peek(eof_why);
    }
    bool value();
    bool scalar();
    bool literal(std::string_view rest);
    bool number();
    bool number_in_range(const char* from);
    bool string();
    bool closed_string(const char* start, bool high);
    bool escape();
    bool hex4(unsigned& out);
    bool open();
    bool key_and_colon();
    bool end_of_text() {
        while (p_ < end_ && (*p_ == ' ' || *p_ == '\n' || *p_ == '\r' || *p_ == '\t')) ++p_;
        return p_ == end_ || fail_peek(say::trailing);
    }
    bool in_object() const { return containers_[depth_ - 1]; }
    After first();
    After next();
    Failure not_an_object(const char* at, char c) const;
    std::string placed(std::string why, const char* at) const;
    Span span(const char* from, const char* to) const {
        return {static_cast<uint32_t>(from - begin_), static_cast<uint32_t>(to - from)};
    }

    const char* p_;
    const char* begin_;
    const char* end_;
    const char* why_ = "";
    const char* at_ = nullptr;
    bool escaped_ = false;               // the last string had a backslash
    Span key_;                           // the last key
    uint32_t depth_ = 0;
    std::array<bool, limits::json_depth_max> containers_;   // true: object
};

#if defined(__SSE2__)
// Bit i set: byte i of the 16 (64) at p is a quote, a backslash or a control character. `high` collects the bytes' top bits.
inline uint64_t special16(const char* p, __m128i& high) {
    const __m128i v = _mm_loadu_si128(reinterpret_cast<const __m128i*>(p));
    const __m128i control = _mm_cmpeq_epi8(_mm_min_epu8(v, _mm_set1_epi8(0x1f)), v);
    high = _mm_or_si128(high, v);
    return static_cast<unsigned>(_mm_movemask_epi8(
        _mm_or_si128(_mm_or_si128(_mm_cmpeq_epi8(v, _mm_set1_epi8('"')), _mm_cmpeq_epi8(v, _mm_set1_epi8('\\'))), control)));
}
inline uint64_t special64(const char* p, __m128i& high) {
    return special16(p, high) | special16(p + 16, high) << 16 | special16(p + 32, high) << 32 | special16(p + 48, high) << 48;
}
constexpr bool simple_escape(char c) {
    return c == 'n' || c == '"' || c == '\\' || c == 't' || c == 'r' || c == '/' || c == 'b' || c == 'f';
}
#endif

bool Scanner::closed_string(const char* start, bool high) {
    ++p_;
    return !high || utf8_valid({start, static_cast<size_t>(p_ - 1 - start)}) || fail(say::unicode, p_);
}

// At the opening quote. Leaves p_ behind the closing one. Blocks of 16, then of 64, then the last bytes of the text one by one.
bool Scanner::string() {
    const char* start = ++p_;
    bool high = false;
    escaped_ = false;
#if defined(__SSE2__)
    __m128i high_bits = _mm_setzero_si128();
    for (ptrdiff_t wide = 16; end_ - p_ >= wide; wide = end_ - p_ >= 64 ? 64 : 16) {
        const char* block = p_;
        uint64_t mask = wide == 16 ? special16(block, high_bits) : special64(block, high_bits);
        p_ = block + wide;
        while (mask != 0) {
            const int bit = std::countr_zero(mask);
            const char* at = block + bit;
            if (*at == '\\' && bit + 1 < wide && simple_escape(at[1])) {
                escaped_ = true;
                mask &= ~(uint64_t{3} << bit);
                continue;
            }
            p_ = at;
            if (*at == '"') return closed_string(start, _mm_movemask_epi8(high_bits) != 0);
            if (*at != '\\') return fail(say::control, at + 1);
            if (!escape()) return false;
            if (p_ - block >= wide) break;   // the escape ends in the next block: start a new one there
            mask &= ~uint64_t{0} << (p_ - block);
            p_ = block + wide;
        }
    }
    high = _mm_movemask_epi8(high_bits) != 0;
#endif
    while (p_ < end_) {
        const auto c = static_cast<unsigned char>(*p_);
        if (c == '"') return closed_string(start, high);
        if (c < 0x20) return fail(say::control, p_ + 1);
        if (c != '\\') ++p_;
        else if (!escape()) return false;
        high |= c >= 0x80;
    }
    return fail(say::eof_string, end_);
}

bool Scanner::hex4(unsigned& out) {
    if (end_ - p_ < 4) return fail(say::eof_string, end_);
    out = 0;
    bool good = true;
    for (int i = 0; i < 4; ++i, ++p_) {
        const int digit = chars::hex_value(*p_);
        good = good && digit >= 0;
        out = out << 4 | static_cast<unsigned>(digit & 15);
    }
    return good || fail(say::escape, p_);
}

// At the backslash. Leaves p_ behind the escape; surrogates must come in pairs.
bool Scanner::escape() {
    escaped_ = true;
    if (++p_ == end_) return fail(say::eof_string, end_);
    switch (*p_++) {
        case '"': case '\\': case '/': case 'b': case 'f': case 'n': case 'r': case 't': return true;
        case 'u': break;
        default: return fail(say::escape, p_);
    }
    unsigned unit = 0, low = 0;
    if (!hex4(unit)) return false;
    if (unit < 0xd800 || unit > 0xdfff) return true;
    if (unit >= 0xdc00) return fail(say::surrogate, p_);
    for (char want : {'\\', 'u'}) {
        if (p_ == end_) return fail(say::eof_string, end_);
        if (*p_++ != want) return fail(say::hex_end, p_);
    }
    if (!hex4(low)) return false;
    return (low >= 0xdc00 && low <= 0xdfff) || fail(say::surrogate, p_);
}

bool Scanner::literal(std::string_view rest) {
    ++p_;
    for (char want : rest) {
        if (p_ == end_) return fail(say::eof_value, end_);
        if (*p_++ != want) return fail(say::ident, p_);
    }
    return true;
}

bool Scanner::number() {
    auto digits = [&] { while (p_ < end_ && chars::is(*p_, chars::digit)) ++p_; };
    const char* from = p_;
    if (*p_ == '-') ++p_;
    if (p_ == end_) return fail(say::eof_value, end_);
    if (!chars::is(*p_, chars::digit)) return fail(say::number, p_ + 1);
    if (*p_++ == '0') {
        if (p_ < end_ && chars::is(*p_, chars::digit)) return fail_peek(say::number);
    } else {
        digits();
    }
    bool plain = p_ - from < 300;
    if (p_ < end_ && *p_ == '.') {
        if (++p_ == end_) return fail_peek(say::eof_value);
        if (!chars::is(*p_, chars::digit)) return fail_peek(say::number);
        digits();
    }
    if (p_ < end_ && (*p_ == 'e' || *p_ == 'E')) {
        plain = false;
        if (++p_ < end_ && (*p_ == '+' || *p_ == '-')) ++p_;
        if (p_ == end_) return fail(say::eof_value, end_);
        if (!chars::is(*p_, chars::digit)) return fail(say::number, p_ + 1);
        digits();
    }
    return plain || number_in_range(from) || fail(say::range, p_);
}

// False when the number is above what a double holds. Tiny ones are zero, and fine.
bool Scanner::number_in_range(const char* from) {
    double parsed = 0;
    if (std::from_chars(from, p_, parsed).ec != std::errc::result_out_of_range) return true;
    const char* e = std::find_if(from, p_, [](char c) { return c == 'e' || c == 'E'; });
    const char* point = std::find(from, e, '.');
    const char* lead = std::find_if(from, e, [](char c) { return c >= '1' && c <= '9'; });
    long long power = lead < point ? point - lead : point + 1 - lead;   // decimal places before (or, negative, behind) the point
    if (e < p_) {
        long long exponent = 0;
        const char* digits = e[1] == '+' ? e + 2 : e + 1;
        constexpr long long far = 1LL << 40;   // beyond any count of digits a body can have
        if (std::from_chars(digits, p_, exponent).ec == std::errc::result_out_of_range) exponent = *digits == '-' ? -far : far;
        power += std::clamp(exponent, -far, far);
    }
    return power <= 0;
}

bool Scanner::scalar() {
    switch (*p_) {
        case '"': return string();
        case 't': return literal("rue");
        case 'f': return literal("alse");
        case 'n': return literal("ull");
        default: return *p_ == '-' || chars::is(*p_, chars::digit) ? number() : fail_peek(say::value);
    }
}

bool Scanner::open() {
    if (depth_ == containers_.size()) return fail_peek(say::depth);
    containers_[depth_++] = *p_++ == '{';
    return true;
}

bool Scanner::key_and_colon() {
    const char* from = p_ + 1;
    if (!string()) return false;
    key_ = span(from, p_ - 1);
    if (!blank(say::eof_object)) return false;
    if (*p_ != ':') return fail_peek(say::colon);
    ++p_;
    return true;
}

// Behind an opening bracket: is there a first element (then stand at its value), or is the container closed again?
Scanner::After Scanner::first() {
    const bool object = in_object();
    if (!blank(object ? say::eof_object : say::eof_list)) return After::bad;
    if (*p_ == (object ? '}' : ']')) {
        ++p_, --depth_;
        return After::closed;
    }
    if (!object) return After::more;
    if (*p_ != '"') return fail_peek(say::key), After::bad;
    return key_and_colon() ? After::more : After::bad;
}

// Behind an element: comma and the next one (then stand at its value), or the end of the container?
Scanner::After Scanner::next() {
    const bool object = in_object();
    if (!blank(object ? say::eof_object : say::eof_list)) return After::bad;
    if (*p_ == (object ? '}' : ']')) {
        ++p_, --depth_;
        return After::closed;
    }
    if (*p_ != ',') return fail_peek(object ? say::comma_object : say::comma_list), After::bad;
    ++p_;
    if (!blank(say::eof_value)) return After::bad;
    if (*p_ == (object ? '}' : ']')) return fail_peek(say::trailing_comma), After::bad;
    if (!object) return After::more;
    if (*p_ != '"') return fail_peek(say::key), After::bad;
    return key_and_colon() ? After::more : After::bad;
}

// One value with all that is in it; no recursion, the open brackets are in containers_.
bool Scanner::value() {
    const uint32_t floor = depth_;
    for (;;) {
        if (!blank(say::eof_value)) return false;
        if (*p_ == '{' || *p_ == '[') {
            if (!open()) return false;
            const After after = first();
            if (after == After::bad) return false;
            if (after == After::more) continue;
        } else if (!scalar()) {
            return false;
        }
        After after = After::closed;
        while (depth_ > floor && after == After::closed) after = next();
        if (after == After::bad) return false;
        if (after == After::closed) return true;
    }
}

bool Scanner::whole() { return value() && end_of_text(); }

Result<TopScan> Scanner::top(std::span<Member> out) {
    if (!blank(say::eof_value)) return failure();
    const char* start = p_;
    if (*p_ != '{') return whole() ? not_an_object(start, *start) : failure();
    TopScan found;
    open();
    for (After after = first(); after != After::closed; after = next()) {
        if (after == After::bad) return failure();
        if (found.members == out.size()) return fail_peek(say::members), failure();
        Member& member = out[found.members++];
        member.key = key_;
        found.escaped_keys |= escaped_;
        if (!blank(say::eof_value)) return failure();
        const char* from = p_;
        if (!value()) return failure();
        member.value = span(from, p_);
    }
    if (!end_of_text()) return failure();
    return found;
}

std::string Scanner::placed(std::string why, const char* at) const {
    const auto lines = std::count(begin_, at, '\n');
    const char* line = at;
    while (line > begin_ && line[-1] != '\n') --line;
    return why + " at line " + std::to_string(lines + 1) + " column " + std::to_string(at - line);
}

Failure Scanner::failure() const { return Failure(Code::bad_json, placed(why_, at_)); }

Failure Scanner::not_an_object(const char* at, char c) const {
    const char* kind = "number";
    if (c == '[') kind = "sequence";
    else if (c == '"') kind = "string";
    else if (c == 'n') kind = "null";
    else if (c == 't' || c == 'f') kind = "boolean";
    return Failure(Code::bad_field, placed(std::string("invalid type: ") + kind + ", expected an object", at + 1));
}

}  // namespace

Result<TopScan> scan_top(std::string_view body, std::span<Member> out) {
    if (body.size() > UINT32_MAX) return Failure(Code::too_large, "request body of 4 GiB or more");
    return Scanner(body).top(out);
}

Result<void> check_json(std::string_view text) {
    Scanner scanner(text);
    if (!scanner.whole()) return scanner.failure();
    return {};
}

}  // namespace weir
