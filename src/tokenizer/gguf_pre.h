// tokenizer.ggml.pre: how each named pre-tokenizer splits text, and what else llama.cpp sets by that name.
#pragma once
#include <optional>
#include <string_view>
#include <vector>

#include "tokenizer/spec.h"

namespace weir::tok {

struct GgufPre {
    std::vector<std::string_view> patterns;   // one Split after another; empty: GPT-2's own pattern
    bool ignore_merges = false, add_bos = false, add_sep = false;
    bool raw_utf8 = false;                    // merges over text with spaces escaped, not over GPT-2's byte alphabet
    bool bos_unset = false;                   // no BOS unless the file names one
};

// nullopt: nobody knows this name. Empty and "default" are llama.cpp's default.
std::optional<GgufPre> find_gguf_pre(std::string_view name);

PreTokenizerSpec pre_tokenizer_of(const GgufPre&);

}  // namespace weir::tok
