// Texts to ids on a data core: long ones in slices between which others have their turn, uncuttable ones on a pool thread.
#pragma once
#include "base/task.h"
#include "gateway/core_state.h"
#include "gateway/tokenizers.h"
#include "prepare/chat_prompt.h"

namespace weir {

// Failure: as Tokenizer::encode; shed when the pool is full.
Task<Result<TokenIds>> encode_in_slices(Tokenizers&, CoreState& here, prepare::ModelRef model, std::string text, EncodeOptions options);
// The prompt of a body with `messages`; `body` outlives the wait. Failure: as prepare::render_prompt; shed.
Task<Result<prepare::Rendered>> render_prompt(Tokenizers&, prepare::ModelRef model, std::string_view body);

}  // namespace weir
