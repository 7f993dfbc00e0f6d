// Texts as numbers, as Python's int() and float() read them; and whole-number arithmetic that says when 64 bits do not do.
#pragma once
#include <cstdint>
#include <optional>

#include "template/value.h"

namespace weir::jinja {

// base 0: by its prefix, as in source code. White space around and single underscores between digits are taken.
// nullopt: no number, or more than 64 bits (`big` then says which, when given).
std::optional<int64_t> parse_int(Str text, int base, bool* big = nullptr);
std::optional<double> parse_real(Str text);

}  // namespace weir::jinja
