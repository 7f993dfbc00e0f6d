// Numbers of a tokenizer.json as the reference's JSON reader (serde_json) takes them. It rounds twice, so a score can differ from the
// nearest double in its last bit, and with it which of two equally good paths wins.
#pragma once
#include <string_view>

namespace weir::tok {

// `number` is a valid JSON number, blanks behind it allowed. Infinite where the reference refuses it.
double reference_double(std::string_view number);

}  // namespace weir::tok
