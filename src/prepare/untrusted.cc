#include "prepare/untrusted.h"

namespace weir::prepare {
namespace {

// Walks from code points to bytes, forwards only.
class Bytes {
public:
    explicit Bytes(std::string_view text) : text_(text) {}
    size_t of(uint32_t character) {
        for (; at_character_ < character && at_ < text_.size(); at_character_++)
            do at_++;
            while (at_ < text_.size() && (static_cast<unsigned char>(text_[at_]) & 0xc0) == 0x80);
        return at_;
    }

private:
    std::string_view text_;
    size_t at_ = 0;
    uint32_t at_character_ = 0;
};

}  // namespace

Result<void> encode_untrusted(const Tokenizer& tokenizer, std::string_view text, std::span<const OutputSpan> spans, EncodeScratch& scratch,
                              std::vector<uint32_t>& ids) {
    size_t before = ids.size();
    std::vector<TokenOffset> offsets;
    TRY_OK(tokenizer.encode(text, {}, scratch, ids, &offsets));
    struct Special { size_t begin, end; uint32_t id; };
    std::vector<Special> trusted;
    bool refused = false;
    Bytes bytes(text);
    size_t span = 0;
    for (size_t i = 0; i < offsets.size(); i++) {
        uint32_t id = ids[before + i];
        if (!tokenizer.special(id)) continue;
        size_t begin = bytes.of(offsets[i].begin), end = bytes.of(offsets[i].end);
        while (span < spans.size() && spans[span].end <= begin) span++;
        size_t last = span;   // the template's words may be several spans in a row
        while (last < spans.size() && spans[last].trusted && spans[last].end < end) last++;
        bool whole = last < spans.size() && spans[last].trusted && spans[last].end >= end && spans[span].trusted;
        if (whole) trusted.push_back({begin, end, id});
        else refused = true;
    }
    if (!refused) return Nothing{};
    ids.resize(before);
    EncodeOptions plain;
    plain.special_as_text = true;
    size_t at = 0;
    for (auto& token : trusted) {
        if (token.begin > at) TRY_OK(tokenizer.encode(text.substr(at, token.begin - at), plain, scratch, ids));
        ids.push_back(token.id);
        at = token.end;
    }
    if (at < text.size()) TRY_OK(tokenizer.encode(text.substr(at), plain, scratch, ids));
    return Nothing{};
}

}  // namespace weir::prepare
