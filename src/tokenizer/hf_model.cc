#include "tokenizer/hf_model.h"

#include <algorithm>

#include "base/limits.h"
#include "tokenizer/spelling_index.h"

namespace weir::tok {
namespace {

using Kind = ModelSpec::Kind;
using Vocab = HfModel::Vocab;

Failure bad(const std::string& what) { return Failure(Code::bad_field, "model" + what); }
std::string quoted(std::string_view text) { return "'" + std::string(text.substr(0, 200)) + "'"; }

bool wrong(const HfModel& m, std::string_view name) { return std::find(m.wrong.begin(), m.wrong.end(), name) != m.wrong.end(); }

// Which of the fields that the model reads are of a wrong kind; a null where the reference takes none counts as absent.
Result<void> all_right(const HfModel& m, std::initializer_list<std::string_view> names) {
    for (const std::string_view name : names)
        if (wrong(m, name)) return bad("." + std::string(name) + ": has a value of a wrong kind");
    return {};
}

class Builder {
public:
    explicit Builder(const HfModel& in) : in_(in) {}

    Result<ModelSpec> bpe() {
        spec_.kind = Kind::bpe;
        TRY_OK(all_right(in_, {"dropout", "unk_token", "continuing_subword_prefix", "end_of_word_suffix", "fuse_unk", "byte_fallback", "ignore_merges"}));
        if (in_.vocab == Vocab::absent || in_.merges == HfModel::Merges::absent) return bad(": vocab or merges are missing");
        if (in_.dropout && !(*in_.dropout >= 0 && *in_.dropout <= 1)) return bad(".dropout: is not between 0 and 1");
        if (in_.dropout && *in_.dropout > 0) return bad(".dropout: is for training, a gateway's tokens must not depend on chance");
        spec_.unk_token = in_.unk_token;
        spec_.continuing_subword_prefix = in_.continuing_subword_prefix.value_or("");
        spec_.end_of_word_suffix = in_.end_of_word_suffix.value_or("");
        spec_.fuse_unk = in_.fuse_unk.value_or(false);
        spec_.byte_fallback = in_.byte_fallback.value_or(false);
        spec_.ignore_merges = in_.ignore_merges.value_or(false);
        TRY_OK(vocab_of_ids());
        TRY_OK(merges());
        return std::move(spec_);
    }
    Result<ModelSpec> word_piece() {
        spec_.kind = Kind::word_piece;
        TRY_OK(all_right(in_, {"unk_token", "continuing_subword_prefix", "max_input_chars_per_word"}));
        if (!in_.unk_token || !in_.continuing_subword_prefix || !in_.max_input_chars_per_word)
            return bad(": unk_token, continuing_subword_prefix or max_input_chars_per_word is missing");
        spec_.unk_token = in_.unk_token;
        spec_.continuing_subword_prefix = *in_.continuing_subword_prefix;
        spec_.max_input_chars_per_word = static_cast<uint32_t>(std::min<uint64_t>(*in_.max_input_chars_per_word, ~0u));
        TRY_OK(vocab_of_ids());
        return std::move(spec_);
    }
    Result<ModelSpec> word_level() {
        spec_.kind = Kind::word_level;
        TRY_OK(all_right(in_, {"unk_token"}));
        if (!in_.unk_token) return bad(".unk_token: is missing");
        spec_.unk_token = in_.unk_token;
        TRY_OK(vocab_of_ids());
        return std::move(spec_);
    }
    Result<ModelSpec> unigram() {
        spec_.kind = Kind::unigram;
        TRY_OK(all_right(in_, {"unk_id", "byte_fallback"}));
        if (in_.vocab != Vocab::scores && !(in_.vocab == Vocab::other && in_.scores.empty())) return bad(".vocab: is not a list of [token, score]");
        if (in_.vocab == Vocab::other) return bad(".vocab: is not a list of [token, score]");
        if (in_.scores.size() > limits::tokenizer_id_max) return bad(".vocab: is too large");
        if (in_.unk_id && *in_.unk_id >= in_.scores.size()) return bad(".unk_id: is not in the vocabulary");
        if (in_.unk_id) spec_.unk_id = static_cast<uint32_t>(*in_.unk_id);
        spec_.byte_fallback = in_.byte_fallback.value_or(false);
        spec_.vocab.keep(in_.memory);
        spec_.vocab.resize(in_.scores.size());
        spec_.scores.reserve(in_.scores.size());
        spec_.present.assign(in_.scores.size(), true);
        for (const auto& [token, score] : in_.scores) {
            TRY_OK(length_allowed(token));
            spec_.vocab.set_view(spec_.scores.size(), token);
            spec_.scores.push_back(score);
        }
        return std::move(spec_);
    }

private:
    static Result<void> length_allowed(std::string_view token) {
        if (token.size() > limits::tokenizer_token_max) return bad(".vocab: a token has " + std::to_string(token.size()) + " bytes");
        return {};
    }

