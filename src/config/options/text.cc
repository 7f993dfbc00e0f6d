#include "config/options/rows.h"

namespace weir::config {
namespace {
constexpr Str tok = "tokenization", l0 = "the exact tokenizer cache", l1 = "the prefix tokenizer cache", parsers = "parsers",
              cache = "the tokenizer cache";
constexpr Row table[] = {
    later("text.model_path", text(), "", tok, "Model whose tokenizer is used.").la("--model-path --model"),
    later("text.tokenizer_path", text(), "", tok, "Tokenizer, if not the model's.").la("--tokenizer-path"),
    later("text.chat_template", file(), "", "chat templates", "Chat template, if not the model's.").la("--chat-template"),
    later("text.autoload_off", flag(), "false", tok, "Load no tokenizer until asked to.")
        .la("--disable-tokenizer-autoload").off_at("true"),
    later("text.tokenizer", choice("| default fastokens basetenkenizer"), "default", "tokenizer implementation",
          "Which tokenizer implementation.")
        .fe("--tokenizer", "DYN_TOKENIZER"),
    later("text.tokenizer_fallback", flag(), "true", tok, "Use another implementation where that one cannot.")
        .fe("--tokenizer-fallback", "DYN_TOKENIZER_FALLBACK"),
    later("text.trust_remote_code", flag(), "false", tok, "Allow tokenizers that bring code.")
        .fe("--trust-remote-code", "DYN_TRUST_REMOTE_CODE"),
    later("text.cache", flag(), "true", cache, "Cache tokenized prefixes.").fe("", "DYN_TOKENIZER_CACHE"),
    later("text.cache_bytes", size(), "", cache, "Its size, bytes.").fe("", "DYN_TOKENIZER_CACHE_BYTES"),
    later("text.cache_extend", flag(), "true", cache, "Extend cached prefixes.").fe("", "DYN_TOKENIZER_CACHE_EXTEND"),
    later("text.l0", flag(), "false", l0, "Cache whole texts.").la("--tokenizer-cache-enable-l0"),
    later("text.l0_entries", integer(1), "10000", l0, "Texts at most.").la("--tokenizer-cache-l0-max-entries"),
    later("text.l0_bytes", size(), "268435456", l0, "Memory at most, bytes.").la("--tokenizer-cache-l0-max-memory"),
    later("text.l1", flag(), "false", l1, "Cache beginnings of texts.").la("--tokenizer-cache-enable-l1"),
    later("text.l1_bytes", size(), "52428800", l1, "Memory at most, bytes.").la("--tokenizer-cache-l1-max-memory"),
    later("text.reasoning_parser", text(), "", parsers, "How reasoning is found in a model's output.").la("--reasoning-parser"),
    later("text.tool_parser", text(), "", parsers, "How tool calls are found.").la("--tool-call-parser"),
    later("text.parser_family", choice("| legacy symphony"), "legacy", "parser family", "Which family of parsers.")
        .la("--parser"),
    later("text.parser_version", text(), "", parsers, "Parser generation.").fe("", "DYN_PARSER_VERSION").off_at("auto"),
    later("text.parsers_v2", flag(), "false", parsers, "The newer parsers.").fe("", "DYN_ENABLE_EXPERIMENTAL_PARSERS_V2"),
    later("text.guided_tools", flag(), "true", parsers, "Stream tool calls under guided decoding.")
        .fe("", "DYN_ENABLE_GUIDED_TOOL_STREAMING"),
    later("text.exclude_tools_when_none", flag(), "true", "chat templates",
          "Leave tools out of the prompt with tool_choice none.")
        .fe("--exclude-tools-when-tool-choice-none", "DYN_EXCLUDE_TOOLS_WHEN_TOOL_CHOICE_NONE"),
    later("text.backend", choice("sglang vllm | trtllm openai anthropic gemini tokenspeed"), "", "engine",
          "The workers' engine; none: any with the OpenAI API.").la("--backend --runtime").off_at("sglang vllm"),
    later("text.zmq_engines", integer(1), "1", "engines over ZeroMQ", "Engines of one ipc:// worker.").la("--zmq-engine-count"),
};

constexpr Str mm = "media preprocessing", rdma = "pixels over RDMA";
constexpr Row media_table[] = {
    later("media.transport", choice("| inline shm auto rdma"), "", "media transport", "How media tensors reach the engine.")
        .la("--multimodal-tensor-transport"),
    later("media.shm_min", size(), "65536", mm, "Smaller tensors do not use shared memory, bytes.")
        .la("--multimodal-shm-min-bytes"),
    later("media.inflight_max", size(1'024), "", mm, "Preprocessed media under way, bytes.")
        .la("--multimodal-max-inflight-bytes"),
    later("media.images_max", integer(1), "", mm, "Images in one request.").la("--mm-per-request-image-limit"),
    later("media.processing", choice("| auto router worker"), "auto", "media processing", "Who fetches and prepares media.")
        .la("--mm-processing", "SMG_MM_PROCESSING"),
    later("media.pixel_cache_mb", integer(), "0", mm, "Cache of prepared pixels, MiB; 0: none.")
        .la("--mm-pixel-cache-mb", "SMG_MM_PIXEL_CACHE_MB"),
    later("media.pixel_rdma", flag(), "false", rdma, "Serve them over RDMA.").la("--mm-pixel-rdma", "SMG_MM_PIXEL_RDMA"),
    later("media.domains", list(), "", mm, "Hosts that media may be fetched from.").la("--mm-allowed-media-domains"),
    later("media.private_hosts", flag(), "false", mm, "Also fetch from private addresses.")
        .la("--mm-allow-private-media-hosts", "SMG_MM_ALLOW_PRIVATE_MEDIA_HOSTS"),
    later("media.rdma_listen", text(), "", rdma, "Address of the RDMA exchange.").la("--rdma-listen-ip", "SMG_RDMA_LISTEN_IP"),
    later("media.rdma_slot_ttl_s", integer(1), "", rdma, "Seconds a slot stays leased.")
        .la("--rdma-slot-ttl-s", "SMG_RDMA_SLOT_TTL_S"),
    later("media.log_timing", flag(), "false", mm, "Log the time media take.").la("--log-mm-timing", "SMG_LOG_MM_TIMING"),
};
}  // namespace
std::span<const Row> text_rows() { return table; }
std::span<const Row> media_rows() { return media_table; }

}  // namespace weir::config
