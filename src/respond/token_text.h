// Ids of a token engine's answer to text, choice by choice: detokenized as they come, ended at stop strings and ids, counted for usage.
#pragma once
#include <memory>
#include <string>
#include <vector>

#include "tokenizer/stops.h"
#include "tokenizer/tokenizer.h"
#include "types/event.h"
#include "types/token_scores.h"

namespace weir::respond {

struct TokenTextRules {
    TokenizerRef tokenizer;
    std::unique_ptr<const tok::StopSet> stops;    // never null
    std::span<const uint32_t> prompt;             // copied as far as it is needed: a first token's text may depend on what stood before it
    uint32_t prompt_tokens = 0;
    uint16_t choices = 1;
    bool skip_special = true;
    int8_t logprobs = -1;                         // alternatives; -1: none are shown
    std::string echo;                             // said first in each choice
};

// One answer, one core.
class TokenText {
public:
    explicit TokenText(TokenTextRules rules);
    // What the client's encoder gets for these events: `tokens` become text, what is behind a choice's end is dropped, engines' usage is kept
    // for the end. `out` is added to; its events may point into `in` and into this object, until the next call.
    void run(const Batch& in, Batch& out);
    // Every choice has ended, not all of them because the engine said so: it would go on, and nobody listens.
    bool cut() const { return stopped_ > 0 && ended_ == choices_.size(); }
    // Adds the usage of all choices: prompt and completion as counted here, cached tokens as the engine said.
    void usage(Batch& out);
    uint32_t tokens() const { return tokens_; }               // generated, in all
    uint32_t cached() const { return usage_.cached; }

private:
    struct Choice {
        std::unique_ptr<Detokenizer> words;
        std::unique_ptr<tok::StopState> stop;
        std::vector<TokenLogprob> scores;         // of tokens whose text is not out yet; strings are in `kept`
        std::unique_ptr<Arena> kept;
        uint32_t text_offset = 0;                 // characters so far
        bool begun = false, said = false, ended = false;
    };
    Choice& choice(uint16_t index);
    void tokens(const Event&, Batch& out);
    void finish(const Event&, Batch& out);
    void say(Choice&, const Event& from, Str text, Batch& out, bool last);
    void score(Choice&, uint32_t id, const TokenScores&, size_t at);
    TokenTextRules rules_;
    std::vector<uint32_t> before_;                // the prompt's last ids
    std::vector<Choice> choices_;
    size_t ended_ = 0, stopped_ = 0;
    uint32_t tokens_ = 0;
    Usage usage_;
    std::string scratch_, text_;
};

}  // namespace weir::respond
