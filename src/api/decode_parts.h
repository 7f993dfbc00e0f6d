// The pieces decode.cc is made of.
#pragma once
#include "api/fields.h"

namespace weir::api {

// Role of one message value; checks that it is an object with a known role. `list`: name of the member it stands in.
Result<Role> message_role(const Refuse&, Str message, Str list);

// How many prompts `value` holds (1 for a text or one list of ids). Checks the shape only at its first item. Api::chat: 1.
Result<size_t> prompt_shape(const Refuse&, Api, Str value);

Result<void> decode_rest(const Refuse&, Call&, Arena&);                        // everything light decoding left out
Result<void> decode_messages(const Refuse&, Call&, Arena&, Str value);
Result<void> decode_prompts(const Refuse&, Call&, Arena&, Str value, Str name);
Result<void> decode_tools(const Refuse&, Call&, Arena&, Str value);
Result<void> decode_tool_choice(const Refuse&, Call&, Arena&, Str value);
Result<void> decode_format(const Refuse&, Call&, Arena&, Str value);           // response_format
Result<void> decode_nvext(const Refuse&, Call&, Arena&, Str value);

inline Span span_in(Str body, Str view) { return {static_cast<uint32_t>(view.data() - body.data()), static_cast<uint32_t>(view.size())}; }

}  // namespace weir::api
