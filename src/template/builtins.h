// The names a template may use: filters, tests, functions, methods. One table each, searched when a template is compiled.
#pragma once
#include <span>

#include "template/value.h"

namespace weir::jinja {

class Render;

struct NamedValue { Str name; Value value; };
struct Args {
    std::span<const Value> plain;
    std::span<const NamedValue> keywords;
};

struct FilterRow {
    Str name;
    Value (*run)(Render&, Value subject, const Args&);
};
struct CheckRow {
    Str name;
    bool (*run)(Render&, Value subject, const Args&);
};

const FilterRow* find_filter(Str name);   // null: there is none
const CheckRow* find_check(Str name);

// tojson: what it gives is mostly printed, so it can write straight into the output.
bool writes_itself(const FilterRow&);
void write_filter(Render&, Value subject, const Args&);

std::span<const FilterRow> text_filters();       // filters_text.cc
std::span<const FilterRow> layout_filters();     // filters_layout.cc
std::span<const FilterRow> list_filters();       // filters_list.cc
std::span<const FilterRow> select_filters();     // filters_select.cc
std::span<const FilterRow> number_filters();     // filters_number.cc

// Attributes that Python's own types have; a template may call some of them.
using MethodId = uint16_t;
MethodId find_method(Kind, Str name);            // 0: the type has no such attribute
struct MethodRow {
    Str name;
    Value (*run)(Render&, Value self, const Args&);   // null: exists, but changes its object: not for templates
    Kind only = Kind::missing;                        // of a table that serves several kinds: this one alone
};
const MethodRow* method_row(MethodId);           // of an id that find_method gave
std::span<const MethodRow> string_methods();     // methods_string.cc
std::span<const MethodRow> search_methods();     // methods_search.cc, of strings too
std::span<const MethodRow> list_methods();
std::span<const MethodRow> tuple_methods();
std::span<const MethodRow> dict_methods();
std::span<const MethodRow> number_methods();
std::span<const MethodRow> object_methods();     // of loop, cycler, dict itself

enum class LoopField : uint8_t { none, index, index0, revindex, revindex0, first, last, length, depth, depth0, previtem, nextitem, cycle, changed };
uint8_t find_loop_field(Str name);

// Names every template knows.
enum class Global : uint8_t { none, range, dict, lipsum, cycler, joiner, name_space, raise_exception, strftime_now };
Global find_global(Str name);

}  // namespace weir::jinja
