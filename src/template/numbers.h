// Texts as numbers, as Python's int() and float() read them; and whole-number arithmetic that says when 64 bits do not do.
#pragma once
#include <cstdint>
#include <optional>

#include "template/heap.h"
#include "template/value.h"

namespace weir::jinja {

// base 0: by its prefix, as in source code. White space around and single underscores between digits are taken.
// nullopt: no number, or more than 64 bits (`big`, when given, then has its decimal digits, as Value::bigint wants
// them; empty where Python has no integer either).
std::optional<int64_t> parse_int(Str text, int base, std::string* big = nullptr);
std::optional<double> parse_real(Str text);

[[noreturn]] void too_big();                   // OverflowError: what would need a calculation beyond 64 bits
double real_of_bigint(Str digits);             // float(); OverflowError where it has no such value
Value whole(Heap&, double finite);             // int(float), towards zero
Value negated(Heap&, Value whole_number);      // of an integer, boolean or bigint
double quotient(int64_t a, int64_t b);         // a / b as Python rounds it: once; b is not 0

}  // namespace weir::jinja
