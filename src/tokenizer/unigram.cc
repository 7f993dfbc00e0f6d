// Unigram: the path of tokens with the highest sum of scores, as the reference's one-pass Viterbi finds it.
#include <algorithm>
#include <array>
#include <cmath>
#include <limits>

#include "tokenizer/aligned.h"
#include "tokenizer/models.h"
#include "tokenizer/trie.h"

namespace weir::tok {
namespace {

constexpr double unknown_penalty = 10;        // below the lowest score
constexpr double rebase_above = 100'000;
constexpr uint32_t unreached = ~0u;

class Unigram final : public Model {
public:
    Unigram(ModelSpec& spec, const Vocab& vocab)
        : vocab_(vocab), scores_(std::move(spec.scores)), unk_id_(spec.unk_id), byte_fallback_(spec.byte_fallback), single_(spec.single_precision) {
        std::vector<std::pair<std::string_view, uint32_t>> keys;
        keys.reserve(spec.vocab.size());
        double lowest = std::numeric_limits<double>::infinity();
        for (uint32_t id = 0; id < spec.vocab.size(); id++) {
            if (std::isnan(scores_[id])) continue;
            keys.emplace_back(spec.vocab[id], id);
            if (scores_[id] < lowest) lowest = scores_[id];
        }
        unknown_score_ = rounded(lowest - unknown_penalty);
        trie_.build(std::move(keys));
        constexpr char digits[] = "0123456789ABCDEF";
        for (unsigned byte = 0; byte < 256; byte++) {
            const char name[] = {'<', '0', 'x', digits[byte >> 4], digits[byte & 15], '>'};
            bytes_[byte] = byte_fallback_ ? vocab_.model_id({name, 6}) : Vocab::none;
        }
    }

    Result<void> encode(std::string_view piece, ModelScratch& scratch, std::vector<ModelToken>& out) const override {
        TRY_OK(best_path(piece, scratch.nodes));
        // Backwards along the path; unknown tokens next to each other become one, which has no id yet.
        const auto& path = scratch.nodes;
        auto& found = scratch.tokens;
        found.clear();
        for (auto end = static_cast<uint32_t>(piece.size()); end > 0; end = path[end].begin) {
            const auto& node = path[end];
            const bool unknown = unk_id_ && node.id == *unk_id_;
            if (unknown && !found.empty() && found.back().id == Vocab::none) found.back().begin = node.begin;
            else found.push_back({unknown ? Vocab::none : node.id, node.begin, end, false});
        }
        for (size_t i = found.size(); i-- > 0;) {
            if (found[i].id != Vocab::none) out.push_back(found[i]);
            else put_unknown(piece, found[i], out);
        }
        return {};
    }

    size_t memory_bytes() const override { return trie_.memory_bytes() + scores_.capacity() * sizeof(double); }

private:
    Result<void> best_path(std::string_view piece, std::vector<ModelScratch::Node>& best) const {
        const auto size = static_cast<uint32_t>(piece.size());
        best.assign(size + 1, {0, unreached, 0});
        for (uint32_t at = 0; at < size;) {
            if (single_ && std::abs(best[at].score) > rebase_above) rebase(best, at);
            const double here = best[at].score;
            const uint32_t step = char_len(piece[at]);
            bool whole_character = false;
            uint32_t node = Trie::root;
            for (uint32_t end = at; end < size;) {
                node = trie_.step(node, static_cast<uint8_t>(piece[end++]));
                if (node == Trie::none) break;
                const uint32_t id = trie_.value(node);
                if (id == Trie::none) continue;
                reach(best[end], rounded(scores_[id] + here), at, id);
                whole_character |= end - at == step;
            }
            if (!whole_character) {
                auto& target = best[at + step];
                const double score = rounded(unknown_score_ + here);
                if (target.begin == unreached || score > target.score) {
                    if (!unk_id_) return no_unknown();
                    target = {score, at, *unk_id_};
                }
            }
            at += step;
        }
        return {};
    }
    // Single precision: as sentencepiece adds, and as it keeps sums small.
    double rounded(double sum) const { return single_ ? static_cast<float>(sum) : sum; }
    static void rebase(std::vector<ModelScratch::Node>& best, uint32_t at) {
        const double offset = best[at].score;
        for (size_t i = at; i < best.size(); i++)
            if (i == at || best[i].begin != unreached) best[i].score = static_cast<float>(best[i].score - offset);
    }
    static void reach(ModelScratch::Node& target, double score, uint32_t from, uint32_t id) {
        if (target.begin == unreached || score > target.score) target = {score, from, id};
    }
    static Failure no_unknown() { return Failure(Code::bad_field, "a character is not in the vocabulary, and the tokenizer has no unknown token"); }

    // Text off the vocabulary: a token of it after all, its bytes, or the unknown token.
    void put_unknown(std::string_view piece, ModelToken token, std::vector<ModelToken>& out) const {
        const std::string_view text = piece.substr(token.begin, token.end - token.begin);
        token.id = vocab_.model_id(text);
        if (token.id != Vocab::none) return out.push_back(token);
        if (byte_fallback_ && std::all_of(text.begin(), text.end(), [this](char c) { return bytes_[static_cast<uint8_t>(c)] != Vocab::none; })) {
            for (const char c : text) out.push_back({bytes_[static_cast<uint8_t>(c)], token.begin, token.end, true});
            return;
        }
        token.id = *unk_id_;
        out.push_back(token);
    }

    const Vocab& vocab_;
    std::vector<double> scores_;
    std::optional<uint32_t> unk_id_;
    bool byte_fallback_, single_;
    double unknown_score_ = 0;
    Trie trie_;
    std::array<uint32_t, 256> bytes_{};
};

}  // namespace

std::unique_ptr<Model> make_unigram(ModelSpec& spec, const Vocab& vocab) { return std::make_unique<Unigram>(spec, vocab); }

}  // namespace weir::tok
