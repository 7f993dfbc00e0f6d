#include "config/options/rows.h"

namespace weir::config {
namespace {
constexpr Row rows[] = {
    row("listen.host", WEIR_FIELD(listen.host), text(), "0.0.0.0", "Address to listen on; :: takes IPv4 too.")
        .fe("--http-host", "DYN_HTTP_HOST").la("--host"),
    row("listen.port", WEIR_FIELD(listen.port), port(), "8000", "TCP port to listen on; 0 lets the kernel choose.")
        .fe("--http-port", "DYN_HTTP_PORT").la("--port", "", "30000"),
    row("listen.unix", WEIR_FIELD(listen.unix_path), {.kind = Check::unix_socket}, "",
          "Also listen on a unix socket, given as unix:/path.")
        .both("--listen"),
    later("listen.backlog", integer(1, 65'535), "4096", "another accept queue", "Connections the kernel keeps waiting for accept.")
        .fe("", "DYN_HTTP_LISTEN_BACKLOG"),
    row("listen.allow_half_close", WEIR_FIELD(listen.allow_half_close), flag(), "false",
        "Answer clients that shut down their sending side; otherwise that cancels the request.").both("--allow-half-close"),
    row("listen.connections_max", WEIR_FIELD(listen.connections_max), integer(0, 1'000'000), "0",
        "Client connections at most; 0: 100,000, or what the file descriptor limit allows.").both("--connections-max"),
    row("listen.ready_file", WEIR_FIELD(listen.ready_file), file(), "",
        "File written once every listener accepts: a JSON object with the ports.").everywhere("--ready-file"),
    later("listen.health_port", or_none(port()), "", "a listener for probes alone",
          "Serve the health routes on a port of their own too.")
        .la("--health-check-port"),
};
constexpr Str responses = "the Responses API", batch = "the batch API", native = "engine-native generate routes";
constexpr Row path_rows[] = {
    row("paths.chat", WEIR_FIELD(paths.chat), {.kind = Check::path}, "/v1/chat/completions", "Path of chat completions.")
        .fe("", "DYN_HTTP_SVC_CHAT_PATH DYN_HTTP_SVC_CHAT_PATH_ENV"),
    row("paths.completions", WEIR_FIELD(paths.completions), {.kind = Check::path}, "/v1/completions", "Path of text completions.")
        .fe("", "DYN_HTTP_SVC_CMP_PATH DYN_HTTP_SVC_CMP_PATH_ENV"),
    row("paths.embeddings", WEIR_FIELD(paths.embeddings), {.kind = Check::path}, "/v1/embeddings", "Path of embeddings.")
        .fe("", "DYN_HTTP_SVC_EMB_PATH DYN_HTTP_SVC_EMB_PATH_ENV"),
    row("paths.models", WEIR_FIELD(paths.models), {.kind = Check::path}, "/v1/models",
          "Path of the model list; one model is at <path>/<id>.")
        .fe("", "DYN_HTTP_SVC_MODELS_PATH DYN_HTTP_SVC_MODELS_PATH_ENV"),
    row("paths.health", WEIR_FIELD(paths.health), {.kind = Check::path}, "/health", "Path of the health check.")
        .fe("", "DYN_HTTP_SVC_HEALTH_PATH DYN_HTTP_SVC_HEALTH_PATH_ENV"),
    row("paths.live", WEIR_FIELD(paths.live), {.kind = Check::path}, "/live", "Path of the liveness check.")
        .fe("", "DYN_HTTP_SVC_LIVE_PATH DYN_HTTP_SVC_LIVE_PATH_ENV"),
    row("paths.metrics", WEIR_FIELD(paths.metrics), {.kind = Check::path}, "/metrics", "Path of the Prometheus text.")
        .fe("", "DYN_HTTP_SVC_METRICS_PATH DYN_HTTP_SVC_METRICS_PATH_ENV"),
    later("paths.responses", {.kind = Check::path}, "/v1/responses", responses, "Path of the Responses API.")
        .fe("", "DYN_HTTP_SVC_RESPONSES_PATH DYN_HTTP_SVC_RESPONSES_PATH_ENV"),
    later("paths.anthropic", {.kind = Check::path}, "/v1/messages", "the Anthropic Messages API", "Path of the Messages API.")
        .fe("", "DYN_HTTP_SVC_ANTHROPIC_PATH DYN_HTTP_SVC_ANTHROPIC_PATH_ENV"),
    later("paths.classify", {.kind = Check::path}, "/v1/classify", "classification", "Path of classification.")
        .fe("", "DYN_HTTP_SVC_CLASSIFY_PATH"),
    later("paths.rerank", {.kind = Check::path}, "/v1/rerank", "reranking", "Path of reranking.")
        .fe("", "DYN_HTTP_SVC_RERANK_PATH"),
    later("paths.pooling", {.kind = Check::path}, "/v1/pooling", "pooling", "Path of pooling.")
        .fe("", "DYN_HTTP_SVC_POOLING_PATH"),
    later("paths.files", {.kind = Check::path}, "/v1/files", batch, "Path of uploaded files.").fe("", "DYN_HTTP_SVC_FILES_PATH"),
    later("paths.batches", {.kind = Check::path}, "/v1/batches", batch, "Path of batches.").fe("", "DYN_HTTP_SVC_BATCHES_PATH"),
    later("paths.vllm_generate", {.kind = Check::path}, "/inference/v1/generate", native, "Path of vLLM's token-in route.")
        .fe("", "DYN_HTTP_SVC_VLLM_GENERATE_PATH"),
    later("paths.sglang_generate", {.kind = Check::path}, "/generate", native, "Path of SGLang's route.")
        .fe("", "DYN_HTTP_SVC_SGLANG_GENERATE_PATH"),
};
}  // namespace
std::span<const Row> listen_rows() { return rows; }
std::span<const Row> paths_rows() { return path_rows; }

}  // namespace weir::config
