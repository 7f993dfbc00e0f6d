// Every count that a stranger on the network can drive up, with its bound. Byte budgets are in base/budget.h.
// tests/e2e reaches each of them (table {limit, request, answer}).
#pragma once
#include <cstddef>
#include <cstdint>

namespace weir::limits {

inline constexpr size_t connections_max = 100'000;      // and RLIMIT_NOFILE - 256
inline constexpr size_t headers_max = 128;
inline constexpr size_t header_bytes_max = 64 * 1024;   // whole head
inline constexpr size_t uri_bytes_max = 16 * 1024;
inline constexpr size_t chunk_line_max = 256;           // size line with its extensions
inline constexpr size_t trailer_bytes_max = 8 * 1024;
inline constexpr size_t json_depth_max = 128;
inline constexpr size_t json_members_max = 4'096;       // top level
inline constexpr size_t messages_max = 65'536;
inline constexpr size_t tools_max = 1'024;
inline constexpr size_t stops_max = 64;
inline constexpr size_t choices_max = 128;              // n x prompts
inline constexpr size_t h2_streams_max = 256;           // per connection
inline constexpr size_t h2_resets_per_s_max = 200;      // rapid reset
inline constexpr size_t h2_settings_per_s_max = 100;
inline constexpr size_t pipelined_max = 16;             // requests of one connection before the loop lets others run
inline constexpr size_t read_chunk = 64 * 1024;         // one socket read, the core's shared buffer
inline constexpr size_t write_rest_max = 1024 * 1024;   // unwritten remainder of one connection
inline constexpr size_t arena_chunk = 4 * 1024;
inline constexpr size_t pool_idle_per_worker = 64;      // idle upstream connections kept per (core, worker)
inline constexpr size_t sse_event_max = 1024 * 1024;    // one event of an engine's stream
inline constexpr size_t error_body_max = 64 * 1024;     // of an engine's error answer
inline constexpr size_t request_id_max = 128;
inline constexpr size_t retries_max = 32;
inline constexpr size_t afterwards_max = 4'096;         // clean-ups in flight per core
inline constexpr size_t posts_max = 65'536;             // cross-core messages waiting per core

}  // namespace weir::limits
