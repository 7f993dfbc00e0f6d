// Walks JSON that json_top has already found valid: no checks of syntax, no allocation, views into the text.
#pragma once
#include <cstdint>
#include <optional>

#include "base/arena.h"
#include "types/doc.h"

namespace weir {

enum class JsonKind : uint8_t { null, boolean, number, string, array, object };
JsonKind json_kind(Str value);               // by the first byte; `value` is a whole value without blanks around it

// Every function below: `value` is one valid value of the kind named, bytes outside it are never read.
size_t json_skip(Str text, size_t at);       // from the first byte of a value to the first byte behind it
Str json_inside(Str string_value);           // between the quotes, escapes still in place
Str json_text(Str string_value, Arena&);     // the string's text: a view when it has no escapes, else unescaped into the arena
bool json_is(Str string_value, Str plain);   // equal to `plain` (written without escapes)

// for (JsonMembers m(object); m.next();) ... m.key (escapes in place), m.value
class JsonMembers {
public:
    explicit JsonMembers(Str object_value) : text_(object_value) {}
    bool next();
    Str key, value;

private:
    Str text_;
    size_t at_ = 1;
};

class JsonItems {
public:
    explicit JsonItems(Str array_value) : text_(array_value) {}
    bool next();
    Str value;

private:
    Str text_;
    size_t at_ = 1;
};

Str json_member(Str object_value, Str key);  // the last member of that name (as most parsers have it); empty when there is none
size_t json_count(Str array_value);
bool json_empty(Str array_or_object);        // [] or {}, blanks allowed inside

// Numbers. nullopt: not of that kind or out of range. A number "is an integer" when it has neither '.' nor an exponent.
bool json_is_integer(Str number_value);
std::optional<int64_t> json_int(Str number_value);
std::optional<uint64_t> json_uint(Str number_value);
std::optional<double> json_double(Str number_value);

}  // namespace weir
