// What a tokenizer file says, before anything is built from it. Every loader (Hugging Face JSON, tiktoken, SentencePiece,
// tekken, GGUF) fills one of these; build.h makes a Tokenizer of it. Names and defaults are those of Hugging Face's tokenizer.json.
#pragma once
#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "tokenizer/spellings.h"

namespace weir::tok {

struct AddedToken {
    std::string text;
    uint32_t id = 0;
    bool special = false, lstrip = false, rstrip = false, single_word = false, normalized = true;
    bool as_spelled = false;            // normalized: looked for in normalized text as it is spelled, not as the normalizer would change it
};

struct Pattern {
    std::string text;
    bool regex = false;                 // else a literal string
};

enum class SplitBehavior : uint8_t { removed, isolated, merged_with_previous, merged_with_next, contiguous };
enum class PrependScheme : uint8_t { always, never, first };

struct NormalizerSpec {
    enum class Kind : uint8_t {
        bert, strip, strip_accents, nfc, nfd, nfkc, nfkd, sequence, lowercase, nmt, precompiled, replace, prepend, byte_level,
        sentence_piece,                 // of SentencePiece files: all their rules in one step
    };
    Kind kind = Kind::sequence;
    std::vector<NormalizerSpec> children;                                           // sequence
    bool clean_text = true, handle_chinese_chars = true, lowercase = true;          // bert
    std::optional<bool> strip_accents;                                              // bert
    bool strip_left = true, strip_right = true;                                     // strip
    Pattern pattern;                                                                // replace
    std::string content;   // replace: by what; prepend: what; precompiled, sentence_piece: the charsmap's bytes
    bool add_dummy_prefix = true, remove_extra_whitespaces = true, escape_whitespaces = true, whitespace_as_suffix = false;   // sentence_piece
    std::vector<std::string> verbatim;                                              // sentence_piece: what no rule touches
};

struct PreTokenizerSpec {
    enum class Kind : uint8_t {
        bert, byte_level, char_delimiter_split, metaspace, whitespace, sequence, split, punctuation, whitespace_split, digits, unicode_scripts,
        fixed_length,
    };
    Kind kind = Kind::sequence;
    std::vector<PreTokenizerSpec> children;                                         // sequence
    bool add_prefix_space = true, trim_offsets = true, use_regex = true;            // byte_level
    std::string delimiter;                                                          // char_delimiter_split: one character
    std::string replacement = "\xe2\x96\x81";                                       // metaspace: U+2581
    PrependScheme prepend_scheme = PrependScheme::always;
    bool metaspace_split = true;
    Pattern pattern;                                                                // split
    SplitBehavior behavior = SplitBehavior::isolated;                               // split, punctuation
    bool invert = false;                                                            // split
    bool individual_digits = false;                                                 // digits
    uint32_t length = 5;                                                            // fixed_length
};

struct ModelSpec {
    enum class Kind : uint8_t { bpe, unigram, word_piece, word_level };
    Kind kind = Kind::bpe;
    Spellings vocab;                                                                // by id; an id without token has `present` false
    std::vector<bool> present;
    std::vector<double> scores;                                                     // unigram, by id; not a number: never looked for in a text
    bool single_precision = false;                                                  // unigram: sums as sentencepiece makes them
    // bpe: by rank, as token ids {left, right}; the merged token is their concatenation (less the continuing prefix of right).
    // A pair that stands in the list twice counts at its last place.
    std::vector<std::pair<uint32_t, uint32_t>> merges;
    std::vector<uint32_t> merged;   // bpe: the merged token's id by rank; empty when the loader did not look it up
    std::vector<std::pair<std::string, uint32_t>> twins;                            // further spellings of ids that have one in `vocab` already
    std::vector<uint32_t> merge_ranks;                                              // bpe: rank of each merge, not falling; empty: its place in the list
    // tiktoken: there is no merge list; a pair may merge when its concatenation is a token, lowest id (= rank) first.
    bool merge_by_rank_of_token = false;
    // merge_by_rank_of_token: each id's rank, lowest first, no two alike; no_rank never comes from a merge. Empty: the id itself.
    std::vector<uint32_t> ranks;
    static constexpr uint32_t no_rank = 0xFFFFFFFF;
    std::optional<std::string> unk_token;
    std::optional<uint32_t> unk_id;                                                 // unigram
    std::string continuing_subword_prefix, end_of_word_suffix;                      // bpe; word_piece default is "##"
    bool fuse_unk = false, byte_fallback = false, ignore_merges = false;
    uint32_t max_input_chars_per_word = 100;                                        // word_piece
};

struct TemplatePiece {
    enum class Kind : uint8_t { sequence_a, sequence_b, special };
    Kind kind = Kind::sequence_a;
    std::vector<uint32_t> ids;                                                      // special
    uint32_t type_id = 0;
};

struct PostProcessorSpec {
    enum class Kind : uint8_t { roberta, bert, byte_level, template_processing, sequence };
    Kind kind = Kind::sequence;
    std::vector<PostProcessorSpec> children;
    uint32_t sep_id = 0, cls_id = 0;                                                // roberta, bert
    bool trim_offsets = true, add_prefix_space = true;                              // roberta, byte_level
    std::vector<TemplatePiece> single, pair;                                        // template_processing; the pair's serves a sequence of templates only
    bool single_known = true, pair_known = true;                                    // every special token of the template is told by the file
};

struct DecoderSpec {
    enum class Kind : uint8_t { byte_level, word_piece, metaspace, bpe, ctc, sequence, replace, fuse, strip, byte_fallback,
                               sentence_piece };                                    // byte_fallback and Metaspace as SentencePiece decodes
    Kind kind = Kind::sequence;
    std::vector<DecoderSpec> children;
    std::string prefix = "##";                                                      // word_piece
    bool cleanup = true;                                                            // word_piece, ctc
    std::string replacement = "\xe2\x96\x81";                                       // metaspace
    PrependScheme prepend_scheme = PrependScheme::always;
    std::string suffix = "</w>";                                                    // bpe
    std::string pad_token = "<pad>", word_delimiter_token = "|";                    // ctc
    Pattern pattern;                                                                // replace
    std::string content;                                                            // replace: by what; strip: which character
    uint32_t start = 0, stop = 0;                                                   // strip
    bool per_char = false;                                                          // byte_fallback: only the bytes at fault become U+FFFD, not their whole run
    bool strip_first = false, strip_all = false;   // sentence_piece: U+2581 goes from the first piece; from all before other text
};

struct TokenizerSpec {
    ModelSpec model;
    std::vector<AddedToken> added;
    std::optional<NormalizerSpec> normalizer;
    std::optional<PreTokenizerSpec> pre_tokenizer;
    std::optional<PostProcessorSpec> post_processor;
    std::optional<DecoderSpec> decoder;
    std::optional<uint32_t> truncation_max_length;                                  // read, reported, never applied: a gateway does not cut prompts
};

}  // namespace weir::tok
