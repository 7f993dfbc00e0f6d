// The command line: flags to rows with their raw words. Shapes (lists, URL [PORT], repeats) follow the row's Check.
#pragma once
#include <span>
#include <string>
#include <vector>

#include "config/spelling.h"
#include "config/value.h"

namespace weir::config {

struct Given {
    const Row* row = nullptr;
    const Spelling* spelling = nullptr;   // null: the native name, in the row's unit
    Words words;
    std::string from;                     // "--http-port", "DYN_HTTP_PORT", "weir.yaml: listen.port"
};
inline constexpr size_t errors_with_nearest_max = 2;   // unknown names beyond are not compared with all others

struct Args {
    std::vector<Given> given;             // in order; repeated lists already joined, of other flags the last one wins
    std::vector<std::string> warnings, errors;
    bool help = false, version = false;
};
Args read_args(Command, const Flags&, std::span<const std::string> argv);   // argv without program and command

}  // namespace weir::config
