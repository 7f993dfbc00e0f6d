#include "template/strftime.h"

#include <array>
#include <cstdio>
#include <ctime>

namespace weir::jinja {
namespace {

std::tm broken_down(const LocalTime& t) {
    std::tm tm{};
    tm.tm_year = t.year - 1900;
    tm.tm_mon = t.month - 1;
    tm.tm_mday = t.day;
    tm.tm_hour = t.hour;
    tm.tm_min = t.minute;
    tm.tm_sec = t.second;
    // Days since 1970 by the civil calendar, for the days of the week and the year.
    auto days = [](int64_t y, int64_t m, int64_t d) {
        y -= m <= 2;
        const int64_t era = (y >= 0 ? y : y - 399) / 400, year = y - era * 400, day = (153 * (m + (m > 2 ? -3 : 9)) + 2) / 5 + d - 1;
        return era * 146097 + year * 365 + year / 4 - year / 100 + day - 719468;
    };
    const int64_t here = days(t.year, t.month, t.day);
    tm.tm_wday = static_cast<int>(((here + 4) % 7 + 7) % 7);
    tm.tm_yday = static_cast<int>(here - days(t.year, 1, 1));
    tm.tm_isdst = -1;
    return tm;
}

}  // namespace

void write_time(Out& out, Str format, const LocalTime& t) {
    const std::tm tm = broken_down(t);
    for (size_t i = 0; i < format.size(); ++i) {
        if (format[i] != '%' || i + 1 == format.size()) {
            out.put(format[i]);
            continue;
        }
        size_t end = i + 1;
        while (end + 1 < format.size() && Str("-_0^#").find(format[end]) != Str::npos) ++end;
        const char what = format[end];
        if (what == 'f') {
            char digits[16];
            out.write({digits, static_cast<size_t>(std::snprintf(digits, sizeof digits, "%06d", t.microsecond))});
        } else if (what == 'z' || what == 'Z' || what == ':') {
            if (what == ':' && end + 1 < format.size() && format[end + 1] == 'z') ++end;   // a time without zone shows none
        } else if (what == 's') {
            write_int(out, static_cast<int64_t>(timegm(const_cast<std::tm*>(&tm))));
        } else {
            const std::string one(format.substr(i, end - i + 1));
            std::array<char, 256> text;
            const size_t n = Str("aAbBcdDeFgGhHIjklmMnpPrRStTuUVwWxXyYC%").find(what) == Str::npos
                                 ? 0
                                 : std::strftime(text.data(), text.size(), one.c_str(), &tm);
            if (n) out.write({text.data(), n});
            else if (what != 'p' && what != 'P') out.write(one);
        }
        i = end;
    }
}

std::optional<LocalTime> parse_time(Str iso) {
    LocalTime t{0, 0, 0, 0, 0, 0, 0};
    auto number = [&](size_t at, size_t n, int& to) {
        to = 0;
        for (size_t k = at; k < at + n; ++k) {
            if (k >= iso.size() || iso[k] < '0' || iso[k] > '9') return false;
            to = to * 10 + (iso[k] - '0');
        }
        return true;
    };
    auto is = [&](size_t at, char c) { return at < iso.size() && iso[at] == c; };
    if (!number(0, 4, t.year) || !is(4, '-') || !number(5, 2, t.month) || !is(7, '-') || !number(8, 2, t.day)) return std::nullopt;
    size_t end = 10;
    if (is(10, 'T') || is(10, ' ')) {
        if (!number(11, 2, t.hour) || !is(13, ':') || !number(14, 2, t.minute)) return std::nullopt;
        end = 16;
        if (is(16, ':')) {
            if (!number(17, 2, t.second)) return std::nullopt;
            end = 19;
        }
        if (is(end, '.')) {
            int scale = 100'000;
            for (++end; end < iso.size() && iso[end] >= '0' && iso[end] <= '9'; ++end, scale /= 10) t.microsecond += (iso[end] - '0') * scale;
        }
    }
    const bool sane = t.month >= 1 && t.month <= 12 && t.day >= 1 && t.day <= 31 && t.hour < 24 && t.minute < 60 && t.second < 60 && t.year >= 1;
    return end == iso.size() && sane ? std::optional(t) : std::nullopt;
}

}  // namespace weir::jinja
