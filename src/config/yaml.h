// The configuration file: YAML, keys are native names (nested or dotted) or the command's flag names without dashes.
#pragma once
#include <string>
#include <vector>

#include "base/result.h"
#include "config/argv.h"

namespace weir::config {

inline constexpr size_t yaml_bytes_max = 1 << 20, yaml_depth_max = 8;
// `file` is only named in messages. Failure: bad_field, one line per mistake.
Result<std::vector<Given>> read_yaml(const Flags&, Str text, const std::string& file);

}  // namespace weir::config