    std::string_view text(uint32_t entry) const { return in_.ids[entry].first; }
    auto texts() const {
        return [this](uint32_t entry) { return text(entry); };
    }

    Result<void> vocab_of_ids() {
        if (in_.vocab != Vocab::ids) return bad(in_.vocab == Vocab::absent ? ".vocab: is missing" : ".vocab: is not a map from tokens to ids");
        uint32_t end = 0;
        size_t longs = 0;
        for (const auto& [token, id] : in_.ids) {
            if (id >= limits::tokenizer_id_max) return bad(".vocab: the id of " + quoted(token) + " is too large");
            TRY_OK(length_allowed(token));
            end = std::max(end, id + 1);
            longs += token.size() > 12;
        }
        bool repeats = false;
        index_.reserve(in_.ids.size(), longs);
        const auto count = static_cast<uint32_t>(in_.ids.size());
        for (uint32_t from = 0; from < count; from += block_size) {
            SpellingIndex::Key keys[block_size];
            const uint32_t to = std::min(from + block_size, count);
            for (uint32_t i = from; i < to; i++) index_.prefetch(keys[i - from] = SpellingIndex::key_of(text(i)));
            for (uint32_t i = from; i < to; i++) repeats |= !index_.put(text(i), keys[i - from], i, texts());
        }
        spec_.vocab.keep(in_.memory);
        spec_.vocab.resize(end);
        spec_.present.assign(end, false);
        for (uint32_t i = 0; i < count; i++) {
            const auto& [token, id] = in_.ids[i];
            if (repeats && index_.find(token, SpellingIndex::key_of(token), texts()) != i) continue;    // stands in the map again, where it counts
            if (spec_.present[id]) {
                spec_.twins.emplace_back(token, id);
            } else {
                spec_.vocab.set_view(id, token);
                spec_.present[id] = true;
            }
        }
        repeats_ = repeats;
        return {};
    }

    Result<HfModel::Merge> split(std::string_view line, size_t rank) const {
        const size_t space = line.find(' ');
        if (space == std::string_view::npos || line.find(' ', space + 1) != std::string_view::npos)
            return bad(".merges[" + std::to_string(rank) + "]: " + quoted(line) + " is not two tokens with a space between");
        return HfModel::Merge{line.substr(0, space), line.substr(space + 1)};
    }

    // In blocks: memory answers many look-ups at once far sooner than one after the other.
    static constexpr uint32_t block_size = 64;
    struct Block {
        size_t count = 0;
        HfModel::Merge merges[block_size];
        size_t ranks[block_size];
        SpellingIndex::Key keys[block_size][2];
        void add(const HfModel::Merge& merge, size_t rank) { merges[count] = merge, ranks[count++] = rank; }
    };

