// GGUF metadata and vocabularies from any bytes: no read past the end, and a file that is read gives a consistent spec.
#include <cstdlib>

#include "tokenizer/gguf.cc"
#include "tokenizer/gguf_metadata.cc"
#include "tokenizer/gguf_vocab.cc"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
    using namespace weir::tok;
    const auto file = read_gguf(std::string_view(reinterpret_cast<const char*>(data), size));
    if (!file) return 0;
    const size_t n = file->spec.model.vocab.size();
    if (n == 0 || n != file->spec.model.present.size() || n != file->info.vocab_size) std::abort();
    for (const AddedToken& token : file->spec.added)
        if (token.id >= n || token.text.empty()) std::abort();
    for (const auto& [left, right] : file->spec.model.merges)
        if (left >= n || right >= n) std::abort();
    if (file->spec.model.merged.size() != file->spec.model.merges.size()) std::abort();
    for (const uint32_t id : file->info.end_ids)
        if (id >= n) std::abort();
    return 0;
}
