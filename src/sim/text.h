// Text without a model: a pseudo-tokenizer for prompts, and seeded words, tokens and vectors. All pure functions.
#pragma once
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace weir::sim {

// A token is a blank with what follows it up to the next blank, cut every 8 bytes. Tokens of a prefix that ends at a blank are
// a prefix of the tokens; every generated word (below) is one token, so an answer sent back as history hits its own KV blocks.
// ids are hashes of the bytes: equal text, equal id. About 1 ns a byte.
void append_tokens(std::string_view text, std::vector<uint32_t>& out);
size_t count_tokens(std::string_view text);
uint32_t token_of(std::string_view piece);   // at most 8 bytes

// The n-th number of a seed's stream; everything generated comes from here.
uint64_t draw(uint64_t seed, uint64_t n);
uint64_t choice_seed(uint64_t seed, uint32_t choice);   // choice 0 keeps the seed

// The n-th word of a seed: with a blank before it unless n is 0; at most 8 bytes; about one in 16 is not ASCII. Static memory.
std::string_view word(uint64_t seed, uint64_t n);
uint32_t word_token(uint64_t seed, uint64_t n);                      // its token, token_of(word(seed, n))
uint32_t vocab_token(uint64_t seed, uint64_t n, uint32_t vocab);     // a real vocabulary: 256 <= id < vocab
std::string words(uint64_t seed, uint64_t count);                    // the first `count`, joined

uint64_t text_seed(std::string_view text);   // a seed from text, for answers that depend on their prompt only
void unit_vector(uint64_t seed, std::span<float> out);   // length 1

}  // namespace weir::sim
