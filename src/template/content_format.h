// Does a template go through the parts of message["content"], or does it take the content as one string?
#pragma once
#include "template/ast.h"
#include "template/chat_template.h"

namespace weir::jinja {

// Parts: some loop runs over the content of a message, found through assignments, filters, slices and macro arguments.
ContentFormat content_format(const Program&);

}  // namespace weir::jinja
