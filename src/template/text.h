// What Python does with strings, for filters and methods alike.
#pragma once
#include "template/render.h"

namespace weir::jinja {

enum class Case : uint8_t { upper, lower, title, capitalize, swap, fold };
Str change_case(Render&, Str, Case);
Str replaced(Render&, Str s, Str old, Str with, int64_t count);              // count < 0: all
Str strip_chars(Str s, Str chars, bool left, bool right);
std::span<const Value> split_lines(Render&, Str s, bool keep_ends);
Str padded(Render&, Str s, int64_t width, Str fill, int align);              // align < 0: text left, 0: centre, > 0: right; fill: one character
// Attributes along a dotted path ("a.b.0"), as filters take them.
class Getter {
public:
    Getter(Render&, Value attribute, Value otherwise = {});                  // attribute: None, an int or a string
    Value operator()(Value item) const;

private:
    Render& r_;
    std::vector<Value> parts_;
    Value otherwise_;
};
Value folded(Render&, Value);                                                // strings in lower case, others as they are
void write_pretty(Render&, Value);                                           // pprint.pformat

}  // namespace weir::jinja
