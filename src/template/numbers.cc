#include "template/numbers.h"

#include <algorithm>
#include <bit>
#include <charconv>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <limits>
#include <string>
#include <vector>

#include "template/unicode.h"

namespace weir::jinja {
namespace {

// Digits of all scripts as ASCII; other characters beyond ASCII make it no number.
std::optional<std::string> plain_digits(Str text) {
    text = unicode::strip(text, true, true);
    std::string out;
    for (size_t at = 0; at < text.size();) {
        const uint32_t c = unicode::next(text, at);
        const int digit = unicode::digit_value(c);
        if (digit >= 0) out.push_back(static_cast<char>('0' + digit));
        else if (c < 0x80) out.push_back(static_cast<char>(c));
        else return std::nullopt;
    }
    return out;
}
// Takes the underscores out; false when one does not stand between digits.
bool drop_underscores(std::string& s) {
    std::string out;
    auto alnum = [](char c) { return (c >= '0' && c <= '9') || ((c | 0x20) >= 'a' && (c | 0x20) <= 'z'); };
    for (size_t i = 0; i < s.size(); ++i) {
        if (s[i] != '_') out.push_back(s[i]);
        else if (i == 0 || i + 1 == s.size() || !alnum(s[i - 1]) || !alnum(s[i + 1])) return false;
    }
    s = std::move(out);
    return true;
}

constexpr size_t bigint_digits_max = 4'300;   // Python's own limit for reading decimal ones

// Digits of any base as decimal ones; empty: more than Python reads.
std::string decimal(Str digits, int base) {
    constexpr uint64_t limb = 1'000'000'000;
    digits.remove_prefix(std::min(digits.find_first_not_of('0'), digits.size()));
    if (digits.size() > bigint_digits_max) {
        if (std::has_single_bit(static_cast<unsigned>(base))) too_big();   // these Python reads in any length
        return {};
    }
    if (base == 10) return std::string(digits);
    std::vector<uint64_t> limbs;   // the lowest first
    for (const char c : digits) {
        uint64_t carry = static_cast<uint64_t>(c <= '9' ? c - '0' : (c | 0x20) - 'a' + 10);
        for (uint64_t& l : limbs) {
            const uint64_t n = l * static_cast<uint64_t>(base) + carry;
            l = n % limb;
            carry = n / limb;
        }
        if (carry) limbs.push_back(carry);
    }
    std::string text = limbs.empty() ? "0" : std::to_string(limbs.back());
    for (size_t k = limbs.size(); k-- > 1;) {
        const std::string part = std::to_string(limbs[k - 1]);
        text.append(9 - part.size(), '0').append(part);
    }
    return text;
}

}  // namespace

void too_big() { raise(Error::overflow, "integers beyond 64 bits are not calculated with"); }

double real_of_bigint(Str digits) {
    const double d = std::strtod(std::string(digits).c_str(), nullptr);
    if (std::isinf(d)) raise(Error::overflow, "int too large to convert to float");
    return d;
}

Value whole(Heap& heap, double d) {
    if (d >= -0x1p63 && d < 0x1p63) return Value::integer(static_cast<int64_t>(d));
    char text[400];
    const int n = std::snprintf(text, sizeof text, "%.0f", d);   // exact: all its digits are known
    return Value::bigint(heap.copy({text, static_cast<size_t>(n)}));
}

Value negated(Heap& heap, Value v) {
    constexpr Str top = "9223372036854775808";
    if (v.is(Kind::bigint)) {
        if (v.str() == top) return Value::integer(INT64_MIN);
        return Value::bigint(v.s[0] == '-' ? v.str().substr(1) : heap.concat("-", v.str()));
    }
    return v.i == INT64_MIN ? Value::bigint(top) : Value::integer(-v.i);
}

double quotient(int64_t a, int64_t b) {
    const auto size = [](int64_t n) { return n < 0 ? 0 - static_cast<uint64_t>(n) : static_cast<uint64_t>(n); };
    const uint64_t x = size(a), y = size(b);
    if ((x | y) <= uint64_t{1} << 53) return static_cast<double>(a) / static_cast<double>(b);
    // At least 56 bits of the quotient; the last one says whether there are more.
    const int shift = std::max(0, 56 + std::countl_zero(x) - std::countl_zero(y));
    const unsigned __int128 top = static_cast<unsigned __int128>(x) << shift;
    const auto bits = static_cast<uint64_t>(top / y) | (top % y != 0);
    const double d = std::ldexp(static_cast<double>(bits), -shift);
    return (a < 0) != (b < 0) ? -d : d;
}

std::optional<int64_t> parse_int(Str text, int base, std::string* big) {
    if (big) big->clear();
    auto plain = plain_digits(text);
    if (!plain || !drop_underscores(*plain)) return std::nullopt;
    Str s = *plain;
    const bool negative = !s.empty() && s[0] == '-';
    if (!s.empty() && (s[0] == '-' || s[0] == '+')) s.remove_prefix(1);
    const char letter = s.size() > 2 && s[0] == '0' ? static_cast<char>(s[1] | 0x20) : '\0';
    const int prefix = letter == 'x' ? 16 : letter == 'o' ? 8 : letter == 'b' ? 2 : 0;
    if (prefix && (base == 0 || base == prefix)) {
        s.remove_prefix(2);
        base = prefix;
    }
    if (base == 0) {
        if (s.size() > 1 && s[0] == '0' && s.find_first_not_of('0') != Str::npos) return std::nullopt;
        base = 10;
    }
    if (s.empty()) return std::nullopt;
    uint64_t n = 0;
    const auto [end, error] = std::from_chars(s.data(), s.data() + s.size(), n, base);
    if (end != s.data() + s.size() || s[0] == '-' || s[0] == '+') return std::nullopt;
    const uint64_t top = static_cast<uint64_t>(std::numeric_limits<int64_t>::max()) + (negative ? 1 : 0);
    if (error == std::errc::result_out_of_range || n > top) {
        if (big && !(*big = decimal(s, base)).empty() && negative) big->insert(0, "-");
        return std::nullopt;
    }
    return negative ? static_cast<int64_t>(0 - n) : static_cast<int64_t>(n);
}

std::optional<double> parse_real(Str text) {
    auto plain = plain_digits(text);
    if (!plain || plain->empty() || !drop_underscores(*plain)) return std::nullopt;
    Str s = *plain;
    const bool negative = s[0] == '-';
    if (s[0] == '-' || s[0] == '+') s.remove_prefix(1);
    if (s.empty() || s[0] == '-' || s[0] == '+') return std::nullopt;
    std::string low(s);
    for (char& c : low) c = c >= 'A' && c <= 'Z' ? static_cast<char>(c | 0x20) : c;
    double d = 0;
    if (low == "inf" || low == "infinity") d = std::numeric_limits<double>::infinity();
    else if (low == "nan") d = std::numeric_limits<double>::quiet_NaN();
    else {
        if (low.find_first_not_of("0123456789.e+-") != std::string::npos) return std::nullopt;
        char* end = nullptr;
        d = std::strtod(low.c_str(), &end);
        if (end != low.c_str() + low.size()) return std::nullopt;
    }
    return negative ? -d : d;
}

}  // namespace weir::jinja
