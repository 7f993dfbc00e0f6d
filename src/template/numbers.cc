#include "template/numbers.h"

#include <charconv>
#include <cstdlib>
#include <limits>
#include <string>

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

}  // namespace

std::optional<int64_t> parse_int(Str text, int base, bool* big) {
    if (big) *big = false;
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
        if (big) *big = true;
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
