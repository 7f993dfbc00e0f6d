// What each token adds to the text, one 16-byte entry a token, so that most tokens cost one cache line.
#pragma once
#include <cstring>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "tokenizer/token_table.h"

namespace weir::tok {

struct Piece {
    static constexpr uint8_t present = TokenTable::present, special = TokenTable::special;
    static constexpr uint8_t byte = 4;      // a byte-fallback token; text[0] is the byte
    static constexpr uint8_t closed = 8;    // valid UTF-8 on its own and not ending in U+FFFD (empty text is closed)
    static constexpr uint8_t mark = 32;     // a SentencePiece space mark stands in front (the text's first byte is its space)
    static constexpr uint8_t far = 16;      // the text is in the block, text[] holds offset and size

    uint8_t flags = 0, size = 0;
    char text[14] = {};
};
static_assert(sizeof(Piece) == 16);

class Pieces {
public:
    struct Made {
        std::string text;
        bool byte = false, mark = false;
    };
    Pieces() = default;
    Pieces(const TokenTable&, const std::function<Made(std::string_view token)>& make);

    // Null for an id without token, or with a special one that is to be skipped (mask: present, or present | special).
    const Piece* find(uint32_t id, uint8_t mask) const {
        if (id >= pieces_.size()) return nullptr;
        const Piece& piece = pieces_[id];
        return (piece.flags & mask) == Piece::present ? &piece : nullptr;
    }
    std::string_view text(const Piece& piece) const {
        if (!(piece.flags & Piece::far)) [[likely]] return {piece.text, piece.size};
        uint32_t at[2];
        std::memcpy(at, piece.text, sizeof at);
        return std::string_view(far_).substr(at[0], at[1]);
    }
    static constexpr uint8_t mask(bool skip_special) { return skip_special ? Piece::present | Piece::special : Piece::present; }
    size_t memory_bytes() const { return pieces_.capacity() * sizeof(Piece) + far_.capacity(); }

private:
    std::vector<Piece> pieces_;
    std::string far_;
};

bool ends_open(std::string_view text);   // in U+FFFD

}  // namespace weir::tok
