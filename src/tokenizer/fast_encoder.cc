#include "tokenizer/fast_encoder.h"

#include "tokenizer/fast_byte_level.h"

namespace weir::tok {

std::unique_ptr<FastEncoder> recognise_fast(const TokenizerSpec& spec, const Vocab& vocab, const Bpe& bpe) {
    if (spec.model.kind != ModelSpec::Kind::bpe) return nullptr;
    if (auto made = make_byte_level_encoder(spec, vocab, bpe)) return made;
    return make_sentence_piece_encoder(spec, vocab, bpe);
}

}  // namespace weir::tok
