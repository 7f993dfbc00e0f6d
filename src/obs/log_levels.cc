#include "obs/log.h"

#include <algorithm>

namespace weir {
namespace {

constexpr std::array<std::string_view, log_modules_n> module_names = [] {
    std::array<std::string_view, log_modules_n> names = {
#define WEIR_LOG_MODULE_NAME(id) #id,
        WEIR_LOG_MODULES(WEIR_LOG_MODULE_NAME)
#undef WEIR_LOG_MODULE_NAME
    };
    for (auto& n : names)
        if (n.ends_with('_')) n.remove_suffix(1);     // template_ is a keyword without its tail
    return names;
}();

std::string lower(std::string_view text) {
    std::string out(text);
    for (char& c : out)
        if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
    return out;
}

std::string_view trim(std::string_view text) {
    while (!text.empty() && text.front() == ' ') text.remove_prefix(1);
    while (!text.empty() && text.back() == ' ') text.remove_suffix(1);
    return text;
}

bool read_level(std::string_view text, LogLevel& level) {
    const std::string word = lower(text);
    constexpr std::pair<std::string_view, LogLevel> words[] = {
        {"trace", LogLevel::trace}, {"debug", LogLevel::debug}, {"info", LogLevel::info},      {"warn", LogLevel::warn}, {"warning", LogLevel::warn},
        {"error", LogLevel::error}, {"off", LogLevel::off},     {"critical", LogLevel::error}, {"fatal", LogLevel::error}};
    for (const auto& [known, value] : words)
        if (word == known) {
            level = value;
            return true;
        }
    return false;
}

// The peers' own crates stand for all of weir; a path into them names a part that we do not have.
bool stands_for_all(std::string_view target) {
    return target == "weir" || target == "smg" || (target.starts_with("dynamo") && target.find("::") == std::string_view::npos);
}

}  // namespace

std::string_view name(LogModule m) { return module_names[static_cast<size_t>(m)]; }

constinit std::array<std::atomic<LogLevel>, log_modules_n> log_levels = []<size_t... I>(std::index_sequence<I...>) {
    return std::array<std::atomic<LogLevel>, log_modules_n>{((void)I, LogLevel::info)...};
}(std::make_index_sequence<log_modules_n>());

Result<LogLevels> parse_log_spec(std::string_view spec, LogLevel otherwise) {
    LogLevels levels;
    levels.at.fill(otherwise);
    std::array<bool, log_modules_n> named{};
    while (!spec.empty()) {
        const size_t end = std::min(spec.find(','), spec.size());
        const std::string_view item = trim(spec.substr(0, end));
        spec.remove_prefix(std::min(end + 1, spec.size()));
        if (item.empty()) continue;
        const size_t equals = item.find('=');
        LogLevel level{};
        const std::string_view word = trim(equals == std::string_view::npos ? item : item.substr(equals + 1));
        if (!read_level(word, level))
            return Failure(Code::bad_field, "log level '" + std::string(word) + "' is not one of trace, debug, info, warn, error, off");
        const std::string target = equals == std::string_view::npos ? "weir" : lower(trim(item.substr(0, equals)));
        const std::string_view module = target.starts_with("weir::") ? std::string_view(target).substr(6) : std::string_view(target);
        if (const auto at = std::find(module_names.begin(), module_names.end(), module); at != module_names.end()) {
            const auto i = static_cast<size_t>(at - module_names.begin());
            levels.at[i] = level;
            named[i] = true;
        } else if (stands_for_all(target)) {
            for (size_t i = 0; i < log_modules_n; ++i)
                if (!named[i]) levels.at[i] = level;
        } else {
            levels.ignored += (levels.ignored.empty() ? "" : ",") + target;
        }
    }
    return levels;
}

void set_log_levels(const LogLevels& levels) {
    for (size_t i = 0; i < log_modules_n; ++i) log_levels[i].store(levels.at[i], std::memory_order_relaxed);
}

LogOptions::LogOptions() { levels.at.fill(LogLevel::info); }

}  // namespace weir
