// A text under normalization, with where each of its bytes came from. Steps change it as the reference's NormalizedString changes,
// so that offsets come out alike, down to its peculiarities where text stems from nowhere.
#pragma once
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace weir::tok {

struct Span {
    uint32_t begin = 0, end = 0;
};

class Aligned {
public:
    // The text is bytes [origin.begin, origin.end) of the input. `tracked` false: nobody asks for offsets, none are kept.
    void start(std::string_view text, Span origin, bool tracked);
    void start(std::string_view text, const Span* sources, Span origin);       // of text that went through steps already; tracked

    std::string_view text() const { return text_; }
    bool empty() const { return text_.empty(); }
    bool tracked() const { return tracked_; }
    const std::vector<Span>& sources() const { return sources_; }              // per byte, in bytes of the input; empty when untracked
    Span origin() const { return origin_; }
    // A step met text whose alignment decides what comes out: the caller must start again, tracked.
    bool needs_tracking() const { return needs_tracking_; }
    void need_tracking() { needs_tracking_ = !tracked_; }

    // What a transformation replaces; the whole text, save for text that came from nowhere. False: the reference would do nothing.
    bool replaced_range(uint32_t& begin, uint32_t& end) const;
    void prepend(std::string_view what);                                       // nothing when empty

private:
    friend class Transform;
    friend class Replacement;
    std::string text_, next_;
    std::vector<Span> sources_, next_sources_;
    Span origin_;
    bool tracked_ = false, needs_tracking_ = false;
};

// One pass over the text: the new characters in order, each with its change: 0 stands for the next character, 1 is new beside the one
// before, -n stands for the next one and swallows n more. `skipped` characters at the front vanish.
class Transform {
public:
    Transform(Aligned& text, size_t skipped);
    void put(char32_t c, int change);
    void finish();

private:
    void skip_characters(size_t count);
    Aligned& text_;
    uint32_t begin_ = 0, end_ = 0, at_ = 0;
    bool idle_ = false;
};

// One pass that puts `content` in the place of matches.
class Replacement {
public:
    explicit Replacement(Aligned& text) : text_(text) { text_.next_.clear(), text_.next_sources_.clear(); }
    void match(size_t begin, size_t end, std::string_view content);            // in order, without overlap
    void finish();

private:
    void copy(size_t end);
    Aligned& text_;
    size_t done_ = 0;
};

// --- UTF-8 of text that is known to be valid

inline uint32_t char_len(char lead) {
    const auto b = static_cast<uint8_t>(lead);
    return b < 0x80 ? 1 : b < 0xE0 ? 2 : b < 0xF0 ? 3 : 4;
}
inline char32_t char_at(std::string_view text, size_t at, uint32_t& len) {
    const auto* p = reinterpret_cast<const uint8_t*>(text.data()) + at;
    len = char_len(text[at]);
    switch (len) {
    case 1: return p[0];
    case 2: return (p[0] & 0x1Fu) << 6 | (p[1] & 0x3Fu);
    case 3: return (p[0] & 0x0Fu) << 12 | (p[1] & 0x3Fu) << 6 | (p[2] & 0x3Fu);
    default: return (p[0] & 0x07u) << 18 | (p[1] & 0x3Fu) << 12 | (p[2] & 0x3Fu) << 6 | (p[3] & 0x3Fu);
    }
}
// The character that ends before `end`.
inline char32_t char_before(std::string_view text, size_t end, uint32_t& len) {
    size_t at = end - 1;
    while (at > 0 && (static_cast<uint8_t>(text[at]) & 0xC0) == 0x80) at--;
    return char_at(text, at, len);
}
inline uint32_t put_char(char* out, char32_t c) {
    if (c < 0x80) return out[0] = static_cast<char>(c), 1;
    if (c < 0x800) return out[0] = static_cast<char>(0xC0 | c >> 6), out[1] = static_cast<char>(0x80 | (c & 0x3F)), 2;
    if (c < 0x10000) {
        out[0] = static_cast<char>(0xE0 | c >> 12), out[1] = static_cast<char>(0x80 | (c >> 6 & 0x3F)), out[2] = static_cast<char>(0x80 | (c & 0x3F));
        return 3;
    }
    out[0] = static_cast<char>(0xF0 | c >> 18), out[1] = static_cast<char>(0x80 | (c >> 12 & 0x3F));
    out[2] = static_cast<char>(0x80 | (c >> 6 & 0x3F)), out[3] = static_cast<char>(0x80 | (c & 0x3F));
    return 4;
}
// `each(code_point, begin, end)` for every character.
template <class Each>
void each_char(std::string_view text, Each each) {
    for (size_t at = 0; at < text.size();) {
        uint32_t len = 0;
        const char32_t c = char_at(text, at, len);
        each(c, at, at + len);
        at += len;
    }
}
// The character that GPT-2's byte-level scheme shows a byte as; all are below U+0144.
char32_t byte_level_char(uint8_t byte);

}  // namespace weir::tok
