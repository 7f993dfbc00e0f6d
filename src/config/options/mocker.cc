#include "config/options/rows.h"

namespace weir::config {
namespace {
constexpr Row table[] = {
    row("mocker.host", WEIR_FIELD(mocker.host), text(), "127.0.0.1", "Address the engines listen on.").mo("--host"),
    row("mocker.port", WEIR_FIELD(mocker.port), port(), "8100",
          "Port of the first engine, the others follow; 0: the kernel chooses each.")
        .mo("--port"),
    row("mocker.ports", WEIR_FIELD(mocker.ports), {.kind = Check::integers, .hi = 65'535}, "", "A port for each engine instead.")
        .mo("--ports"),
    row("mocker.workers", WEIR_FIELD(mocker.workers), integer(1, 256), "1", "Engines in this process.").mo("--num-workers"),
    Row{.key = "mocker.engine", .field = WEIR_FIELD(mocker.engine), .check = choice("vllm sglang | trtllm"), .def = "vllm",
        .help = "Engine they stand for: its routes and metric names.", .feature = "simulated engine"}.mo("--engine-type --engine"),
    row("mocker.model_names", WEIR_FIELD(mocker.model_names), list(), "demo", "Served model; several names allowed.")
        .mo("--model-name"),
    row("mocker.speedup_ratio", WEIR_FIELD(mocker.speedup_ratio), real(0, 1e9), "1.0",
          "So many times faster than real; 0: no waiting.")
        .mo("--speedup-ratio"),
    row("mocker.decode_speedup_ratio", WEIR_FIELD(mocker.decode_speedup_ratio), real(0, 1e9), "1.0",
          "Besides, for generated tokens.")
        .mo("--decode-speedup-ratio"),
    row("mocker.block_size", WEIR_FIELD(mocker.block_size), integer(1, 65'536), "16", "Tokens of a KV block.").mo("--block-size"),
    row("mocker.num_gpu_blocks", WEIR_FIELD(mocker.num_gpu_blocks), integer(1, 16'777'216), "16384", "KV blocks of an engine.")
        .mo("--num-gpu-blocks --num-gpu-blocks-override"),
    row("mocker.max_num_seqs", WEIR_FIELD(mocker.max_num_seqs), integer(1, 1'000'000), "256", "Requests in one batch.")
        .mo("--max-num-seqs"),
    row("mocker.max_num_batched_tokens", WEIR_FIELD(mocker.max_num_batched_tokens), integer(1, 16'777'216), "8192",
          "Tokens in one batch step.")
        .mo("--max-num-batched-tokens"),
    row("mocker.max_model_len", WEIR_FIELD(mocker.max_model_len), integer(1, 16'777'216), "32768",
          "Longest prompt and answer together, tokens.")
        .mo("--max-model-len"),
    row("mocker.prefix_caching", WEIR_FIELD(mocker.prefix_caching), flag(), "true", "Reuse KV blocks of common prefixes.")
        .mo("--enable-prefix-caching"),
    row("mocker.chunked_prefill", WEIR_FIELD(mocker.chunked_prefill), flag(), "true", "Spread long prompts over several steps.")
        .mo("--enable-chunked-prefill"),
    row("mocker.dp_size", WEIR_FIELD(mocker.dp_size), integer(1, 64), "1", "Data parallel ranks of an engine.")
        .mo("--dp-size --data-parallel-size"),
    row("mocker.startup_time_s", WEIR_FIELD(mocker.startup_time_s), real(0, 86'400), "0",
          "Seconds until an engine is ready; 503 before.")
        .mo("--startup-time"),
    row("mocker.prefill_tokens_per_s", WEIR_FIELD(mocker.prefill_tokens_per_s), or_none(real(0.001, 1e12)), "",
          "Constant prompt speed instead of the built-in curve.")
        .mo("--prefill-tokens-per-s"),
    row("mocker.itl_ms", WEIR_FIELD(mocker.itl_ms), or_none(real(0, 1e9)), "",
          "Constant time between tokens instead of the built-in curve, ms.")
        .mo("--itl-ms"),
    row("mocker.seed", WEIR_FIELD(mocker.seed), integer(), "42", "Seed of texts and chance.").mo("--seed"),
    row("mocker.tokens_default", WEIR_FIELD(mocker.tokens_default), integer(1, 16'777'216), "64",
          "Answer length when a request names none, tokens.")
        .mo("--default-tokens"),
    row("mocker.faults", WEIR_FIELD(mocker.faults), list(), "", "A fault on demand, see src/mocker/README.md; may be repeated.")
        .mo("--fault"),
    row("mocker.api_key", WEIR_FIELD(mocker.api_key), secret(), "", "Bearer token that requests must show.").mo("--api-key"),
    row("mocker.dynamo", WEIR_FIELD(mocker.dynamo), flag(), "false", "Be workers of a Dynamo deployment instead of HTTP servers.").mo("--dynamo"),
    row("mocker.model_path", WEIR_FIELD(mocker.model_path), text(), "", "With --dynamo: folder of the model's configuration and tokenizer.")
        .mo("--model-path"),
    row("mocker.disaggregation", WEIR_FIELD(mocker.role), choice("agg prefill decode"), "",
          "With --dynamo: which part of a request the engine does; none: agg.")
        .mo("--disaggregation-mode"),
    row("mocker.prefill_worker", WEIR_FIELD(mocker.prefill_worker), flag(), "false", "The same as --disaggregation-mode prefill.")
        .mo("--is-prefill-worker"),
    row("mocker.decode_worker", WEIR_FIELD(mocker.decode_worker), flag(), "false", "The same as --disaggregation-mode decode.")
        .mo("--is-decode-worker"),
    row("mocker.namespace", WEIR_FIELD(mocker.ns), text(), "dynamo", "With --dynamo: namespace of the default endpoint.")
        .mo("--namespace", "DYN_NAMESPACE"),
    row("mocker.endpoint", WEIR_FIELD(mocker.endpoint), text(), "",
          "With --dynamo: dyn://namespace.component.endpoint; none: backend.generate, of prefill workers prefill.generate.")
        .mo("--endpoint"),
    Row{.key = "mocker.discovery", .check = choice("file | etcd kubernetes mem"), .def = "file", .help = "With --dynamo: where the workers register.",
        .feature = "mocker discovery backend"}.mo("--discovery-backend", "DYN_DISCOVERY_BACKEND"),
    row("mocker.store", WEIR_FIELD(mocker.store), text(), "", "Folder of file discovery; none: dynamo_store_kv among the temporary files.")
        .mo("", "DYN_FILE_KV"),
    Row{.key = "mocker.request_plane", .check = choice("tcp | nats http"), .def = "tcp", .help = "With --dynamo: how requests come.",
        .feature = "mocker request plane"}.mo("--request-plane", "DYN_REQUEST_PLANE"),
    Row{.key = "mocker.response_plane", .check = choice("tcp | quic"), .def = "tcp", .help = "With --dynamo: how answers go back.",
        .feature = "mocker response plane"}.mo("--response-plane", "DYN_RESPONSE_PLANE"),
    Row{.key = "mocker.event_plane", .check = choice("zmq | nats"), .def = "zmq", .help = "With --dynamo: how events are published.",
        .feature = "mocker event plane"}.mo("--event-plane", "DYN_EVENT_PLANE"),
    row("mocker.request_codec", WEIR_FIELD(mocker.codec), choice("msgpack json"), "msgpack", "With --dynamo: encoding of requests that workers ask for.")
        .mo("--request-plane-codec", "DYN_REQUEST_PLANE_CODEC"),
    row("mocker.grace_s", WEIR_FIELD(mocker.grace_s), integer(0, 86'400), "900", "With --dynamo: how long running answers may take after SIGTERM, seconds.")
        .mo("", "DYN_RUNTIME_GRACEFUL_SHUTDOWN_TIMEOUT_SECS"),
    later("mocker.kv_event_ports", {.kind = Check::integers, .hi = 65'535}, "", "KV events of the mocker",
          "ZeroMQ ports of KV events.")
        .mo("--zmq-kv-events-ports"),
    later("mocker.bootstrap_ports", {.kind = Check::integers, .hi = 65'535}, "", "disaggregated mockers",
          "Bootstrap ports of prefill engines.")
        .mo("--bootstrap-ports"),
    later("mocker.replay_trace", file(), "", "replaying recorded answers", "File with texts to answer.")
        .mo("--response-replay-trace-path"),
    later("mocker.reasoning", text(), "", "reasoning in the mocker", "Give part of the text as reasoning.").mo("--reasoning"),
    later("mocker.host_blocks", integer(), "0", "host memory tier of the mocker", "KV blocks in host memory.")
        .mo("--num-host-blocks"),
};
}  // namespace
std::span<const Row> mocker_rows() { return table; }

}  // namespace weir::config
