#include "tokenizer/unicode_grapheme.h"

#include "tokenizer/unicode_blocks.h"
#include "tokenizer/unicode_data.h"
#include "tokenizer/unicode_tables.h"
#include "tokenizer/unicode_utf8.h"

namespace weir::tok::unicode {
namespace {

// As tools/unicode_tables.py numbers them.
enum Break : uint8_t { other, cr, lf, control, extend, zwj, regional, prepend, spacing, l, v, t, lv, lvt, picture };

Break break_of(char32_t c) {
    static const Blocks<uint8_t> table = read_runs(data::graphemes);
    return static_cast<Break>(table[c]);
}

// Rules GB3 to GB13 except those that look further back than one character.
bool joined(Break a, Break b) {
    if (a == cr) return b == lf;
    if (a == lf || a == control || b == cr || b == lf || b == control) return false;
    if (b == extend || b == zwj || b == spacing || a == prepend) return true;
    if (a == l) return b == l || b == v || b == lv || b == lvt;
    if (a == lv || a == v) return b == v || b == t;
    if (a == lvt || a == t) return b == t;
    return false;
}

}  // namespace

size_t grapheme_len(std::string_view text) {
    if (text.empty()) return 0;
    const char *p = text.data(), *end = p + text.size();
    char32_t c = next_point(p);
    if (c < 0x80 && c != '\r' && (p == end || static_cast<uint8_t>(*p) < 0x80)) return 1;
    Break last = break_of(c);
    bool flag_open = last == regional;                                   // GB12: flags are pairs
    bool picture_open = last == picture, after_zwj = false;              // GB11: picture, extends, joiner, picture
    while (p < end) {
        const char* next = p;
        c = next_point(next);
        const Break b = break_of(c);
        bool join = joined(last, b);
        if (!join && b == regional && last == regional && flag_open) join = true, flag_open = false;
        else if (b == regional && last != regional) flag_open = join;
        if (!join && b == picture && after_zwj && picture_open) join = true;
        if (!join) break;
        after_zwj = b == zwj;
        if (b == picture) picture_open = true;
        else if (b != extend && b != zwj) picture_open = false;
        last = b;
        p = next;
    }
    return static_cast<size_t>(p - text.data());
}

}  // namespace weir::tok::unicode
