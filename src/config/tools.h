// Commands beside the servers: they read their input, write their output and end. What each takes on its command line stands in one
// table; what it does is in src/command/, whose table has a row of the same name.
#pragma once
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "types/doc.h"

namespace weir::config {

struct ToolFlag {
    Str flag;                  // "--model"
    Str metavar;               // "PATH"; empty: a switch
    Str help;
    Str needs = {};            // "one": this flag or another one with the same word must be given
};
struct Tool {
    Str name, about;
    std::span<const ToolFlag> flags;
};
std::span<const Tool> tools();
const Tool* tool_named(Str);

// A parsed command line.
struct ToolCall {
    const Tool* tool = nullptr;
    std::vector<std::pair<Str, std::string>> given;    // flag, value; values live here
    bool has(Str flag) const;
    std::string value(Str flag) const;                 // of the last one given; empty: none
};
// `args` without program and command. Fails with bad_field: an unknown flag, a missing value, a stray word, a flag that must be given.
Result<ToolCall> parse_tool(const Tool&, std::span<const std::string> args);
std::string tool_help(const Tool&);
std::string tool_names();                              // "tokenize detokenize"

}  // namespace weir::config
