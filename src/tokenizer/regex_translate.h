// From Oniguruma's dialect to PCRE2's. Classes are computed as sets of code points out of our own tables, so that the answer does not hang
// on the Unicode version of the PCRE2 at hand. Internal to regex.cc.
#pragma once
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "tokenizer/code_set.h"
#include "tokenizer/unicode_tables.h"

namespace weir::tok {

// `late`: code points that the engine's own tables take for unassigned and ours do not, sorted.
Result<std::string> translate_regex(std::string_view onig, const std::vector<unicode::Range>& late);

// A class of the pattern as sorted ranges, and back as PCRE2 text; for tests.
std::string class_text(const CodeSet& members, const std::vector<unicode::Range>& late);

}  // namespace weir::tok
