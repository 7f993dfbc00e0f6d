#include "wire/json_walk.h"

#include <charconv>
#include <cstring>

#include "wire/chars.h"

namespace weir {
namespace {

bool blank(char c) { return c == ' ' || c == '\n' || c == '\r' || c == '\t'; }

size_t skip_blanks(Str text, size_t at) {
    while (at < text.size() && blank(text[at])) ++at;
    return at;
}

// `at`: behind the opening quote; result: behind the closing one. Only quotes are looked for: one ends the string unless an odd number
// of backslashes stands before it, so the other escapes of a long text cost nothing.
size_t skip_string(Str text, size_t at) {
    const char* const begin = text.data() + at;
    const char* const end = text.data() + text.size();
    for (const char* p = begin;; ++p) {
#if defined(__SSE2__)
        if (end - p >= 16) {   // keys and short values end here, without a call
            const __m128i v = _mm_loadu_si128(reinterpret_cast<const __m128i*>(p));
            const unsigned hit = static_cast<unsigned>(_mm_movemask_epi8(_mm_cmpeq_epi8(v, _mm_set1_epi8('"'))));
            p = hit ? p + std::countr_zero(hit) : p + 16;
        }
#endif
        if (p < end && *p != '"') p = static_cast<const char*>(std::memchr(p, '"', static_cast<size_t>(end - p)));
        if (!p || p >= end) return text.size();
        const char* slash = p;
        while (slash > begin && slash[-1] == '\\') --slash;
        if ((p - slash) % 2 == 0) return static_cast<size_t>(p - text.data()) + 1;
    }
}

void append_utf8(char*& to, uint32_t c) {
    if (c < 0x80) {
        *to++ = static_cast<char>(c);
    } else if (c < 0x800) {
        *to++ = static_cast<char>(0xc0 | c >> 6);
        *to++ = static_cast<char>(0x80 | (c & 0x3f));
    } else if (c < 0x10000) {
        *to++ = static_cast<char>(0xe0 | c >> 12);
        *to++ = static_cast<char>(0x80 | (c >> 6 & 0x3f));
        *to++ = static_cast<char>(0x80 | (c & 0x3f));
    } else {
        *to++ = static_cast<char>(0xf0 | c >> 18);
        *to++ = static_cast<char>(0x80 | (c >> 12 & 0x3f));
        *to++ = static_cast<char>(0x80 | (c >> 6 & 0x3f));
        *to++ = static_cast<char>(0x80 | (c & 0x3f));
    }
}

uint32_t hex4(const char* p) {
    uint32_t v = 0;
    for (int i = 0; i < 4; ++i) v = v << 4 | static_cast<uint32_t>(chars::hex_value(p[i]) & 15);
    return v;
}

}  // namespace

JsonKind json_kind(Str value) {
    switch (value.empty() ? 'n' : value[0]) {
        case 'n': return JsonKind::null;
        case 't': case 'f': return JsonKind::boolean;
        case '"': return JsonKind::string;
        case '[': return JsonKind::array;
        case '{': return JsonKind::object;
        default: return JsonKind::number;
    }
}

size_t json_skip(Str text, size_t at) {
    if (at >= text.size()) return text.size();
    if (text[at] == '"') return skip_string(text, at + 1);
    if (text[at] != '{' && text[at] != '[') {
        while (at < text.size() && !blank(text[at]) && text[at] != ',' && text[at] != '}' && text[at] != ']') ++at;
        return at;
    }
    for (size_t depth = 0; at < text.size();) {
        char c = text[at++];
        if (c == '"') at = skip_string(text, at);
        else if (c == '{' || c == '[') ++depth;
        else if ((c == '}' || c == ']') && --depth == 0) return at;
    }
    return text.size();
}

Str json_inside(Str string_value) { return string_value.size() < 2 ? Str{} : string_value.substr(1, string_value.size() - 2); }

Str json_text(Str string_value, Arena& arena) {
    Str in = json_inside(string_value);
    size_t first = in.find('\\');
    if (first == Str::npos) return in;
    char* start = static_cast<char*>(arena.alloc(in.size(), 1));   // an escape is never shorter than what it stands for
    std::memcpy(start, in.data(), first);
    char* to = start + first;
    for (size_t i = first; i < in.size();) {
        if (in[i] != '\\') {
            size_t next = std::min(in.find('\\', i), in.size());
            std::memcpy(to, in.data() + i, next - i);
            to += next - i;
            i = next;
            continue;
        }
        if (i + 1 >= in.size()) break;
        char c = in[i + 1];
        i += 2;
        switch (c) {
            case 'b': *to++ = '\b'; break;
            case 'f': *to++ = '\f'; break;
            case 'n': *to++ = '\n'; break;
            case 'r': *to++ = '\r'; break;
            case 't': *to++ = '\t'; break;
            case 'u': {
                if (i + 4 > in.size()) return {start, static_cast<size_t>(to - start)};
                uint32_t u = hex4(in.data() + i);
                i += 4;
                if (u >= 0xd800 && u < 0xdc00 && i + 6 <= in.size() && in[i] == '\\' && in[i + 1] == 'u') {
                    uint32_t low = hex4(in.data() + i + 2);
                    if (low >= 0xdc00 && low < 0xe000) {
                        u = 0x10000 + ((u - 0xd800) << 10) + (low - 0xdc00);
                        i += 6;
                    }
                }
                if (u >= 0xd800 && u < 0xe000) u = 0xfffd;   // a lone surrogate has no UTF-8 form
                append_utf8(to, u);
                break;
            }
            default: *to++ = c;
        }
    }
    arena.shrink(start, in.size(), static_cast<size_t>(to - start));
    return {start, static_cast<size_t>(to - start)};
}

bool json_is(Str string_value, Str plain) { return json_kind(string_value) == JsonKind::string && json_inside(string_value) == plain; }

bool JsonMembers::next() {
    at_ = skip_blanks(text_, at_);
    if (at_ < text_.size() && text_[at_] == ',') at_ = skip_blanks(text_, at_ + 1);
    if (at_ >= text_.size() || text_[at_] != '"') return false;
    size_t end = skip_string(text_, at_ + 1);
    key = text_.substr(at_ + 1, end - at_ - 2);
    at_ = skip_blanks(text_, end);
    at_ = skip_blanks(text_, at_ + 1);   // ':'
    end = json_skip(text_, at_);
    if (at_ > text_.size()) return false;
    value = text_.substr(at_, end - at_);
    at_ = end;
    return true;
}

bool JsonItems::next() {
    at_ = skip_blanks(text_, at_);
    if (at_ < text_.size() && text_[at_] == ',') at_ = skip_blanks(text_, at_ + 1);
    if (at_ >= text_.size() || text_[at_] == ']') return false;
    size_t end = json_skip(text_, at_);
    if (end == at_) return false;
    value = text_.substr(at_, end - at_);
    at_ = end;
    return true;
}

Str json_member(Str object_value, Str key) {
    Str found;
    for (JsonMembers m(object_value); m.next();)
        if (m.key == key) found = m.value;
    return found;
}

size_t json_count(Str array_value) {
    size_t n = 0;
    for (JsonItems i(array_value); i.next();) ++n;
    return n;
}

bool json_empty(Str value) { return value.size() >= 2 && skip_blanks(value, 1) == value.size() - 1; }

bool json_is_integer(Str number) { return !number.empty() && number.find_first_of(".eE") == Str::npos; }

template <class T>
static std::optional<T> parse(Str number) {
    T v{};
    auto [p, error] = std::from_chars(number.data(), number.data() + number.size(), v);
    if (error != std::errc() || p != number.data() + number.size()) return std::nullopt;
    return v;
}

std::optional<int64_t> json_int(Str number) { return parse<int64_t>(number); }
std::optional<uint64_t> json_uint(Str number) { return parse<uint64_t>(number); }
std::optional<double> json_double(Str number) { return parse<double>(number); }

}  // namespace weir
