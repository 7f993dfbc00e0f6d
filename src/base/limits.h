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
inline constexpr size_t inputs_max = 4'096;             // texts of one embeddings request
inline constexpr size_t h2_streams_max = 256;           // per connection
inline constexpr size_t h2_resets_per_s_max = 200;      // rapid reset
inline constexpr size_t h2_settings_per_s_max = 100;
inline constexpr size_t h2_pings_per_s_max = 100;       // and other small control frames
inline constexpr size_t h2_empty_data_per_s_max = 200;  // DATA frames that bring nothing
inline constexpr size_t h2_continuations_max = 8;       // CONTINUATION frames of one header block
inline constexpr size_t h2_stream_out_max = 64 * 1024;  // bytes of one stream that wait for its window; more may be written only after drained()
inline constexpr size_t h2_client_streams_max = 100;    // requests on one connection to a worker
inline constexpr size_t h2_client_connections_max = 4;  // h2 connections per (core, worker)
inline constexpr size_t tls_handshakes_max = 512;       // under way per core; the oldest makes room
inline constexpr size_t tls_handshakes_per_turn = 4;    // signatures between two looks at the other connections
inline constexpr size_t dns_names_max = 1'024;          // per core
inline constexpr size_t dns_addresses_max = 32;         // of one name
inline constexpr size_t pipelined_max = 16;             // requests of one connection before the loop lets others run
inline constexpr size_t read_chunk = 64 * 1024;         // one socket read, the core's shared buffer
inline constexpr size_t write_rest_max = 1024 * 1024;   // unwritten remainder of one connection
inline constexpr size_t arena_chunk = 4 * 1024;
inline constexpr size_t pool_idle_per_worker = 64;      // idle upstream connections kept per (core, worker)
inline constexpr size_t sse_event_max = 1024 * 1024;    // one event of an engine's stream
inline constexpr size_t answer_body_max = 64 * 1024 * 1024;   // an engine's unary answer that is decoded (forwarded ones have no bound)
inline constexpr size_t error_body_max = 64 * 1024;     // of an engine's error answer
inline constexpr size_t request_id_max = 128;
inline constexpr size_t model_name_logged_max = 256;    // longer ones are cut in the access line
inline constexpr size_t retries_max = 32;
inline constexpr size_t afterwards_max = 4'096;         // clean-ups in flight per core
inline constexpr size_t posts_max = 65'536;             // cross-core messages waiting per core
inline constexpr size_t tokenizers_max = 256;           // loaded or being loaded
inline constexpr size_t tokenizer_name_max = 1'024;     // bytes of a tokenizer's name or source in a request
inline constexpr size_t pool_jobs_max = 1'024;          // waiting for a thread that may block

inline constexpr size_t tokenizer_file_max = 256 * 1024 * 1024;   // bytes of a tokenizer file
inline constexpr size_t tokenizer_id_max = 8'000'000;   // token ids, above which a file is refused
inline constexpr size_t tokenizer_token_max = 65'536;   // bytes of one token
inline constexpr size_t tokenizer_added_max = 500'000;  // added tokens
inline constexpr size_t tokenizer_components_max = 256; // entries of one Sequence
inline constexpr size_t tokenizer_depth_max = 32;       // of the JSON of components

}  // namespace weir::limits
