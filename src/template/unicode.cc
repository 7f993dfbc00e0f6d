#include "template/unicode.h"

#include <algorithm>

namespace weir::jinja::unicode {

bool has(Property p, uint32_t c) {
    struct Table { const Range* rows; size_t size; };
    static const Table tables[] = {{spaces, spaces_size}, {unprintable, unprintable_size}, {alpha, alpha_size}, {decimal, decimal_size},
                                   {digit, digit_size}, {numeric, numeric_size}, {upper, upper_size}, {lower, lower_size}, {title, title_size},
                                   {id_start, id_start_size}, {id_continue, id_continue_size}, {cased, cased_size}, {ignorable, ignorable_size}};
    const Table& t = tables[static_cast<size_t>(p)];
    const Range* row = std::upper_bound(t.rows, t.rows + t.size, c, [](uint32_t x, const Range& r) { return x < r.first; });
    return row != t.rows && c <= row[-1].last;
}

size_t change(Change how, uint32_t c, uint32_t to[3]) {
    struct Table { const Run* runs; size_t size; const Several* several; size_t several_size; };
    static const Table tables[] = {{to_upper, to_upper_size, to_upper_several, to_upper_several_size},
                                   {to_lower, to_lower_size, to_lower_several, to_lower_several_size},
                                   {to_title, to_title_size, to_title_several, to_title_several_size},
                                   {to_fold, to_fold_size, to_fold_several, to_fold_several_size}};
    to[0] = c;
    if (c < 0x80) {
        const bool is_upper = c >= 'A' && c <= 'Z', is_lower = c >= 'a' && c <= 'z', up = how == Change::upper || how == Change::title;
        if (up ? is_lower : is_upper) to[0] = c ^ 0x20;
        return 1;
    }
    const Table& t = tables[static_cast<size_t>(how)];
    const Several* s = std::lower_bound(t.several, t.several + t.several_size, c, [](const Several& row, uint32_t x) { return row.from < x; });
    if (s != t.several + t.several_size && s->from == c) {
        size_t n = 0;
        while (n < 3 && s->to[n]) to[n] = s->to[n], ++n;
        return n;
    }
    const Run* run = std::upper_bound(t.runs, t.runs + t.size, c, [](uint32_t x, const Run& r) { return x < r.first; });
    if (run != t.runs && c <= run[-1].last && (c - run[-1].first) % run[-1].stride == 0)
        to[0] = static_cast<uint32_t>(static_cast<int32_t>(c) + run[-1].delta);
    return 1;
}

int digit_value(uint32_t c) {
    if (c < 0x80) return c >= '0' && c <= '9' ? static_cast<int>(c - '0') : -1;
    // Decimal digits stand in runs of ten, from nought to nine; one run of the tables may hold several.
    const Range* row = std::upper_bound(decimal, decimal + decimal_size, c, [](uint32_t x, const Range& r) { return x < r.first; });
    if (row == decimal || c > row[-1].last) return -1;
    return static_cast<int>((c - row[-1].first) % 10);
}

std::string_view strip(std::string_view s, bool left, bool right) {
    size_t from = 0, to = s.size();
    while (left && from < to) {
        size_t at = from;
        if (!space(next(s, at))) break;
        from = at;
    }
    while (right && to > from) {
        size_t at = to;
        if (!space(previous(s.substr(0, to), at))) break;
        to = at;
    }
    return s.substr(from, to - from);
}

}  // namespace weir::jinja::unicode
