#include "obs/escape.h"

#include <charconv>
#include <cmath>

namespace weir {
namespace {

constexpr std::string_view replacement = "\xef\xbf\xbd";

template <class Number>
void append_chars(std::string& out, Number value) {
    char text[40];
    const auto end = std::to_chars(text, text + sizeof text, value);
    out.append(text, end.ptr);
}

// Runs of bytes that need nothing are appended at once; `escape` handles one byte and says whether it did.
template <class Escape>
void append_escaped(std::string& out, std::string_view text, Escape escape) {
    size_t plain = 0, i = 0;
    while (i < text.size()) {
        const auto c = static_cast<unsigned char>(text[i]);
        const size_t length = c < 0x80 ? 1 : utf8_length(text.substr(i));
        if (length > 1) {
            i += length;
            continue;
        }
        if (length == 0 || c < 0x20 || c == '"' || c == '\\' || c == 0x7f) {
            out.append(text, plain, i - plain);
            if (length == 0) out += replacement;
            else if (!escape(c)) out += static_cast<char>(c);
            plain = i + 1;
        }
        ++i;
    }
    out.append(text, plain);
}

bool escape_control(std::string& out, unsigned char c) {
    switch (c) {
        case '\n': out += "\\n"; return true;
        case '\r': out += "\\r"; return true;
        case '\t': out += "\\t"; return true;
        default: break;
    }
    if (c >= 0x20 && c != 0x7f) return false;
    constexpr char hex[] = "0123456789abcdef";
    out += "\\u00";
    out += hex[c >> 4];
    out += hex[c & 15];
    return true;
}

}  // namespace

size_t utf8_length(std::string_view text) {
    const auto byte = [&](size_t i) -> unsigned { return i < text.size() ? static_cast<unsigned char>(text[i]) : 0u; };
    const auto follows = [&](size_t i) { return (byte(i) & 0xc0) == 0x80; };
    const unsigned c = byte(0);
    if (text.empty()) return 0;
    if (c < 0x80) return 1;
    if (c < 0xc2) return 0;
    if (c < 0xe0) return follows(1) ? 2 : 0;
    if (c < 0xf0) {
        const bool overlong = c == 0xe0 && byte(1) < 0xa0, surrogate = c == 0xed && byte(1) >= 0xa0;
        return follows(1) && follows(2) && !overlong && !surrogate ? 3 : 0;
    }
    if (c > 0xf4) return 0;
    const bool overlong = c == 0xf0 && byte(1) < 0x90, beyond = c == 0xf4 && byte(1) >= 0x90;
    return follows(1) && follows(2) && follows(3) && !overlong && !beyond ? 4 : 0;
}

void append_json(std::string& out, std::string_view text) {
    out += '"';
    append_escaped(out, text, [&](unsigned char c) {
        if (c != '"' && c != '\\') return escape_control(out, c);
        out += '\\';
        return false;
    });
    out += '"';
}

void append_label(std::string& out, std::string_view text) {
    out += '"';
    append_escaped(out, text, [&](unsigned char c) {
        if (c == '\n') out += "\\n";
        else if (c == '"' || c == '\\') (out += '\\') += static_cast<char>(c);
        else out += '?';                          // the format has no escape for other control characters
        return true;
    });
    out += '"';
}

void append_plain(std::string& out, std::string_view text) {
    append_escaped(out, text, [&](unsigned char c) { return escape_control(out, c); });
}

void append_word(std::string& out, std::string_view text) {
    bool plain = !text.empty();
    for (const char c : text) plain = plain && static_cast<unsigned char>(c) > 0x20 && c != '"' && c != '=' && c != '\\' && c != 0x7f;
    for (size_t i = 0; plain && i < text.size();) {
        const size_t length = utf8_length(text.substr(i));
        plain = length != 0;
        i += length;
    }
    if (plain) out += text;
    else append_json(out, text);
}

void append_number(std::string& out, uint64_t value) { append_chars(out, value); }
void append_number(std::string& out, int64_t value) { append_chars(out, value); }
void append_number(std::string& out, double value) {
    if (std::isnan(value)) out += "NaN";
    else if (std::isinf(value)) out += value < 0 ? "-Inf" : "+Inf";
    else if (std::fabs(value) < 1e15 && value == std::trunc(value)) append_chars(out, static_cast<int64_t>(value));
    else append_chars(out, value);
}

}  // namespace weir
