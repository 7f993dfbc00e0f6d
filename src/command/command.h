// Commands that read their input, write their output and end.
#pragma once
#include "config/tools.h"

namespace weir {

// Runs it to its end; gives the process's exit code: 0 also when single lines of the input failed, 1 when the work could not be begun
// (a model that does not load), 2 for a command line that asks for what there is not.
int run_tool(const config::ToolCall&);

// The rows of the table in command.cc.
int tokenize(const config::ToolCall&);
int detokenize(const config::ToolCall&);
int render_template(const config::ToolCall&);

}  // namespace weir
