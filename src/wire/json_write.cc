#include "wire/json_write.h"

#include <charconv>
#include <cmath>

#include "wire/chars.h"
#include "wire/utf8.h"

namespace weir {
namespace {

bool plain(char c) { return static_cast<unsigned char>(c) >= 0x20 && c != '"' && c != '\\'; }

const char* find_special(const char* p, const char* end) {   // first byte that needs an escape
#if defined(__SSE2__)
    const __m128i quote = _mm_set1_epi8('"'), slash = _mm_set1_epi8('\\'), control = _mm_set1_epi8(0x1f);
    for (; end - p >= 16; p += 16) {
        const __m128i v = _mm_loadu_si128(reinterpret_cast<const __m128i*>(p));
        const __m128i low = _mm_cmpeq_epi8(_mm_min_epu8(v, control), v);
        const __m128i hit = _mm_or_si128(_mm_or_si128(_mm_cmpeq_epi8(v, quote), _mm_cmpeq_epi8(v, slash)), low);
        if (const int mask = _mm_movemask_epi8(hit)) return p + std::countr_zero(static_cast<unsigned>(mask));
    }
#endif
    while (p < end && plain(*p)) ++p;
    return p;
}

void append_escape(std::string& out, char c) {
    switch (c) {
        case '"': out.append("\\\""); return;
        case '\\': out.append("\\\\"); return;
        case '\n': out.append("\\n"); return;
        case '\r': out.append("\\r"); return;
        case '\t': out.append("\\t"); return;
        case '\b': out.append("\\b"); return;
        case '\f': out.append("\\f"); return;
        default: break;
    }
    static constexpr char digits[] = "0123456789abcdef";
    const char text[] = {'\\', 'u', '0', '0', digits[c >> 4 & 15], digits[c & 15]};
    out.append(text, sizeof text);
}

template <class T>
void append_integer(std::string& out, T value) {
    char text[24];
    out.append(text, std::to_chars(text, text + sizeof text, value).ptr);
}

template <class T>
void append_float(std::string& out, T value) {
    if (!std::isfinite(value)) {
        out.append("null");
        return;
    }
    char text[40];
    const char* end = std::to_chars(text, text + sizeof text, value).ptr;
    const std::string_view written(text, static_cast<size_t>(end - text));
    out.append(written);
    if (written.find_first_of(".e") == std::string_view::npos) out.append(".0");   // stays a float for typed readers
}

// Four hex digits at raw[at]; -1 if they are not there.
int unit_at(std::string_view raw, size_t at) {
    if (at + 4 > raw.size()) return -1;
    int unit = 0;
    for (size_t i = at; i < at + 4; ++i) {
        const int digit = chars::hex_value(raw[i]);
        if (digit < 0) return -1;
        unit = unit << 4 | digit;
    }
    return unit;
}

// At the 'u' of an escape. Returns the bytes read behind the backslash, 0 when malformed.
size_t unescape_unit(std::string_view raw, size_t at, std::string& out) {
    const int unit = unit_at(raw, at + 1);
    if (unit < 0 || (unit >= 0xdc00 && unit <= 0xdfff)) return 0;
    if (unit < 0xd800 || unit > 0xdfff) {
        append_utf8(out, static_cast<uint32_t>(unit));
        return 5;
    }
    if (raw.substr(std::min(at + 5, raw.size()), 2) != "\\u") return 0;
    const int low = unit_at(raw, at + 7);
    if (low < 0xdc00 || low > 0xdfff) return 0;
    append_utf8(out, 0x10000u + (static_cast<uint32_t>(unit - 0xd800) << 10) + static_cast<uint32_t>(low - 0xdc00));
    return 11;
}

}  // namespace

void append_json_escaped(std::string& out, std::string_view text) {
    for (const char *p = text.data(), *end = p + text.size(); p < end;) {
        const char* stop = find_special(p, end);
        out.append(p, stop);
        if (stop < end) append_escape(out, *stop++);
        p = stop;
    }
}

void append_json_string(std::string& out, std::string_view text) {
    out.push_back('"');
    append_json_escaped(out, text);
    out.push_back('"');
}

void append_json_number(std::string& out, int64_t value) { append_integer(out, value); }
void append_json_number(std::string& out, uint64_t value) { append_integer(out, value); }
void append_json_number(std::string& out, double value) { append_float(out, value); }
void append_json_number(std::string& out, float value) { append_float(out, value); }

bool json_unescape(std::string_view raw, std::string& out) {
    out.clear();
    for (size_t at = 0; at < raw.size();) {
        const size_t slash = std::min(raw.find('\\', at), raw.size());
        out.append(raw.substr(at, slash - at));
        if (slash == raw.size()) break;
        at = slash + 1;
        if (at == raw.size()) return false;
        size_t used = 1;
        switch (raw[at]) {
            case '"': case '\\': case '/': out.push_back(raw[at]); break;
            case 'n': out.push_back('\n'); break;
            case 't': out.push_back('\t'); break;
            case 'r': out.push_back('\r'); break;
            case 'b': out.push_back('\b'); break;
            case 'f': out.push_back('\f'); break;
            case 'u': used = unescape_unit(raw, at, out); break;
            default: used = 0;
        }
        if (used == 0) return false;
        at += used;
    }
    return true;
}

std::string_view json_unescaped(std::string_view raw, std::string& scratch) {
    if (raw.find('\\') == std::string_view::npos) return raw.data() ? raw : std::string_view("");
    return json_unescape(raw, scratch) ? std::string_view(scratch) : std::string_view{};
}

}  // namespace weir
