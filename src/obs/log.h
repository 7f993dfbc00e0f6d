// Log lines: a message and key/value pairs, copied into a bounded queue here, formatted and written by the log thread.
#pragma once
#include "base/result.h"

#include <array>
#include <atomic>
#include <concepts>
#include <cstdint>
#include <initializer_list>
#include <string>
#include <string_view>

namespace weir {

enum class LogLevel : uint8_t { trace, debug, info, warn, error, off };

// Modules with a level of their own, named as the folders are.
#define WEIR_LOG_MODULES(M) \
    M(main) M(config) M(net) M(wire) M(tokenizer) M(template_) M(parsers) M(kv) M(fleet) M(discovery) M(policy) M(engine) \
    M(store) M(limits) M(auth) M(edge) M(api) M(prepare) M(route) M(dispatch) M(respond) M(gateway) M(mocker) M(obs) M(access)
enum class LogModule : uint8_t {
#define WEIR_LOG_MODULE_ID(id) id,
    WEIR_LOG_MODULES(WEIR_LOG_MODULE_ID)
#undef WEIR_LOG_MODULE_ID
    count_
};
inline constexpr size_t log_modules_n = static_cast<size_t>(LogModule::count_);
std::string_view name(LogModule);

// One key/value pair. Strings are views: they must live until the call returns, no longer.
struct LogField {
    enum Kind : uint8_t { text, integer, natural, real, boolean } kind;
    std::string_view key, string;
    union { int64_t i; uint64_t u; double d; bool b; };
    LogField(std::string_view k, std::string_view v) : kind(text), key(k), string(v), i(0) {}
    LogField(std::string_view k, const char* v) : LogField(k, std::string_view(v)) {}
    LogField(std::string_view k, const std::string& v) : LogField(k, std::string_view(v)) {}
    LogField(std::string_view k, std::same_as<bool> auto v) : kind(boolean), key(k), b(v) {}
    LogField(std::string_view k, std::signed_integral auto v) : kind(integer), key(k), i(v) {}
    LogField(std::string_view k, std::unsigned_integral auto v) requires(!std::same_as<decltype(v), bool>) : kind(natural), key(k), u(v) {}
    LogField(std::string_view k, std::floating_point auto v) : kind(real), key(k), d(v) {}
};

extern std::array<std::atomic<LogLevel>, log_modules_n> log_levels;
inline bool log_on(LogModule m, LogLevel l) { return l >= log_levels[static_cast<size_t>(m)].load(std::memory_order_relaxed); }

// Any thread; never waits. A full queue drops the line and counts it. Message and values beyond 16 KB together are cut.
// Before log_start() and after log_stop() lines go to stderr at once.
void log_write(LogModule, LogLevel, std::string_view message, std::initializer_list<LogField> fields = {});

// LOG_INFO(net, "listening", {"address", address}, {"port", port});  -- arguments are evaluated only when the level is on
#define WEIR_LOG(module, level, message, ...)                                                            \
    do {                                                                                                 \
        if (::weir::log_on(::weir::LogModule::module, ::weir::LogLevel::level)) [[unlikely]]             \
            ::weir::log_write(::weir::LogModule::module, ::weir::LogLevel::level, message, {__VA_ARGS__}); \
    } while (0)
#define LOG_TRACE(module, message, ...) WEIR_LOG(module, trace, message, __VA_ARGS__)
#define LOG_DEBUG(module, message, ...) WEIR_LOG(module, debug, message, __VA_ARGS__)
#define LOG_INFO(module, message, ...) WEIR_LOG(module, info, message, __VA_ARGS__)
#define LOG_WARN(module, message, ...) WEIR_LOG(module, warn, message, __VA_ARGS__)
#define LOG_ERROR(module, message, ...) WEIR_LOG(module, error, message, __VA_ARGS__)

struct LogLevels {
    std::array<LogLevel, log_modules_n> at;
    std::string ignored;                  // targets of the spec that weir does not have, comma separated
};
// "info", "warn,net=debug", "weir=debug,hyper=warn": RUST_LOG and DYN_LOG read alike. `weir`, `smg` and `dynamo*` stand for all
// modules, `weir::net` for one. Levels: trace debug info warn(ing) error critical off, any case.
Result<LogLevels> parse_log_spec(std::string_view spec, LogLevel otherwise = LogLevel::info);
void set_log_levels(const LogLevels&);    // any thread, any time

struct LogOptions {
    LogLevels levels;
    bool json = false;
    bool local_time = false;              // else UTC
    std::string dir;                      // empty: stderr; else <dir>/weir.YYYY-MM-DD.log, and access.YYYY-MM-DD.log
    bool stderr_too = false;              // with `dir`: also to stderr
    uint64_t file_bytes_max = 256u << 20; // then <name>.1.log, .2.log ... `files_max` of them per day
    unsigned files_max = 8;
    bool crash_handler = true;            // SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT write what is queued before the process ends
    LogOptions();
};
// Starts the log thread. Main thread, once; fails when the folder cannot be written.
Result<void> log_start(LogOptions);
void log_stop();                          // writes everything queued, ends the thread
void log_flush();                         // any thread but the log thread: returns when all lines written so far are out
uint64_t log_dropped();                   // lines lost to a full queue

}  // namespace weir
