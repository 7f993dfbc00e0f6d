// The model of a tokenizer.json: what its JSON says, and the checks and look-ups that make a ModelSpec of it.
#pragma once
#include <memory>
#include <optional>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "tokenizer/file_bytes.h"
#include "tokenizer/spec.h"

namespace weir::tok {

// Views point into `memory`, and can be read 16 bytes past their end. A field of a wrong kind is remembered by name: whether it matters depends on the model.
struct HfModel {
    enum class Vocab : uint8_t { absent, ids, scores, other };
    enum class Merges : uint8_t { absent, lines, pairs, other };
    struct Merge {
        std::string_view left, right;
    };
    std::optional<std::string_view> type;
    Vocab vocab = Vocab::absent;
    Merges merges = Merges::absent;
    std::vector<std::pair<std::string_view, uint32_t>> ids;
    std::vector<std::pair<std::string_view, double>> scores;
    std::vector<std::string_view> merge_lines;  // "a b"
    std::vector<Merge> merge_pairs;             // of the two, the one that `merges` tells
    std::optional<std::string_view> unk_token, continuing_subword_prefix, end_of_word_suffix;
    std::optional<double> dropout;
    std::optional<uint64_t> unk_id, max_input_chars_per_word;
    std::optional<bool> fuse_unk, byte_fallback, ignore_merges;
    std::shared_ptr<const void> memory;
    std::vector<std::string_view> wrong;        // names of fields whose value is of a wrong kind
};

Result<ModelSpec> read_model(const HfModel&);

// A vocab.json: `ids` of a model.
Result<HfModel> read_hf_vocab(const FileBytes& vocab_json);

}  // namespace weir::tok
