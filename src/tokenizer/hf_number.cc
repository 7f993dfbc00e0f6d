#include "tokenizer/hf_number.h"

#include <array>
#include <charconv>
#include <cstdint>
#include <limits>
#include <string>

namespace weir::tok {
namespace {

const std::array<double, 309>& powers_of_ten() {
    static const std::array<double, 309> table = [] {
        std::array<double, 309> out{};
        for (int i = 0; i < 309; i++) {
            const std::string text = "1e" + std::to_string(i);
            std::from_chars(text.data(), text.data() + text.size(), out[static_cast<size_t>(i)]);
        }
        return out;
    }();
    return table;
}

double scaled(uint64_t significand, int64_t exponent) {
    auto value = static_cast<double>(significand);
    while (exponent < -308 && value != 0) value /= 1e308, exponent += 308;
    if (value == 0) return value;
    if (exponent > 308) return std::numeric_limits<double>::infinity();
    const double power = powers_of_ten()[static_cast<size_t>(exponent < 0 ? -exponent : exponent)];
    return exponent < 0 ? value / power : value * power;
}

}  // namespace

double reference_double(std::string_view number) {
    const bool negative = number.starts_with('-');
    size_t at = negative ? 1 : 0;
    const auto digit = [&] { return at < number.size() && number[at] >= '0' && number[at] <= '9'; };
    uint64_t significand = 0;
    int64_t exponent = 0;
    bool full = false;                         // the significand takes no more digits: those that follow only shift, or do not count
    const auto take = [&](int64_t shift_if_taken, int64_t shift_if_not) {
        const auto next = static_cast<uint64_t>(number[at++] - '0');
        full |= significand > (std::numeric_limits<uint64_t>::max() - next) / 10;
        if (!full) significand = significand * 10 + next;
        exponent += full ? shift_if_not : shift_if_taken;
    };
    while (digit()) take(0, 1);
    if (at < number.size() && number[at] == '.') {
        // Behind the point the reference tries again to add a digit, and stops at the first that does not fit.
        full = false;
        for (at++; digit();) take(-1, 0);
    }
    if (at < number.size() && (number[at] == 'e' || number[at] == 'E')) {
        at++;
        const bool down = at < number.size() && number[at] == '-';
        if (at < number.size() && (number[at] == '-' || number[at] == '+')) at++;
        int64_t power = 0;
        for (; digit(); at++) power = power < 1'000'000'000 ? power * 10 + (number[at] - '0') : power;
        exponent += down ? -power : power;
    }
    const double value = scaled(significand, exponent);
    return negative ? -value : value;
}

}  // namespace weir::tok
