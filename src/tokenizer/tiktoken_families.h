// Which model families have tiktoken ranks: pattern, normalizer, and the special tokens when no file names them.
#pragma once
#include <string_view>

#include "tokenizer/formats.h"

namespace weir::tok {

struct TiktokenFamily {
    std::string_view name;
    std::string_view pattern;
    bool nfc = false;
    void (*specials)(uint32_t ranks, std::vector<AddedToken>& out);   // fills what the family's own code defines
    bool fills_gaps = false;            // ids between known special tokens are reserved tokens as `specials` has them
};

// Null when none fits. `ranks`: how many the file has.
const TiktokenFamily* find_tiktoken_family(std::string_view file_name, size_t ranks, const FolderConfig& config);

}  // namespace weir::tok
