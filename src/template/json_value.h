// JSON text as values: the order of keys, int against float, and the last of equal keys, as Python's json.loads has them.
#pragma once
#include "template/heap.h"

namespace weir::jinja {

// Strings without escapes are views into `text`, which must outlive the values. Raises Error::json for what is not JSON, for more
// than limits::json_depth_max levels, for lone surrogates. NaN and Infinity are not taken. `what` names the text in the message.
Value read_json(Heap&, Str text, Str what);

}  // namespace weir::jinja
