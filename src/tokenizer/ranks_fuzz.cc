// tiktoken ranks, tekken.json and the folder's config from any bytes.
#include <cstdlib>

#include "tokenizer/folder_config.cc"
#include "tokenizer/tekken.cc"
#include "tokenizer/tiktoken.cc"
#include "tokenizer/tiktoken_families.cc"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
    using namespace weir::tok;
    const std::string_view text(reinterpret_cast<const char*>(data), size);
    FolderConfig config;
    config.model_type = "qwen";
    looks_like_tiktoken(text);
    for (const bool tekken : {false, true}) {
        const auto spec = tekken ? read_tekken(text) : read_tiktoken(text, "x.tiktoken", config);
        if (!spec) continue;
        if (spec->model.vocab.size() != spec->model.present.size()) std::abort();
        for (const AddedToken& token : spec->added)
            if (token.text.empty()) std::abort();
    }
    if (const auto read = FolderConfig::read(text, text))
        for (const AddedToken& token : read->added)
            if (token.text.empty() || token.id >= vocab_max) std::abort();
    return 0;
}
