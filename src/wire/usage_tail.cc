#include "wire/usage_tail.h"

#include <algorithm>
#include <cstring>

#include "wire/chars.h"

namespace weir {
namespace {

constexpr std::string_view needle = "\"usage\"";

// Position of the needle, npos if it is not wholly in `text`. Looks for its first two bytes, sixteen at a time.
size_t find_needle(std::string_view text) {
    const char *begin = text.data(), *p = begin, *end = p + text.size();
#if defined(__SSE2__)
    const __m128i first = _mm_set1_epi8(needle[0]), second = _mm_set1_epi8(needle[1]);
    for (; end - p >= 17; p += 16) {
        const __m128i a = _mm_loadu_si128(reinterpret_cast<const __m128i*>(p));
        const __m128i b = _mm_loadu_si128(reinterpret_cast<const __m128i*>(p + 1));
        auto mask = static_cast<unsigned>(_mm_movemask_epi8(_mm_and_si128(_mm_cmpeq_epi8(a, first), _mm_cmpeq_epi8(b, second))));
        for (; mask != 0; mask &= mask - 1) {
            const size_t at = static_cast<size_t>(p - begin) + static_cast<size_t>(std::countr_zero(mask));
            if (text.substr(at, needle.size()) == needle) return at;
        }
    }
#endif
    return text.find(needle, static_cast<size_t>(p - begin));
}

size_t skip_blanks(std::string_view text, size_t at) {
    while (at < text.size() && (chars::is_blank(text[at]) || text[at] == '\n' || text[at] == '\r')) ++at;
    return at;
}

struct Name { std::string_view key; uint32_t Usage::*field; };
constexpr Name names[] = {
    {"prompt_tokens", &Usage::prompt}, {"completion_tokens", &Usage::completion}, {"cached_tokens", &Usage::cached},
    {"reasoning_tokens", &Usage::reasoning}, {"input_tokens", &Usage::prompt}, {"output_tokens", &Usage::completion},
    {"cache_read_input_tokens", &Usage::cached}, {"accepted_prediction_tokens", &Usage::accepted_spec},
};

void take(Usage& usage, std::string_view key, uint64_t number) {
    for (const Name& name : names) {
        if (name.key != key) continue;
        usage.*name.field = static_cast<uint32_t>(std::min<uint64_t>(number, UINT32_MAX));
        if (name.field == &Usage::cached) usage.has_cached = true;
        if (name.field == &Usage::reasoning) usage.has_reasoning = true;
        return;
    }
}

// Length of the object at the front of `text`, 0 when it is not complete.
size_t read_object(std::string_view text, Usage& out) {
    Usage found;
    std::string_view key;
    int depth = 0;
    for (size_t i = 0; i < text.size();) {
        const char c = text[i];
        if (c == '{') {
            ++depth, ++i;
        } else if (c == '}') {   // the only byte that can complete it: hold_on() relies on that
            ++i;
            if (--depth > 0) continue;
            found.from_engine = true;
            out = found;
            return i;
        } else if (c == '"') {
            const size_t from = ++i;
            while (i < text.size() && text[i] != '"') i += text[i] == '\\' ? 2 : 1;
            if (i >= text.size()) return 0;
            key = text.substr(from, i++ - from);
        } else if (chars::is(c, chars::digit)) {
            uint64_t number = 0;
            for (; i < text.size() && chars::is(text[i], chars::digit); ++i)
                number = std::min<uint64_t>(number * 10 + static_cast<uint64_t>(text[i] - '0'), UINT32_MAX);
            take(found, key, number);
            key = {};
        } else {
            if (c == ',') key = {};
            ++i;
        }
    }
    return 0;
}

}  // namespace

bool read_usage(std::string_view object, Usage& out) { return read_object(object, out) > 0; }

// How much of the text behind a needle is dealt with: its object, or nothing that matters; npos: more is needed to tell.
size_t UsageTail::settle(std::string_view text) {
    const std::string_view bounded = text.substr(0, held_max);
    const size_t more = bounded.size() < held_max ? std::string_view::npos : held_max;   // an object this long is given up
    size_t at = skip_blanks(bounded, 0);
    if (at == bounded.size()) return more;
    if (bounded[at] != ':') return at;
    at = skip_blanks(bounded, at + 1);
    if (at == bounded.size()) return more;
    if (bounded[at] != '{') return at;   // null: nothing new
    const size_t length = read_object(bounded.substr(at), usage_);
    return length > 0 ? at + length : more;
}

// Returns what is left of the piece when the held occurrence is settled; empty while it is not.
std::string_view UsageTail::hold_on(std::string_view piece) {
    std::string& held = *held_;
    const size_t before = held.size();
    const bool ends = piece.find('}') != std::string_view::npos, begun = held.find('{') != std::string_view::npos;
    const bool may_settle = ends || !begun || before + piece.size() >= held_max;   // else looking again cannot help
    held.append(piece.substr(0, held_max - before));
    const size_t n = may_settle ? settle(held) : std::string_view::npos;
    if (n == std::string_view::npos) return {};
    held_.reset();
    return piece.substr(n - std::min(n, before));
}

void UsageTail::scan(std::string_view piece) {
    for (size_t at = find_needle(piece); at != std::string_view::npos; at = find_needle(piece)) {
        piece.remove_prefix(at + needle.size());
        const size_t n = settle(piece);
        if (n == std::string_view::npos) {
            held_ = std::make_unique<std::string>(piece);
            return;
        }
        piece.remove_prefix(n);
    }
    matched_ = 0;
    for (size_t n = std::min(piece.size(), needle.size() - 1); n > 0 && matched_ == 0; --n)
        if (piece.substr(piece.size() - n) == needle.substr(0, n)) matched_ = static_cast<uint8_t>(n);
}

void UsageTail::feed(std::string_view piece) {
    if (piece.empty()) return;
    if (!held_ && matched_ > 0) {
        const std::string_view rest = needle.substr(matched_);
        const size_t n = std::min(rest.size(), piece.size());
        const bool goes_on = piece.substr(0, n) == rest.substr(0, n);
        if (goes_on && n < rest.size()) {
            matched_ = static_cast<uint8_t>(matched_ + n);
            return;
        }
        matched_ = 0;
        if (goes_on) {
            held_ = std::make_unique<std::string>();
            piece.remove_prefix(n);
        }
    }
    if (held_) piece = hold_on(piece);
    if (!held_) scan(piece);
}

}  // namespace weir
