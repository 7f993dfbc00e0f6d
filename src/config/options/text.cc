#include "config/options/rows.h"

namespace weir::config {
namespace {
constexpr Str tok = "tokenization", parsers = "parsers";
constexpr Row table[] = {
    row("text.model_path", WEIR_FIELD(text.model_path), text(), "",
        "Model whose tokenizer and template are used: a folder, a file, or a Hugging Face id, if need be with @REVISION.")
        .la("--model-path --model"),
    row("text.tokenizer_path", WEIR_FIELD(text.tokenizer_path), text(), "", "Tokenizer, if not the model's; named as a model is.")
        .both("--tokenizer-path"),
    row("text.chat_template", WEIR_FIELD(text.chat_template), file(), "", "File with the chat template, if not the model's.")
        .both("--chat-template"),
    row("text.autoload_off", WEIR_FIELD(text.autoload_off), flag(), "false", "Load no tokenizer at start; POST /v1/tokenizers adds one.")
        .la("--disable-tokenizer-autoload"),
    row("text.untrusted_special", WEIR_FIELD(text.untrusted_special), choice("special text"), "special",
        "What a special token's spelling in a client's text becomes: the token, or plain text.")
        .both("--untrusted-special-tokens"),
    later("text.tokenizer", choice("| default fastokens basetenkenizer"), "default", "tokenizer implementation",
          "Which tokenizer implementation.")
        .fe("--tokenizer", "DYN_TOKENIZER"),
    later("text.tokenizer_fallback", flag(), "true", tok, "Use another implementation where that one cannot.")
        .fe("--tokenizer-fallback", "DYN_TOKENIZER_FALLBACK"),
    later("text.trust_remote_code", flag(), "false", tok, "Allow tokenizers that bring code.")
        .fe("--trust-remote-code", "DYN_TRUST_REMOTE_CODE"),
    row("text.l0", WEIR_FIELD(text.l0), flag(), "false", "Cache the ids of whole texts.").la("--tokenizer-cache-enable-l0"),
    row("text.l0_entries", WEIR_FIELD(text.l0_entries), integer(1), "10000", "Texts in that cache at most.").la("--tokenizer-cache-l0-max-entries"),
    row("text.l0_bytes", WEIR_FIELD(text.l0_bytes), size(), "268435456", "Memory of that cache at most, bytes.")
        .la("--tokenizer-cache-l0-max-memory"),
    row("text.prefixes", WEIR_FIELD(text.prefixes), flag(), "true",
        "Cache the ids of beginnings of texts: of a conversation that grows, only the new turn is encoded. SMG leaves it off.")
        .fe("", "DYN_TOKENIZER_CACHE").la("--tokenizer-cache-enable-l1"),
    row("text.prefix_bytes", WEIR_FIELD(text.prefix_bytes), size(), "52428800", "Memory of that cache at most, bytes.")
        .fe("", "DYN_TOKENIZER_CACHE_BYTES").la("--tokenizer-cache-l1-max-memory"),
    row("text.cache_extend", WEIR_FIELD(text.cache_extend), flag(), "true",
        "Cache what follows a known beginning behind it; else only texts whose beginning is new are kept.")
        .fe("", "DYN_TOKENIZER_CACHE_EXTEND"),
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

constexpr Row hub_table[] = {
    row("hub.endpoint", WEIR_FIELD(hub.endpoint), text(), "https://huggingface.co", "Where models named by an id are fetched from.")
        .fe("", "HF_ENDPOINT").la("", "HF_ENDPOINT"),
    row("hub.token", WEIR_FIELD(hub.token), secret(), "", "Shown to it, for private and gated models.")
        .fe("", "HF_TOKEN HUGGING_FACE_HUB_TOKEN").la("", "HF_TOKEN HUGGING_FACE_HUB_TOKEN"),
    row("hub.token_file", WEIR_FIELD(hub.token_file), file(), "", "File with that token; none: `token` in hub.home.")
        .fe("", "HF_TOKEN_PATH").la("", "HF_TOKEN_PATH"),
    row("hub.home", WEIR_FIELD(hub.home), file(), "", "Folder of Hugging Face's tools; none: huggingface in the user's cache folder.")
        .fe("", "HF_HOME").la("", "HF_HOME"),
    row("hub.cache", WEIR_FIELD(hub.cache), file(), "", "Cache of model files, shared with Python; none: `hub` in hub.home.")
        .fe("", "HF_HUB_CACHE HUGGINGFACE_HUB_CACHE").la("", "HF_HUB_CACHE HUGGINGFACE_HUB_CACHE"),
    row("hub.offline", WEIR_FIELD(hub.offline), flag(), "false", "Fetch nothing; use what is in the cache.")
        .fe("", "HF_HUB_OFFLINE TRANSFORMERS_OFFLINE").la("", "HF_HUB_OFFLINE TRANSFORMERS_OFFLINE"),
    row("hub.revision", WEIR_FIELD(hub.revision), text(), "main", "Branch, tag or commit of models named by an id.").both("--model-revision"),
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
std::span<const Row> hub_rows() { return hub_table; }
std::span<const Row> media_rows() { return media_table; }

}  // namespace weir::config
