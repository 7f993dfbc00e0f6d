// What a body says, as far as routing goes by it, without a tokenizer.
#pragma once
#include <string>
#include <vector>

#include "types/call.h"

namespace weir::prepare {

// Texts of a body that was decoded lightly (Doc::top), as SMG sees them: the text parts of all messages, reasoning too, without roles,
// joined by one blank; prompts or inputs joined likewise. Ids, when the prompt came as ids (`input_ids`, a prompt that is a list of them):
// then there is no text. Neither for bodies without any of these.
struct Said {
    std::string text;
    std::vector<uint32_t> ids;
};
void read_said(const Call&, Said& out);

// The value of a top-level member; the last one of that name. Empty: there is none.
Str top_member(const Doc&, Str name);

}  // namespace weir::prepare
