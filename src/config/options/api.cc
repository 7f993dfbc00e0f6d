#include "config/options/rows.h"

namespace weir::config {
namespace {
constexpr Str anthropic = "the Anthropic Messages API", kserve = "the KServe gRPC server", nvext = "nvext",
              tools = "tool call streaming",
              native = "engine-native generate routes", buffer = "waiting for the first item";
constexpr Row table[] = {
    row("api.request_id_headers", WEIR_FIELD(api.request_id_headers), list(), "",
        "Headers that name a request, first match wins; none: x-request-id, x-correlation-id, x-trace-id, request-id.")
        .both("--request-id-headers").at(Reload::new_requests),
    row("api.cors_origins", WEIR_FIELD(api.cors_origins), list(), "", "Origins whose pages may call the API; * for all.")
        .both("--cors-allowed-origins").at(Reload::new_requests),
    row("api.sse_keepalive_ms", WEIR_FIELD(api.sse_keepalive_ms), integer(0, 86'400'000), "0",
          "Send a comment on streams silent for so long; 0: never.")
        .both("--sse-keepalive-secs", 1000).fe("", "DYN_HTTP_SSE_KEEP_ALIVE_INTERVAL_MS").la("", "", "15000").at(Reload::new_requests),
    row("api.ignore_unsupported_fields", WEIR_FIELD(api.ignore_unsupported_fields), flag(), "false",
          "Let unknown request fields pass instead of answering 400.")
        .fe("", "DYN_IGNORE_OPENAI_FE_UNSUPPORTED_FIELDS").at(Reload::new_requests),
    row("api.force_include_usage", WEIR_FIELD(api.force_include_usage), flag(), "false",
          "End every stream with its usage, asked for or not.")
        .fe("", "DYN_ENABLE_FORCE_INCLUDE_USAGE").at(Reload::new_requests),
    row("api.overload_status", WEIR_FIELD(api.overload_status), integer(400, 599), "503",
          "HTTP status for requests turned away under load.")
        .fe("", "DYN_HTTP_OVERLOAD_STATUS_CODE").compat_is("529").at(Reload::new_requests),
    row("api.debug_path", WEIR_FIELD(api.debug_path), choice("auto forward events"), "auto",
        "Force one of the two ways answers take: bytes as they are, or decoded and encoded again.").both("--debug-path"),
    later("api.anthropic", flag(), "false", anthropic, "Serve /v1/messages.")
        .fe("--enable-anthropic-api", "DYN_ENABLE_ANTHROPIC_API"),
    later("api.strip_anthropic_preamble", flag(), "true", anthropic, "Drop the billing preamble of coding agents.")
        .fe("--strip-anthropic-preamble", "DYN_STRIP_ANTHROPIC_PREAMBLE"),
    later("api.kserve", flag(), "false", kserve, "Serve KServe v2 over gRPC.")
        .fe("--kserve-grpc-server", "DYN_KSERVE_GRPC_SERVER"),
    later("api.kserve_metrics_port", port(), "8788", kserve, "Its metrics port.")
        .fe("--grpc-metrics-port", "DYN_GRPC_METRICS_PORT"),
    later("api.interactive", flag(), "false", "interactive chat", "Chat on the terminal.")
        .fe("-i --interactive", "DYN_INTERACTIVE"),
    later("api.route_extensions", list(), "", "route extensions", "More routes, from Python code.")
        .fe("--frontend-route-extension", "DYN_FRONTEND_ROUTE_EXTENSIONS"),
    later("api.disable_nvext", flag(), "false", nvext, "Ignore nvext in requests.").fe("", "DYN_DISABLE_FRONTEND_NVEXT"),
    row("api.disable_admin", WEIR_FIELD(api.disable_admin), flag(), "false", "Leave /busy_threshold out.")
        .fe("", "DYN_DISABLE_FRONTEND_ADMIN_API"),
    later("api.error_peek_ms", integer(), "0", buffer,
          "Wait so long for the first item, so that early errors become HTTP statuses; 0: not.")
        .fe("", "DYN_HTTP_PRE_COMMIT_ERROR_PEEK_MS"),
    later("api.card_poll_s", integer(1), "8", "gauges from model cards", "Seconds between two readings of model cards.")
        .fe("", "DYN_HTTP_SVC_CONFIG_METRICS_POLL_INTERVAL_SECS"),
    later("api.metadata_header", text(), "", "request metadata", "Header whose JSON becomes request metadata.")
        .fe("", "DYN_METADATA_HEADER"),
    later("api.vllm_generate", flag(), "false", native, "Serve vLLM's token-in route.")
        .fe("", "DYN_VLLM_ENABLE_INFERENCE_V1_GENERATE"),
    later("api.sglang_generate", flag(), "false", native, "Serve SGLang's route.").fe("", "DYN_SGLANG_ENABLE_GENERATE"),
    later("api.tool_dispatch", flag(), "false", tools, "Send an event for each complete tool call.")
        .fe("--enable-streaming-tool-dispatch", "DYN_ENABLE_STREAMING_TOOL_DISPATCH"),
    later("api.reasoning_dispatch", flag(), "false", tools, "Send an event when reasoning ends.")
        .fe("--enable-streaming-reasoning-dispatch", "DYN_ENABLE_STREAMING_REASONING_DISPATCH"),
    later("api.reasoning_field", choice("| reasoning_content reasoning"), "reasoning_content", "reasoning field",
          "Field that carries reasoning.")
        .fe("--reasoning-field-name", "DYN_REASONING_FIELD_NAME"),
    later("api.chat_processor", choice("| dynamo vllm sglang"), "dynamo", "chat processor", "Who renders and parses chats.")
        .fe("--dyn-chat-processor", "DYN_CHAT_PROCESSOR"),
    later("api.debug_perf", flag(), "false", "timing of preprocessing", "Log the time of each step.")
        .fe("--dyn-debug-perf", "DYN_DEBUG_PERF"),
    later("api.preprocess_workers", integer(0, 1'024), "0", "preprocessing workers",
          "Threads for preprocessing besides the cores.")
        .fe("--dyn-preprocess-workers", "DYN_PREPROCESS_WORKERS"),
};
}  // namespace
std::span<const Row> api_rows() { return table; }

}  // namespace weir::config
