// Cutting pieces at matches, with the five behaviours of the reference's Split. Private to the pre-tokenizers.
#pragma once
#include <algorithm>

#include "tokenizer/pre_tokenizers.h"

namespace weir::tok {

using Parts = std::vector<PreTokenizerScratch::Part>;

// What lies between and in matches, in order; offsets within the text.
class PartsOf {
public:
    PartsOf(Parts& out, size_t size) : out_(out), size_(static_cast<uint32_t>(size)) { out.clear(); }
    void match(size_t begin, size_t end) {
        if (last_ != begin) out_.push_back({last_, static_cast<uint32_t>(begin), false});
        out_.push_back({static_cast<uint32_t>(begin), static_cast<uint32_t>(end), true});
        last_ = static_cast<uint32_t>(end);
    }
    void finish() {
        if (last_ != size_) out_.push_back({last_, size_, false});
    }

private:
    Parts& out_;
    uint32_t size_, last_ = 0;
};

// `parts` to what stays of them; empty parts may be among it.
inline void apply_behavior(SplitBehavior behavior, const Parts& parts, Parts& kept) {
    kept.clear();
    bool previous = false;
    switch (behavior) {
    case SplitBehavior::isolated:
        kept = parts;
        break;
    case SplitBehavior::removed:
        for (const auto& p : parts)
            if (!p.match) kept.push_back(p);
        break;
    case SplitBehavior::contiguous:
    case SplitBehavior::merged_with_previous:
        for (const auto& p : parts) {
            const bool joins = behavior == SplitBehavior::contiguous ? p.match == previous : p.match && !previous;
            if (joins && !kept.empty()) kept.back().end = p.end;
            else kept.push_back(p);
            previous = p.match;
        }
        break;
    case SplitBehavior::merged_with_next:
        for (size_t i = parts.size(); i-- > 0;) {
            const auto& p = parts[i];
            if (p.match && !previous && !kept.empty()) kept.back().begin = p.begin;
            else kept.push_back(p);
            previous = p.match;
        }
        std::reverse(kept.begin(), kept.end());
        break;
    }
}

// Cuts every open piece: `find(text, parts)` fills in its parts.
template <class Find>
Result<void> split_pieces(TextPieces& pieces, PreTokenizerScratch& scratch, SplitBehavior behavior, Find find) {
    scratch.items.clear();
    for (const TextPiece& piece : pieces.items) {
        if (piece.token != TextPiece::open) {
            scratch.items.push_back(piece);
            continue;
        }
        TRY_OK(find(pieces.view(piece), scratch.parts));
        const Parts* kept = &scratch.parts;
        if (behavior != SplitBehavior::isolated) apply_behavior(behavior, scratch.parts, scratch.kept), kept = &scratch.kept;
        for (const auto& part : *kept)
            if (part.begin != part.end) scratch.items.push_back(pieces.cut(piece, piece.begin + part.begin, piece.begin + part.end));
    }
    pieces.items.swap(scratch.items);
    return {};
}

// Cuts at every character that `is` tells.
template <class Is>
Result<void> split_at(TextPieces& pieces, PreTokenizerScratch& scratch, SplitBehavior behavior, Is is) {
    return split_pieces(pieces, scratch, behavior, [&](std::string_view text, Parts& parts) -> Result<void> {
        PartsOf out(parts, text.size());
        each_char(text, [&](char32_t c, size_t begin, size_t end) {
            if (is(c)) out.match(begin, end);
        });
        out.finish();
        return {};
    });
}

}  // namespace weir::tok
