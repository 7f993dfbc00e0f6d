// Python's format specifications: format(value, "<spec>"), and what "%" shares with it.
#pragma once
#include "template/render.h"

namespace weir::jinja {

struct FormatSpec {
    Str fill = " ";
    char align = 0;              // < > ^ =
    char sign = '-';             // - + or blank
    bool alternate = false, zero = false;
    int64_t width = 0, precision = -1;
    char grouping = 0;           // , or _
    char type = 0;
};
void write_formatted(Render&, Value, Str spec);                        // what format() gives
void write_int_as(Render&, Value, const FormatSpec&);                  // d b o x X c n
void write_real_as(Render&, double, const FormatSpec&);                // e f g % and none
void write_text_as(Render&, Str, const FormatSpec&);

}  // namespace weir::jinja
