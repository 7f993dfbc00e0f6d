// What a post-processor does around the tokens of a text, worked out once: it does not depend on the text.
#pragma once
#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "tokenizer/spec.h"

namespace weir::tok {

// Taking the spaces of tokens off their offsets (ByteLevel, Roberta). `at_start`: the text's first token is also the first of its list.
struct OffsetTrim {
    bool add_prefix_space = true, at_start = true;
};

struct PostPlan {
    struct Part {
        bool text = false;                     // the text's tokens, else these ids
        std::vector<uint32_t> ids;
        std::vector<OffsetTrim> trims;         // text: in order
    };
    std::vector<Part> parts;
    std::string failure;                       // not empty: the reference breaks here, and so must an encode
    bool trims() const {
        for (const Part& part : parts)
            if (!part.trims.empty()) return true;
        return false;
    }
};

PostPlan make_post_plan(const std::optional<PostProcessorSpec>&, bool add_special_tokens);

}  // namespace weir::tok
