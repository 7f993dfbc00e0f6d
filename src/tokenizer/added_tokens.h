// Finds added tokens in a text: leftmost, and of those that start there the longest, with the flags as the reference reads them.
#pragma once
#include <string_view>
#include <vector>

#include "tokenizer/spec.h"
#include "tokenizer/trie.h"

namespace weir::tok {

struct AddedPart {
    static constexpr uint32_t text = ~0u;
    uint32_t begin = 0, end = 0, id = text;                // id: the added token, or `text` for what lies between
};

class AddedTokens {
public:
    struct Token {
        std::string pattern;                               // what is looked for
        uint32_t id = 0;
        bool special = false, lstrip = false, rstrip = false, single_word = false;
    };
    explicit AddedTokens(std::vector<Token>);
    bool empty() const { return tokens_.empty(); }
    // The whole text in parts; nothing for empty text. `special_as_text`: special tokens are not tokens, though they still hide what
    // lies in them.
    void cut(std::string_view text, bool special_as_text, std::vector<AddedPart>& out) const;
    // The last place <= limit where a token starts such that the text on either side can be cut on its own; 0: none. `around` becomes the
    // part that `limit` lies in (text, with nothing in it that could be a token if it were cut), or stays a token's.
    size_t safe_cut(std::string_view text, size_t limit, AddedPart& around) const;
    size_t memory_bytes() const;

private:
    struct Found {
        size_t begin = 0, end = 0;
        uint32_t token = Trie::none;                       // index into tokens_
    };
    Found next(std::string_view text, size_t from) const;
    size_t candidate(std::string_view text, size_t from) const;
    bool counts(const Token&, std::string_view text, const Found&, bool special_as_text) const;

    std::vector<Token> tokens_;
    Trie trie_;
    bool starts_[256] = {};                                // bytes that a token begins with
    bool seconds_[256] = {};                               // and those that may come next, whatever it began with
    uint8_t few_[4] = {};                                  // the same when there are at most four, repeated
    bool is_few_ = false;
};

}  // namespace weir::tok
