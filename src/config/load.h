// From command line, environment, file and defaults to one Config; every setting keeps where it came from.
#pragma once
#include <functional>
#include <map>
#include <string>
#include <vector>

#include "base/result.h"
#include "config/config.h"
#include "config/row.h"

namespace weir::config {

enum class Origin : uint8_t { fallback, compat, file, environment, argv };

struct Setting {                         // one per row, in table order
    const Row* row = nullptr;
    std::vector<std::string> words;      // canonical, in the row's unit; empty: unset
    Origin origin = Origin::fallback;
    std::string from;                    // flag, variable or file key; of defaults: why it is another than the table says, or empty
};

struct Loaded {
    Config config;
    std::vector<Setting> settings;
    std::vector<std::string> notes;      // what stands in for what is not built; the gateway logs them at start
    std::vector<std::string> warnings;   // old names, settings without effect
    const Setting& of(Str key) const;    // the key must exist
};

using Environment = std::map<std::string, std::string, std::less<>>;

struct LoadInput {
    Command command = Command::frontend;
    std::vector<std::string> argv;       // without program and command
    Environment environment;
    std::function<Result<std::string>(const std::string& path)> read_file;   // null: from disk
};
// Failure: bad_field or not_supported; one line per mistake, at most errors_max. Files other than --config are not opened.
inline constexpr size_t errors_max = 10;
Result<Loaded> load(const LoadInput&);

Environment process_environment();
Result<std::string> read_whole_file(const std::string& path);   // at most 1 MiB

}  // namespace weir::config
