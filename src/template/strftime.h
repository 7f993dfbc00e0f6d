// strftime() of a local time in the C locale, as Python on Linux gives it.
#pragma once
#include "template/render.h"

namespace weir::jinja {

void write_time(Out&, Str format, const LocalTime&);
// "2026-07-26T12:34:56", "2026-07-26 12:34:56.5", "2026-07-26"; nullopt: none of these.
std::optional<LocalTime> parse_time(Str iso);

}  // namespace weir::jinja
