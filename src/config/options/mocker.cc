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
    later("mocker.model_path", text(), "", "tokenizers in the mocker", "Model whose tokenizer is used.").mo("--model-path"),
    later("mocker.disaggregation", choice("| agg prefill decode"), "agg", "mocker role",
          "Which part of a request the engine does.")
        .mo("--disaggregation-mode"),
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
    later("mocker.discovery", choice("| etcd kubernetes file mem"), "mem", "mocker discovery backend",
          "Where the engines register.")
        .mo("--discovery-backend"),
};
}  // namespace
std::span<const Row> mocker_rows() { return table; }

}  // namespace weir::config
