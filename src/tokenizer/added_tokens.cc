#include "tokenizer/added_tokens.h"

#include <emmintrin.h>

#include <algorithm>
#include <bit>

#include "tokenizer/aligned.h"
#include "tokenizer/unicode_tables.h"

namespace weir::tok {

AddedTokens::AddedTokens(std::vector<Token> tokens) : tokens_(std::move(tokens)) {
    std::vector<std::pair<std::string_view, uint32_t>> keys;
    // Of tokens with one spelling the first is found (the reference does not say which).
    for (uint32_t i = static_cast<uint32_t>(tokens_.size()); i-- > 0;) keys.emplace_back(tokens_[i].pattern, i);
    trie_.build(std::move(keys));
    std::vector<uint8_t> distinct;
    for (unsigned byte = 0; byte < 256; byte++) {
        starts_[byte] = trie_.step(Trie::root, static_cast<uint8_t>(byte)) != Trie::none;
        if (!starts_[byte]) continue;
        distinct.push_back(static_cast<uint8_t>(byte));
        const uint32_t node = trie_.step(Trie::root, static_cast<uint8_t>(byte));
        for (unsigned next = 0; next < 256; next++)
            seconds_[next] |= trie_.value(node) != Trie::none || trie_.step(node, static_cast<uint8_t>(next)) != Trie::none;
    }
    is_few_ = !distinct.empty() && distinct.size() <= 4;
    for (size_t i = 0; is_few_ && i < 4; i++) few_[i] = distinct[std::min(i, distinct.size() - 1)];
}

size_t AddedTokens::memory_bytes() const {
    size_t sum = trie_.memory_bytes() + tokens_.capacity() * sizeof(Token);
    for (const Token& token : tokens_) sum += token.pattern.capacity();
    return sum;
}

// The next byte that a token may begin with; the text's size when there is none.
size_t AddedTokens::candidate(std::string_view text, size_t from) const {
    size_t at = from;
    if (is_few_) {
        const __m128i a = _mm_set1_epi8(static_cast<char>(few_[0])), b = _mm_set1_epi8(static_cast<char>(few_[1]));
        const __m128i c = _mm_set1_epi8(static_cast<char>(few_[2])), d = _mm_set1_epi8(static_cast<char>(few_[3]));
        for (; at + 16 <= text.size(); at += 16) {
            const __m128i bytes = _mm_loadu_si128(reinterpret_cast<const __m128i*>(text.data() + at));
            const __m128i hit = _mm_or_si128(_mm_or_si128(_mm_cmpeq_epi8(bytes, a), _mm_cmpeq_epi8(bytes, b)),
                                             _mm_or_si128(_mm_cmpeq_epi8(bytes, c), _mm_cmpeq_epi8(bytes, d)));
            for (auto mask = static_cast<unsigned>(_mm_movemask_epi8(hit)); mask != 0; mask &= mask - 1) {
                const size_t found = at + static_cast<size_t>(std::countr_zero(mask));
                if (found + 1 == text.size() || seconds_[static_cast<uint8_t>(text[found + 1])]) return found;
            }
        }
    }
    while (at < text.size() && !starts_[static_cast<uint8_t>(text[at])]) at++;
    return at;
}

AddedTokens::Found AddedTokens::next(std::string_view text, size_t from) const {
    for (size_t at = candidate(text, from); at < text.size(); at = candidate(text, at + 1)) {
        Found found;
        uint32_t node = Trie::root;
        for (size_t end = at; end < text.size();) {
            node = trie_.step(node, static_cast<uint8_t>(text[end++]));
            if (node == Trie::none) break;
            if (trie_.value(node) != Trie::none) found = {at, end, trie_.value(node)};
        }
        if (found.token != Trie::none) return found;
    }
    return {};
}

bool AddedTokens::counts(const Token& token, std::string_view text, const Found& found, bool special_as_text) const {
    if (special_as_text && token.special) return false;
    if (!token.single_word) return true;
    uint32_t len = 0;
    const bool word_before = found.begin > 0 && unicode::is_word(char_before(text, found.begin, len));
    const bool word_behind = found.end < text.size() && unicode::is_word(char_at(text, found.end, len));
    return !word_before && !word_behind;
}

void AddedTokens::cut(std::string_view text, bool special_as_text, std::vector<AddedPart>& out) const {
    out.clear();
    if (text.empty()) return;
    const auto u32 = [](size_t n) { return static_cast<uint32_t>(n); };
    size_t done = 0;
    uint32_t len = 0;
    for (Found found = next(text, 0); found.token != Trie::none; found = next(text, found.end)) {
        const Token& token = tokens_[found.token];
        if (!counts(token, text, found, special_as_text)) continue;
        size_t begin = found.begin, end = found.end;
        if (token.lstrip) {
            while (begin > 0 && unicode::is_white_space(char_before(text, begin, len))) begin -= len;
            begin = std::max(begin, done);                 // unless the token before took the spaces
        }
        if (token.rstrip)
            while (end < text.size() && unicode::is_white_space(char_at(text, end, len))) end += len;
        if (done < begin) out.push_back({u32(done), u32(begin), AddedPart::text});
        if (begin < end) out.push_back({u32(begin), u32(end), token.id});   // else the token before took all of it
        done = end;
    }
    if (done != text.size()) out.push_back({u32(done), u32(text.size()), AddedPart::text});
}

size_t AddedTokens::safe_cut(std::string_view text, size_t limit, AddedPart& around) const {
    std::vector<AddedPart> parts;
    cut(text, false, parts);
    size_t best = 0;
    around.id = 0;
    bool words = false;
    for (const Token& token : tokens_) words |= token.single_word;
    for (const AddedPart& part : parts) {
        if (part.begin > limit) break;
        if (part.id == AddedPart::text && !words && limit < part.end) around = part;
        if (part.id == AddedPart::text) continue;
        const auto token = std::find_if(tokens_.begin(), tokens_.end(), [&](const Token& t) { return t.id == part.id; });
        if (!token->lstrip && !token->single_word) best = part.begin;
    }
    return best;
}

}  // namespace weir::tok
