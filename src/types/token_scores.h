// Log probabilities of tokens as token engines give them, before a tokenizer has made text of the ids: Event::more of kind `tokens`.
#pragma once
#include <span>

#include "types/doc.h"

namespace weir {

struct TokenAlternative {
    uint32_t id = 0;
    double logprob = 0;
    Str token;                       // text as the engine knows it; empty when it sent none
};
struct TokenScores {                 // each list is empty, or as long as the event's ids
    std::span<const double> logprobs;
    std::span<const std::span<const TokenAlternative>> top;   // best first
};

}  // namespace weir
