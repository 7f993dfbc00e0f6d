// SentencePiece models and their normalizer from any bytes. The first byte divides the input: a model, then a text to normalize.
#include <cstdlib>

#include "tokenizer/charsmap.cc"
#include "tokenizer/sentencepiece.cc"
#include "tokenizer/sentencepiece_normalizer.cc"
#include "wire/protobuf.cc"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
    using namespace weir::tok;
    if (size < 2) return 0;
    const std::string_view all(reinterpret_cast<const char*>(data) + 1, size - 1);
    const size_t cut = std::min<size_t>(data[0], all.size() - 1);
    const std::string text = lossy_utf8(all.substr(all.size() - cut));
    const auto spec = read_sentencepiece(all.substr(0, all.size() - cut), {});
    if (!spec) return 0;
    if (spec->model.vocab.size() != spec->model.present.size()) std::abort();
    if (spec->model.kind == ModelSpec::Kind::unigram && spec->model.scores.size() != spec->model.vocab.size()) std::abort();
    if (!spec->normalizer || spec->normalizer->kind != NormalizerSpec::Kind::sentence_piece) return 0;
    auto normalizer = make_sentencepiece_normalizer(*spec->normalizer);
    if (!normalizer) std::abort();
    std::string first;
    for (const bool tracked : {false, true}) {
        Aligned aligned;
        aligned.start(text, {0, static_cast<uint32_t>(text.size())}, tracked);
        if (!(*normalizer)->run(aligned)) std::abort();
        if (tracked && (aligned.text() != first || aligned.sources().size() != first.size())) std::abort();
        first = aligned.text();
    }
    return 0;
}
