// One pass over a JSON text: checks all of it strictly (RFC 8259, UTF-8, depth) and notes where its top-level members are.
#pragma once
#include <span>
#include <string_view>

#include "base/result.h"
#include "types/doc.h"

namespace weir {

struct TopScan {
    uint32_t members = 0;        // how many of `out` were filled
    bool escaped_keys = false;   // some key has a backslash escape: compare keys unescaped (json_unescape)
};

// `body` must be one JSON object, blanks around it allowed. Fills `out` in the order sent; Member spans are bytes of `body`.
// Equal keys are all listed: the decoder decides (a repeated "model" must not route by one and run the other).
// Errors: Code::bad_json, message in serde_json's words with line and column (columns count bytes, from 1; "EOF while parsing a
// value at line 1 column 22"), Code::bad_field when the text is JSON but no object, Code::too_large from 4 GiB on.
// More members than out.size() is bad_json, so is nesting deeper than limits::json_depth_max.
Result<TopScan> scan_top(std::string_view body, std::span<Member> out);

// Any JSON value, same checks and errors.
Result<void> check_json(std::string_view text);

}  // namespace weir
