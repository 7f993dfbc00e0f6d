// From a GGUF file's token lists to a spec, as llama.cpp reads them.
#pragma once
#include <optional>
#include <string>
#include <vector>

#include "tokenizer/formats.h"
#include "tokenizer/gguf.h"
#include "tokenizer/gguf_pre.h"

namespace weir::tok {

enum class GgufTokenType : uint8_t { undefined, normal, unknown, control, user_defined, unused, byte };

struct GgufVocab {
    std::vector<std::string> texts;
    std::vector<GgufTokenType> types;
    std::vector<float> scores;              // empty: all zero
    std::vector<std::string> merges;        // "left right"
    bool has_merges = false;
    bool add_space_prefix = false, remove_extra_whitespaces = false, lowercase = true, strip_accents = true;
    std::string charsmap;
};

// Types that llama.cpp sets by a token's spelling, and GgufInfo's ends of generation.
void settle_token_types(GgufVocab&, GgufInfo&);
Result<void> fill_gguf_spec(GgufVocab, const GgufInfo&, const std::optional<GgufPre>&, TokenizerSpec&);

}  // namespace weir::tok
