// Conversations to prompts, by the model's own template.
#pragma once
#include <string>
#include <string_view>

#include "prepare/model.h"
#include "prepare/token_ids.h"

namespace weir::prepare {

struct Rendered {
    std::string text;
    TokenIds ids;                                // already, when users may not speak in special tokens
};

// The prompt of a body with `messages` (valid JSON), as vLLM's /tokenize and chat take it. Failures: bad_field, unsupported_field,
// not_supported; what the template raises.
Result<Rendered> render_prompt(const Model&, std::string_view body, bool special_as_text);

}  // namespace weir::prepare
