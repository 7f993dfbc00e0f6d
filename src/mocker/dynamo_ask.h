// A request for tokens as Dynamo's frontends send it to workers, read from its payload.
#pragma once
#include <optional>
#include <string>
#include <vector>

#include "wire/dynamo_frames.h"

namespace weir::mocker {

struct TokenAsk {
    std::vector<uint32_t> tokens;
    std::optional<uint32_t> max_tokens, rank;
    std::optional<uint64_t> seed;
    uint32_t min_tokens = 0, n = 1;
    bool ignore_eos = false;
    std::vector<uint32_t> ends;                   // tokens that would end the answer; each once
    int logprobs = -1;                            // -1: off; else how many alternatives, at most 20
    std::string lora, cache_salt;
};

inline constexpr uint32_t ask_choices_max = 128, ask_ends_max = 1'024;

// Only token_ids must be there. Failures: bad_json, bad_field (param names the member). What is not known is left alone.
Result<TokenAsk> read_token_ask(Str body, PayloadCodec codec);

}  // namespace weir::mocker