    Result<void> merges() {
        if (in_.merges == HfModel::Merges::other) return bad(".merges: is neither a list of strings nor a list of pairs");
        const size_t count = in_.merge_lines.size() + in_.merge_pairs.size();
        spec_.merges.reserve(count);
        spec_.merged.reserve(count);
        ids_.reserve(in_.ids.size());
        for (const auto& [token, id] : in_.ids) ids_.push_back(id);
        Block block;
        for (size_t i = 0; i < count; i++) {
            if (in_.merges == HfModel::Merges::pairs) {
                block.add(in_.merge_pairs[i], i);
            } else if (!in_.merge_lines[i].starts_with("#version")) {
                TRY(const HfModel::Merge merge, split(in_.merge_lines[i], i));
                block.add(merge, i);
            }
            if (block.count == block_size) TRY_OK(finish(block));
        }
        return finish(block);
    }
    Result<void> finish(Block& block) {
        for (size_t i = 0; i < block.count; i++) {
            index_.prefetch(block.keys[i][0] = SpellingIndex::key_of(block.merges[i].left));
            index_.prefetch(block.keys[i][1] = SpellingIndex::key_of(block.merges[i].right));
        }
        for (size_t i = 0; i < block.count; i++) TRY_OK(add_merge(block.merges[i], block.keys[i], block.ranks[i]));
        block.count = 0;
        return {};
    }
    Result<void> add_merge(const HfModel::Merge& merge, const SpellingIndex::Key (&keys)[2], size_t rank) {
        const size_t prefix = spec_.continuing_subword_prefix.size();
        const uint32_t left = index_.find(merge.left, keys[0], texts()), right = index_.find(merge.right, keys[1], texts());
        if (left == SpellingIndex::none) return unknown(merge.left, rank);
        if (right == SpellingIndex::none) return unknown(merge.right, rank);
        if (merge.right.size() < prefix) return bad(".merges[" + std::to_string(rank) + "]: " + quoted(merge.right) + " lacks the continuing prefix");
        const std::string_view rest = merge.right.substr(prefix);
        // Mostly a merge's token is that of the merge before, or the entry behind it.
        if (!joins(last_, merge.left, rest) && !joins(++last_, merge.left, rest)) {
            joined_.reserve(merge.left.size() + rest.size() + 16);
            joined_.assign(merge.left).append(rest);
            last_ = index_.find(joined_, SpellingIndex::key_of(joined_), texts());
            if (last_ == SpellingIndex::none) return unknown(joined_, rank);
        }
        spec_.merges.emplace_back(ids_[left], ids_[right]);
        spec_.merged.push_back(ids_[last_]);
        return {};
    }
    bool joins(uint32_t entry, std::string_view left, std::string_view right) const {
        if (repeats_ || entry >= in_.ids.size()) return false;
        const std::string_view token = text(entry);
        return token.size() == left.size() + right.size() && token.starts_with(left) && token.ends_with(right);
    }
    static Failure unknown(std::string_view token, size_t rank) {
        return bad(".merges[" + std::to_string(rank) + "]: token " + quoted(token) + " is out of the vocabulary");
    }

    const HfModel& in_;
    ModelSpec spec_;
    SpellingIndex index_;
    bool repeats_ = false;                     // a token stands in the map more than once
    std::vector<uint32_t> ids_;                // of in_.ids, close together
    std::string joined_;
    uint32_t last_ = 0;                        // entry of the last merge's token
};

}  // namespace

Result<ModelSpec> read_model(const HfModel& m) {
    if (m.type == "BPE") return Builder(m).bpe();
    if (m.type == "WordPiece") return Builder(m).word_piece();
    if (m.type == "WordLevel") return Builder(m).word_level();
    if (m.type == "Unigram") return Builder(m).unigram();
    if (m.type) return bad(".type: " + quoted(*m.type) + " is unknown");
    if (wrong(m, "type")) return bad(".type: is not a string");
    // No type: the first model whose fields are all there, in the reference's order. The message is that of the likeliest.
    Result<ModelSpec> bpe = Builder(m).bpe();
    if (bpe) return bpe;
    for (auto make : {&Builder::word_piece, &Builder::word_level, &Builder::unigram})
        if (Result<ModelSpec> made = (Builder(m).*make)()) return made;
    if (m.merges != HfModel::Merges::absent) return bpe;
    return bad(".type: is missing, and the fields do not tell it");
}

}  // namespace weir::tok
