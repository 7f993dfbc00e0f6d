// The decoders of tokenizer.json over lists of token strings, step by step as the reference runs them. This is the plain form: full
// decodes of unusual chains, and the yardstick in tests. Streams go through detokenizer.h.
#pragma once
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "tokenizer/spec.h"

namespace weir::tok {

using Tokens = std::vector<std::string>;

// One decoder, ready to run; immutable and free of locks. A Sequence holds its children in order.
class Decoder {
public:
    static Result<Decoder> make(const DecoderSpec&);   // bad_field: a pattern that does not compile, a replacement that is not one character
    Tokens run(Tokens) const;                          // never fails: where the reference would panic, the token is left as it is

private:
    std::function<Tokens(Tokens)> run_;
};

// The whole decode of a list of tokens: through the decoder, or joined by spaces when there is none.
std::string decode_tokens(const Decoder*, Tokens);

// Steps that look at one token only, for tables made ahead of time.
std::string byte_level_bytes(std::string_view token);             // raw bytes, not necessarily UTF-8; a token with other characters stays as it is
std::optional<uint8_t> byte_fallback_byte(std::string_view token);   // "<0xE4>" -> 0xE4
std::string word_piece_cleanup(std::string text);
std::string replace_all(std::string_view text, std::string_view what, std::string_view by);
Result<std::function<std::string(std::string_view)>> make_replacer(const Pattern&, std::string by);
std::string strip_token(const DecoderSpec& strip, std::string_view token);
// One token of a WordPiece or Metaspace decoder, at the first place of the text or at a later one.
std::string placed_token(const DecoderSpec&, std::string_view token, bool first);

}  // namespace weir::tok
