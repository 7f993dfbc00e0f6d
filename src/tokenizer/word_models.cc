// WordPiece: longest token first, from the left. WordLevel: the whole piece or nothing.
#include "tokenizer/aligned.h"
#include "tokenizer/models.h"
#include "tokenizer/trie.h"

namespace weir::tok {
namespace {

Failure no_unknown(std::string_view name) {
    return Failure(Code::bad_field, "the unknown token '" + std::string(name) + "' is not in the vocabulary");
}

class WordPiece final : public Model {
public:
    WordPiece(const ModelSpec& spec, const Vocab& vocab)
        : unk_(spec.unk_token.value_or("")), unk_id_(vocab.model_id(unk_)), chars_max_(spec.max_input_chars_per_word) {
        std::vector<std::pair<std::string_view, uint32_t>> keys;
        for (uint32_t id = 0; id < spec.vocab.size(); id++)
            if (spec.present[id]) keys.emplace_back(spec.vocab[id], id);
        for (const auto& [text, id] : spec.twins) keys.emplace_back(text, id);
        trie_.build(std::move(keys));
        inside_ = trie_.walk(Trie::root, spec.continuing_subword_prefix);
    }

    Result<void> encode(std::string_view piece, ModelScratch&, std::vector<ModelToken>& out) const override {
        const auto size = static_cast<uint32_t>(piece.size());
        if (size > chars_max_) {
            uint32_t chars = 0;
            for (const char c : piece) chars += (c & 0xC0) != 0x80;
            if (chars > chars_max_) return unknown(size, out);
        }
        const size_t from = out.size();
        for (uint32_t at = 0; at < size;) {
            uint32_t node = at == 0 ? Trie::root : inside_, best = Trie::none, best_end = at;
            for (uint32_t end = at; node != Trie::none && end < size;) {
                node = trie_.step(node, static_cast<uint8_t>(piece[end++]));
                if (node != Trie::none && trie_.value(node) != Trie::none) best = trie_.value(node), best_end = end;
            }
            if (best == Trie::none) {
                out.resize(from);
                return unknown(size, out);
            }
            out.push_back({best, at, best_end, true});
            at = best_end;
        }
        return {};
    }
    size_t memory_bytes() const override { return trie_.memory_bytes(); }

private:
    Result<void> unknown(uint32_t size, std::vector<ModelToken>& out) const {
        if (unk_id_ == Vocab::none) return no_unknown(unk_);
        out.push_back({unk_id_, 0, size, true});
        return {};
    }
    std::string unk_;
    uint32_t unk_id_, inside_ = Trie::none;
    uint32_t chars_max_;
    Trie trie_;
};

class WordLevel final : public Model {
public:
    WordLevel(const ModelSpec& spec, const Vocab& vocab) : vocab_(vocab), unk_(spec.unk_token.value_or("")), unk_id_(vocab.model_id(unk_)) {}

    Result<void> encode(std::string_view piece, ModelScratch&, std::vector<ModelToken>& out) const override {
        uint32_t id = vocab_.model_id(piece);
        if (id == Vocab::none) id = unk_id_;
        if (id == Vocab::none) return no_unknown(unk_);
        out.push_back({id, 0, static_cast<uint32_t>(piece.size()), true});
        return {};
    }
    size_t memory_bytes() const override { return unk_.capacity(); }

private:
    const Vocab& vocab_;
    std::string unk_;
    uint32_t unk_id_;
};

}  // namespace

std::unique_ptr<Model> make_word_piece(const ModelSpec& spec, const Vocab& vocab) { return std::make_unique<WordPiece>(spec, vocab); }
std::unique_ptr<Model> make_word_level(const ModelSpec& spec, const Vocab& vocab) { return std::make_unique<WordLevel>(spec, vocab); }

}  // namespace weir::tok
