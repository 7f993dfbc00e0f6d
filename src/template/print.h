// Values as Python prints them: str(), repr(), json.dumps().
#pragma once
#include "template/heap.h"

namespace weir::jinja {

void write_str(Out&, Value);            // str(): what {{ }} shows; nothing for undefined
void write_repr(Out&, Value);
void write_int(Out&, int64_t);
void write_real(Out&, double);          // repr of a float: shortest digits that read back the same
Str real_text(double, char buffer[32]);
std::string repr_text(Value);           // for messages
Value to_str(Out&, Value);              // str(v) as a string on the heap; the value itself when it is a plain string
inline Str text_of(Out& out, Value v) { return to_str(out, v).str(); }

struct JsonStyle {
    bool ascii_only = false, sort_keys = false, indented = false;
    Str indent;                         // of one level
    Str item_separator = ", ", key_separator = ": ";
};
void write_json(Out&, Value, const JsonStyle&);   // TypeError for what JSON has no form for
void write_html_escaped(Out&, Str);

}  // namespace weir::jinja
