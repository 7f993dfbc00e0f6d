// A request for tokens or vectors, read from its JSON body, whichever route it came by.
#pragma once
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace weir::mocker {

enum class Face : uint8_t { chat, completions, embeddings, generate };

struct Ask {
    Face face = Face::chat;
    std::string model;                            // empty: not given
    std::vector<std::vector<uint32_t>> prompts;   // tokens; chat has one. Never empty, nor is any of them
    std::vector<std::string> texts;               // completions with echo: the prompts as text
    std::vector<std::string> stops;               // none empty
    std::optional<uint32_t> max_tokens;
    std::optional<uint64_t> seed;
    uint32_t min_tokens = 0, n = 1, dimensions = 0;   // dimensions 0: the engine's
    int logprobs = -1;                            // -1: off; else how many alternatives, 0..20
    bool stream = false, include_usage = false, ignore_eos = false, echo = false, base64 = false;
    std::string cache_salt, lora;
    bool pre_tokenized = false;                   // the prompt came as ids
    std::optional<uint32_t> rank;                 // data_parallel_rank
};

// Codes: bad_json, missing_field, bad_field (param names the field). Members it does not know are left alone.
Result<Ask> parse_ask(Face face, std::string_view body);

}  // namespace weir::mocker
