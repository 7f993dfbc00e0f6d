#include "command/command.h"

#include "replay/replay.h"

#include <cstdio>

namespace weir {
namespace {

struct Row {
    Str name;
    int (*run)(const config::ToolCall&);
};
// One row a command; the names are those of src/config/tools.cc.
constexpr Row table[] = {
    {"tokenize", tokenize},
    {"detokenize", detokenize},
    {"template", render_template},
    {"replay", replay::run},
};

}  // namespace

int run_tool(const config::ToolCall& call) {
    for (const Row& row : table)
        if (row.name == call.tool->name) return row.run(call);
    std::fprintf(stderr, "weir %.*s: not supported yet\n", static_cast<int>(call.tool->name.size()), call.tool->name.data());
    return 2;
}

}  // namespace weir
