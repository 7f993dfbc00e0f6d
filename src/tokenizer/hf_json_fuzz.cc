// Tokenizer files: whatever the bytes are, they are refused with a reason or become a tokenizer that encodes and decodes without a fault,
// and to the same ids with and without offsets.
// Input: a tokenizer.json, then 0xFF, then a text. Without 0xFF a text of our own is used.
#include <cstdlib>
#include <span>
#include <string_view>

#include "tokenizer/hf_json.cc"

namespace {

constexpr std::string_view own_text = "The weir's <s> l\xC3\xA9" "a\xCC\x81  12\n\xE6\xB0\xB4\xE8\xBB\x8A </s>x\xEF\xBB\xBF\xF0\x9F\x8C\x8A \xE2\x96\x81";

void use(const weir::Tokenizer& tokenizer, std::string_view text) {
    const auto scratch = tokenizer.scratch();
    std::vector<uint32_t> ids, with_offsets;
    std::vector<weir::TokenOffset> offsets;
    for (const bool special : {false, true}) {
        ids.clear(), with_offsets.clear(), offsets.clear();
        const auto plain = tokenizer.encode(text, {special, false}, *scratch, ids);
        const auto told = tokenizer.encode(text, {special, false}, *scratch, with_offsets, &offsets);
        if (bool(plain) != bool(told)) std::abort();
        if (!plain) continue;
        if (ids != with_offsets || ids.size() != offsets.size()) std::abort();
        (void)tokenizer.decode(ids, special);
        const auto stream = tokenizer.detokenizer(special);
        std::string out;
        for (const uint32_t id : ids) stream->feed(id, out);
        stream->flush(out);
    }
    if (tokenizer.safe_cut(text, text.size() / 2) > text.size() / 2) std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
    const std::string_view input(reinterpret_cast<const char*>(data), size);
    const size_t cut = input.find('\xFF');
    auto spec = weir::read_hf_tokenizer(input.substr(0, cut));
    if (!spec) {
        if (spec.error()->message.empty()) std::abort();
        return 0;
    }
    auto built = weir::build_tokenizer(*std::move(spec));
    if (built) use(**built, cut == std::string_view::npos ? own_text : input.substr(cut + 1));
    return 0;
}
