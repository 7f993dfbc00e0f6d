// The models of tokenizer.json: from one piece of text to token ids.
#pragma once
#include <memory>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "tokenizer/spec.h"
#include "tokenizer/vocab.h"

namespace weir::tok {

struct ModelToken {
    uint32_t id = 0;
    uint32_t begin = 0, end = 0;              // bytes of the piece
    bool spelled = true;                      // its text is the vocabulary's; else it is the piece's own
};

// Working memory of one thread; each model uses what it needs.
struct BpeScratch {
    std::vector<uint32_t> ids, lens;                          // symbols: what they are, their bytes
    std::vector<uint32_t> ranks, before, after;               // of the pair that a symbol starts; its neighbours
    std::vector<uint64_t> heap;
};
struct ModelScratch {
    BpeScratch bpe;
    struct Node {
        double score = 0;
        uint32_t begin = 0, id = 0;
    };
    struct Symbol {
        uint32_t id = 0, len = 0;
        int32_t before = -1, after = -1;
    };
    struct Pair {
        uint32_t rank = 0, at = 0, merged = 0;
    };
    std::vector<Node> nodes;
    std::vector<Symbol> symbols;
    std::vector<Pair> heap;
    std::vector<ModelToken> tokens;
    std::string text;
};

// Immutable; any thread.
class Model {
public:
    virtual ~Model() = default;
    // Appends the tokens of `piece` (valid UTF-8, not empty). Fails with bad_field where the vocabulary has no token for it at all.
    virtual Result<void> encode(std::string_view piece, ModelScratch&, std::vector<ModelToken>& out) const = 0;
    virtual size_t memory_bytes() const = 0;
};

// Of any kind but BPE, which is bpe.h's. `vocab` outlives the model.
Result<std::unique_ptr<Model>> make_model(ModelSpec&, const Vocab& vocab);

std::unique_ptr<Model> make_word_piece(const ModelSpec&, const Vocab&);
std::unique_ptr<Model> make_word_level(const ModelSpec&, const Vocab&);
std::unique_ptr<Model> make_unigram(ModelSpec&, const Vocab&);

}  // namespace weir::tok
