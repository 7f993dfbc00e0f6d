// Bodies of the tokenizer routes. /v1/tokenize and /v1/detokenize speak as SMG does; /tokenize and /detokenize serve clients of vLLM and
// SGLang alike, whose answers differ in members, not in meaning; /v1/tokenizers is SMG's.
#pragma once
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "api/error_body.h"
#include "base/arena.h"

namespace weir::api {

struct TokenizeAsk {                     // views into the arena or the body
    Str model;                           // empty: not named
    std::span<const Str> prompts;        // unescaped
    bool many = false;                   // a list was sent, so a list is answered
    std::optional<bool> add_special_tokens;
    bool token_strings = false;          // vLLM: return_token_strs
    Str chat;                            // vLLM: the body when it asks with `messages` instead of a prompt, else empty
};
Result<TokenizeAsk> read_tokenize(const Options&, Str body, Arena&);

struct DetokenizeAsk {
    Str model;
    std::span<const std::span<const uint32_t>> tokens;
    bool many = false;
    std::optional<bool> skip_special_tokens;
};
Result<DetokenizeAsk> read_detokenize(const Options&, Str body, Arena&);

// How the answer to /tokenize grows, piece by piece: the ids of a long text take a while to write.
class TokenizeAnswer {
public:
    // `plain`: the shape of vLLM and SGLang; else SMG's.
    TokenizeAnswer(bool many, bool plain, std::string& out) : many_(many), plain_(plain), out_(out) {}
    void begin();
    void begin_prompt();
    void ids(std::span<const uint32_t> some);           // of one prompt, in order; any number of calls
    void end_prompt(uint64_t characters);
    // `context`: the model's length; 0: unknown. `strings`: written as JSON array by the caller, empty: not asked for.
    void end(uint64_t context, std::string_view strings);

private:
    void numbers(const char* name, const std::vector<uint64_t>& values);
    bool many_, plain_;
    std::string& out_;
    std::vector<uint64_t> counts_, characters_;
    uint64_t count_ = 0;
};

Reply detokenize_reply(std::span<const std::string> texts, bool many, bool plain);
uint64_t characters_of(Str utf8);        // code points

// SMG's words: no tokenizer for that model. `any`: there are others.
Reply no_tokenizer_reply(const Options&, Str model, bool any);

struct TokenizerInfo { Str id, name, source, status, message; uint32_t vocab_size = 0; };   // status: pending processing completed failed
struct AddTokenizer { Str name, source, chat_template; };
Result<AddTokenizer> read_add_tokenizer(const Options&, Str body, Arena&);
Reply tokenizer_added_reply(const TokenizerInfo&, int status);           // 202, or 409 for a name that is taken
Reply tokenizers_reply(std::span<const TokenizerInfo>);
Reply tokenizer_reply(const TokenizerInfo&);
Reply tokenizer_status_reply(const TokenizerInfo&);
Reply tokenizer_removed_reply(Str name);
Reply unknown_tokenizer_reply(const Options&, Str id);

}  // namespace weir::api
