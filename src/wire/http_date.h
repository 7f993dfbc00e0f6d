// The Date field's value, formatted once a second.
#pragma once
#include <string_view>

#include "base/clock.h"

namespace weir {

// One per core. "Sat, 21 Nov 2026 07:21:33 GMT" (RFC 9110 5.6.7), always 29 characters.
class HttpDate {
public:
    // The view is good until the next call.
    std::string_view at(UnixMs wall) {
        if (const uint64_t second = wall / 1000; second != second_) format(second);
        return {text_, sizeof text_};
    }

private:
    static void two(char* to, uint64_t n) {
        to[0] = static_cast<char>('0' + n / 10);
        to[1] = static_cast<char>('0' + n % 10);
    }
    static void three(char* to, std::string_view names, uint64_t index) { names.substr(3 * index, 3).copy(to, 3); }
    void format(uint64_t second) {
        second_ = second;
        const uint64_t days = second / 86'400, rest = second % 86'400;
        // Days to a date in a calendar whose years begin in March, so that the leap day comes last (after H. Hinnant).
        const uint64_t shifted = days + 719'468, era = shifted / 146'097, day_of_era = shifted % 146'097;
        const uint64_t year_of_era = (day_of_era - day_of_era / 1'460 + day_of_era / 36'524 - day_of_era / 146'096) / 365;
        const uint64_t day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
        const uint64_t from_march = (5 * day_of_year + 2) / 153;
        const uint64_t month = from_march < 10 ? from_march + 2 : from_march - 10;   // January is 0
        const uint64_t year = year_of_era + era * 400 + (month < 2 ? 1 : 0);
        three(text_, "ThuFriSatSunMonTueWed", days % 7);
        two(text_ + 5, day_of_year - (153 * from_march + 2) / 5 + 1);
        three(text_ + 8, "JanFebMarAprMayJunJulAugSepOctNovDec", month);
        two(text_ + 12, year / 100), two(text_ + 14, year % 100);
        two(text_ + 17, rest / 3'600), two(text_ + 20, rest / 60 % 60), two(text_ + 23, rest % 60);
    }

    uint64_t second_ = ~uint64_t{0};
    char text_[29] = {'D', 'a', 'y', ',', ' ', 'd', 'd', ' ', 'M', 'o', 'n', ' ', 'y', 'e', 'a',
                      'r', ' ', 'h', 'h', ':', 'm', 'm', ':', 's', 's', ' ', 'G', 'M', 'T'};
};

}  // namespace weir
