// Texts made from the option table.
#pragma once
#include <string>

#include "config/load.h"

namespace weir::config {

std::string help_text(Command);           // --help
std::string overview_text();              // `weir` alone: the commands
std::string flags_markdown();             // docs/flags.md
// The resolved settings as YAML with origins in comments; `--config` reads it back (secrets are left out).
std::string dump_text(const Loaded&);
std::string check_text(const Loaded&);    // check-config: what differs from the defaults, notes, the memory budgets
Result<std::string> completion_text(Str shell);   // bash, zsh, fish; failure: any other

// Shared by them.
std::string default_text(const Row&, Command, double scale);   // in a spelling's unit; empty: unset
std::string metavar(const Row&, Command);                      // "N", "{a,b}", empty for booleans
std::string join(const std::vector<std::string>&, Str between);

}  // namespace weir::config
