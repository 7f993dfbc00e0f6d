#include "tokenizer/detokenizer_pieces.h"

#include "tokenizer/detokenizer_utf8.h"

namespace weir::tok {

bool ends_open(std::string_view text) { return text.ends_with(replacement_char); }

Pieces::Pieces(const TokenTable& tokens, const std::function<Made(std::string_view)>& make) {
    pieces_.resize(tokens.size());
    for (uint32_t id = 0; id < tokens.size(); ++id) {
        Piece& piece = pieces_[id];
        piece.flags = tokens.flags(id);
        if (!(piece.flags & Piece::present)) continue;
        const Made made = make(tokens.text(id));
        piece.flags |= (made.byte ? Piece::byte : 0) | (made.mark ? Piece::mark : 0);
        if (valid_utf8(made.text) && !ends_open(made.text)) piece.flags |= Piece::closed;
        if (made.text.size() <= sizeof piece.text) {
            piece.size = static_cast<uint8_t>(made.text.size());
            std::memcpy(piece.text, made.text.data(), made.text.size());
            continue;
        }
        piece.flags |= Piece::far;
        const uint32_t at[2] = {static_cast<uint32_t>(far_.size()), static_cast<uint32_t>(made.text.size())};
        std::memcpy(piece.text, at, sizeof at);
        far_ += made.text;
    }
    far_.shrink_to_fit();
}

}  // namespace weir::tok
