// What the binary does before it serves: sub-commands, help, and the configuration itself.
#pragma once
#include <optional>
#include <string>
#include <vector>

#include "config/load.h"
#include "config/tools.h"

namespace weir::config {

struct CliInput {
    std::vector<std::string> argv;    // with the program's name
    Environment environment;
    std::string version;              // "0.1.0 (abc1234)"
};
struct CliOutcome {
    std::optional<int> exit;          // end with this code; else `loaded` or `tool` is set
    std::optional<Loaded> loaded;     // its command is frontend, launch or mocker
    std::optional<ToolCall> tool;     // run it, and end with what it gives (src/command)
    std::string docs_dir;             // --write-docs DIR: flags.md is there already; the caller adds other generated pages, then exits
};
// `out` and `err` are what to print on standard output and standard error. Writes files only for --dump-config-to and --write-docs.
// Called as `smg`, or with a flag in place of a command, it reads SMG's flags as `weir launch` does.
CliOutcome run_cli(const CliInput&, std::string& out, std::string& err);

Result<void> write_whole_file(const std::string& path, const std::string& text);   // replaces it in one step

}  // namespace weir::config
