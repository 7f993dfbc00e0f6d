// A text cut into pieces: between pre-tokenization steps. TextPieces are ranges of one text, so cutting copies nothing; steps that change
// characters write a new text.
#pragma once
#include <string_view>

#include "tokenizer/aligned.h"

namespace weir::tok {

struct TextPiece {
    static constexpr uint32_t open = ~0u;                     // not a token yet
    uint32_t begin = 0, end = 0;                              // of TextPieces::text
    Span origin;                                              // of the input; kept up when tracked
    uint32_t token = open;                                    // an added token's id
};

class TextPieces {
public:
    std::string text;
    std::vector<Span> sources;                                // per byte of text; empty when untracked
    std::vector<TextPiece> items;
    bool tracked = false;

    void clear(bool track) { text.clear(), sources.clear(), items.clear(), tracked = track; }
    std::string_view view(const TextPiece& p) const { return std::string_view(text).substr(p.begin, p.end - p.begin); }
    // Bytes [begin, end) of the text, which lie in `of`, not empty. Knows where they came from as far as `of` does.
    TextPiece cut(const TextPiece& of, uint32_t begin, uint32_t end, uint32_t token = TextPiece::open) const {
        TextPiece out{begin, end, {begin, end}, token};
        if (!tracked) return out;
        out.origin = {sources[begin].begin, sources[end - 1].end};
        if (out.origin.begin > out.origin.end || out.origin.end > of.origin.end) out.origin.end = out.origin.begin;
        return out;
    }
    // Appends text that went through steps, as one uncut range; gives that range.
    TextPiece append(const Aligned& from) {
        TextPiece out{static_cast<uint32_t>(text.size()), 0, from.origin(), TextPiece::open};
        text.append(from.text());
        if (tracked) sources.insert(sources.end(), from.sources().begin(), from.sources().end());
        out.end = static_cast<uint32_t>(text.size());
        return out;
    }
    // Appends a piece of another text as it is.
    TextPiece append(const TextPieces& from, const TextPiece& piece) {
        TextPiece out = piece;
        out.begin = static_cast<uint32_t>(text.size());
        text.append(from.view(piece));
        if (tracked) sources.insert(sources.end(), from.sources.begin() + piece.begin, from.sources.begin() + piece.end);
        out.end = static_cast<uint32_t>(text.size());
        return out;
    }
};

}  // namespace weir::tok
