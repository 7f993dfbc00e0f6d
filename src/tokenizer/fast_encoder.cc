#include "tokenizer/fast_encoder.h"

#include "tokenizer/fast_byte_level.h"
#include "tokenizer/unicode_normalize.h"

namespace weir::tok {

std::unique_ptr<FastEncoder> recognise_fast(const TokenizerSpec& spec, const Vocab& vocab, const Bpe& bpe) {
    if (spec.model.kind != ModelSpec::Kind::bpe) return nullptr;
    if (spec.normalizer) unicode::quick_check(unicode::Form::nfc, "\u00e9");    // its tables now, not in the first request
    if (auto made = make_byte_level_encoder(spec, vocab, bpe)) return made;
    return make_sentence_piece_encoder(spec, vocab, bpe);
}

}  // namespace weir::tok
