#include "template/lexer.h"

#include <algorithm>
#include <array>
#include <cstdlib>

#include "template/numbers.h"
#include "template/raised.h"
#include "template/unicode.h"

namespace weir::jinja {
namespace {

bool word_char(uint32_t c) {
    if (c < 0x80) return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
    return unicode::has(unicode::Property::alpha, c) || unicode::has(unicode::Property::numeric, c) || unicode::has(unicode::Property::id_continue, c);
}
// ASCII by table: 1 a word's character, 2 a digit, 4 white space.
constexpr std::array<uint8_t, 128> make_classes() {
    std::array<uint8_t, 128> t{};
    for (int c = 0; c < 128; ++c) {
        const bool digit = c >= '0' && c <= '9', letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
        t[static_cast<size_t>(c)] = static_cast<uint8_t>((digit || letter) | (digit ? 2 : 0) |
                                                         ((c == ' ' || (c >= 9 && c <= 13) || (c >= 28 && c <= 31)) ? 4 : 0));
    }
    return t;
}
constexpr std::array<uint8_t, 128> classes = make_classes();
bool is_class(char c, uint8_t bits) { return static_cast<unsigned char>(c) < 0x80 && (classes[static_cast<unsigned char>(c)] & bits); }

bool identifier(Str s) {
    if (ascii(s)) return !is_class(s[0], 2);
    size_t at = 0;
    const uint32_t first = unicode::next(s, at);
    if (first != '_' && !unicode::has(unicode::Property::id_start, first)) return false;
    while (at < s.size())
        if (!unicode::has(unicode::Property::id_continue, unicode::next(s, at))) return false;
    return true;
}

class Lexer {
public:
    Lexer(Str source, Arena& arena) : s_(source), arena_(arena) { tokens_.reserve(source.size() / 8 + 16); }

    std::vector<Token> run() {
        while (at_ < s_.size()) root();
        push(T::eof, "");
        return std::move(tokens_);
    }

private:
    [[noreturn]] void fail(const std::string& message) { raise_at(line_, Error::template_syntax, message); }
    void push(T type, Str text) { tokens_.push_back({type, line_, text, {}}); }
    bool at(Str text) const { return s_.substr(at_, text.size()) == text; }
    // Goes on to `to`; line_starting_ tells whether the newest piece ended a line.
    void pass(size_t to) {
        line_ += static_cast<uint32_t>(std::count(s_.begin() + static_cast<long>(at_), s_.begin() + static_cast<long>(to), '\n'));
        if (to > at_) line_starting_ = s_[to - 1] == '\n';
        at_ = to;
    }
    size_t behind_blanks(size_t from) const {
        while (from < s_.size()) {
            if (is_class(s_[from], 4)) {
                ++from;
                continue;
            }
            size_t next = from;
            if (static_cast<unsigned char>(s_[from]) < 0x80 || !unicode::space(unicode::next(s_, next))) break;
            from = next;
        }
        return from;
    }
    // Where a tag ends that `close` closes: "-%}" eats the white space behind it, "%}" one newline. npos: not here.
    size_t tag_end(size_t from, Str close, bool plus, bool trims) const {
        const char sign = from < s_.size() ? s_[from] : '\0';
        const bool signed_close = (sign == '-' || (sign == '+' && plus)) && s_.substr(from + 1, 2) == close;
        if (signed_close) return sign == '-' ? behind_blanks(from + 3) : from + 3;
        if (s_.substr(from, 2) != close) return Str::npos;
        return trims && from + 2 < s_.size() && s_[from + 2] == '\n' ? from + 3 : from + 2;
    }
    void data(size_t to, char sign, bool lstrip) {
        Str text = s_.substr(at_, to - at_);
        const bool starts_line = line_starting_;
        if (sign == '-') {
            text = unicode::strip(text, false, true);
        } else if (sign != '+' && lstrip) {
            const size_t newline = text.rfind('\n');
            const size_t from = newline == Str::npos ? 0 : newline + 1;
            if ((from > 0 || starts_line) && from < text.size() && behind_blanks_in(text, from)) text = text.substr(0, from);
        }
        if (!text.empty()) push(T::data, text);
        pass(to);
    }
    static bool behind_blanks_in(Str text, size_t from) { return unicode::strip(text.substr(from), true, false).empty(); }
    char sign_at(size_t i) const { return i < s_.size() && (s_[i] == '-' || s_[i] == '+') ? s_[i] : '\0'; }

    void root() {
        size_t open = at_;
        for (;; ++open) {
            open = s_.find('{', open);
            if (open == Str::npos || open + 1 >= s_.size()) {
                push(T::data, s_.substr(at_));
                return pass(s_.size());
            }
            const char c = s_[open + 1];
            if (c == '%' || c == '{' || c == '#') break;
        }
        const char kind = s_[open + 1], sign = sign_at(open + 2);
        data(open, sign, kind != '{');
        const size_t inner = open + 2 + (sign ? 1 : 0);
        if (kind == '#') return comment(inner);
        if (kind == '%' && raw(inner)) return;
        push(kind == '%' ? T::block_begin : T::variable_begin, "");
        pass(inner);
        kind == '%' ? inside("%}", T::block_end) : inside("}}", T::variable_end);
    }
    void comment(size_t from) {
        if (size_t i = s_.find("#}", from); i != Str::npos) {
            if (i > from && (s_[i - 1] == '-' || s_[i - 1] == '+')) --i;
            return pass(tag_end(i, "#}", true, true));
        }
        if (from < s_.size()) fail("Missing end of comment tag");
        pass(s_.size());
    }
    static size_t word(Str s, size_t from, Str text) { return s.substr(from, text.size()) == text ? from + text.size() : Str::npos; }
    // {% raw %} up to {% endraw %}: all data.
    bool raw(size_t inner) {
        size_t i = word(s_, behind_blanks(inner), "raw");
        if (i == Str::npos) return false;
        i = behind_blanks(i);
        if (s_.substr(i, 3) == "-%}") i = behind_blanks(i + 3);
        else if (s_.substr(i, 2) == "%}") i += 2;
        else return false;
        pass(i);
        for (size_t open = s_.find("{%", at_); open != Str::npos; open = s_.find("{%", open + 1)) {
            const char sign = sign_at(open + 2);
            const size_t name = word(s_, behind_blanks(open + 2 + (sign ? 1 : 0)), "endraw");
            const size_t end = name == Str::npos ? name : tag_end(behind_blanks(name), "%}", true, true);
            if (end == Str::npos) continue;
            data(open, sign, true);
            pass(end);
            return true;
        }
        if (at_ < s_.size()) fail("Missing end of raw directive");
        return true;
    }

    void inside(Str close, T closing) {
        for (;;) {
            if (balance_.empty()) {
                const size_t end = tag_end(at_, close, closing == T::block_end, closing == T::block_end);
                if (end != Str::npos) {
                    push(closing, "");
                    return pass(end);
                }
            }
            if (at_ >= s_.size()) return;
            token();
        }
    }
    void token() {
        size_t next = at_;
        const uint32_t c = unicode::next(s_, next);
        if (unicode::space(c)) return pass(behind_blanks(at_));
        if (c >= '0' && c <= '9' && number()) return;
        if (word_char(c)) return name();
        if (c == '\'' || c == '"') return string(static_cast<char>(c));
        if (!operation()) {
            fail("unexpected char " + std::string("'") + std::string(s_.substr(at_, next - at_)) + "' at " +
                 std::to_string(count_chars(s_.substr(0, at_))));
        }
    }
    void name() {
        size_t end = at_;
        while (end < s_.size()) {
            if (is_class(s_[end], 1)) {
                ++end;
                continue;
            }
            size_t next = end;
            if (static_cast<unsigned char>(s_[end]) < 0x80 || !word_char(unicode::next(s_, next))) break;
            end = next;
        }
        const Str text = s_.substr(at_, end - at_);
        if (!identifier(text)) fail("Invalid character in identifier");
        push(T::name, text);
        pass(end);
    }
    // digits with single '_' between them; gives the end, or `from` when there is none
    size_t digits(size_t from, Str set) const {
        size_t end = from;
        for (size_t i = from; i < s_.size(); ++i) {
            if (set.find(s_[i]) != Str::npos) end = i + 1;
            else if (s_[i] != '_' || end != i || i == from) break;
        }
        return end;
    }
    bool number() {
        static constexpr Str decimal = "0123456789";
        const bool after_dot = at_ > 0 && s_[at_ - 1] == '.';
        const size_t whole = digits(at_, decimal);
        if (!after_dot) {
            size_t end = whole;
            if (end < s_.size() && s_[end] == '.' && digits(end + 1, decimal) > end + 1) end = digits(end + 1, decimal);
            if (end < s_.size() && (s_[end] | 0x20) == 'e') {
                size_t exponent = end + 1;
                if (exponent < s_.size() && (s_[exponent] == '+' || s_[exponent] == '-')) ++exponent;
                if (digits(exponent, decimal) > exponent) end = digits(exponent, decimal);
            }
            if (end > whole) return real(end);
        }
        size_t end = at_;
        const char base = s_[at_] == '0' && at_ + 1 < s_.size() ? static_cast<char>(s_[at_ + 1] | 0x20) : '\0';
        const Str set = base == 'b' ? "01" : base == 'o' ? "01234567" : base == 'x' ? "0123456789abcdefABCDEF" : "";
        if (!set.empty()) {
            const size_t from = at_ + 2 + (at_ + 2 < s_.size() && s_[at_ + 2] == '_');
            end = digits(from, set);
            if (end == from) end = at_;
        }
        if (end == at_) end = s_[at_] == '0' ? digits(at_, "0") : whole;
        return integer(end);
    }
    std::string without_underscores(size_t end) const {
        std::string text(s_.substr(at_, end - at_));
        text.erase(std::remove(text.begin(), text.end(), '_'), text.end());
        return text;
    }
    bool real(size_t end) {
        push(T::real, s_.substr(at_, end - at_));
        tokens_.back().number = Value::real(std::strtod(without_underscores(end).c_str(), nullptr));
        pass(end);
        return true;
    }
    bool integer(size_t end) {
        push(T::integer, s_.substr(at_, end - at_));
        std::string big;
        const auto n = parse_int(without_underscores(end), 0, &big);
        if (!n && big.empty()) raise_at(line_, Error::value, "Exceeds the limit (4300 digits) for integer string conversion");
        tokens_.back().number = n ? Value::integer(*n) : Value::bigint(arena_.copy(big));
        pass(end);
        return true;
    }
    void string(char quote) {
        size_t end = at_ + 1;
        bool escaped = false;
        while (end < s_.size() && s_[end] != quote) {
            if (s_[end] == '\\') escaped = true, ++end;
            ++end;
        }
        if (end >= s_.size())
            fail("unexpected char " + std::string(quote == '"' ? "'\"'" : "\"'\"") + " at " +
                 std::to_string(count_chars(s_.substr(0, at_))));
        const Str text = s_.substr(at_ + 1, end - at_ - 1);
        push(T::string, escaped ? unescape(text) : text);
        pass(end + 1);
    }
    Str unescape(Str text);
    void escape(Str text, size_t& at, std::string& out);
    uint32_t hex(Str text, size_t& at, size_t digits, const char* what) {
        uint32_t c = 0;
        for (size_t k = 0; k < digits; ++k, ++at) {
            const char x = at < text.size() ? text[at] : '\0';
            const int v = x >= '0' && x <= '9' ? x - '0' : (x | 0x20) >= 'a' && (x | 0x20) <= 'f' ? (x | 0x20) - 'a' + 10 : -1;
            if (v < 0) fail(std::string("truncated ") + what + " escape");
            c = c * 16 + static_cast<uint32_t>(v);
        }
        if (c > 0x10ffff) fail("illegal Unicode character");
        return c;
    }
    bool operation();

    Str s_;
    Arena& arena_;
    std::vector<Token> tokens_;
    std::string balance_;
    size_t at_ = 0;
    uint32_t line_ = 1;
    bool line_starting_ = true;
};

void append(std::string& out, uint32_t c) {
    if (c < 0x80) return out.push_back(static_cast<char>(c));
    if (c < 0x800) out.push_back(static_cast<char>(0xc0 | c >> 6));
    else if (c < 0x10000) out.push_back(static_cast<char>(0xe0 | c >> 12)), out.push_back(static_cast<char>(0x80 | (c >> 6 & 0x3f)));
    else {
        out.push_back(static_cast<char>(0xf0 | c >> 18));
        out.push_back(static_cast<char>(0x80 | (c >> 12 & 0x3f)));
        out.push_back(static_cast<char>(0x80 | (c >> 6 & 0x3f)));
    }
    out.push_back(static_cast<char>(0x80 | (c & 0x3f)));
}

// Python's "unicode-escape": unknown escapes stay as they are.
void Lexer::escape(Str text, size_t& at, std::string& out) {
    static constexpr Str letters = "abfnrtv\\'\"", meanings = "\a\b\f\n\r\t\v\\'\"";
    if (at == text.size()) fail("\\ at end of string");
    const char c = text[at];
    if (const size_t k = letters.find(c); k != Str::npos) return ++at, out.push_back(meanings[k]);
    if (c == '\n') return ++at, void();
    if (c == 'x') return append(out, hex(text, ++at, 2, "\\xXX"));
    if (c == 'u') return append(out, hex(text, ++at, 4, "\\uXXXX"));
    if (c == 'U') return append(out, hex(text, ++at, 8, "\\UXXXXXXXX"));
    if (c == 'N') fail("malformed \\N character escape");
    if (c >= '0' && c <= '7') {
        uint32_t code = 0;
        for (size_t k = 0; k < 3 && at < text.size() && text[at] >= '0' && text[at] <= '7'; ++k, ++at)
            code = code * 8 + static_cast<uint32_t>(text[at] - '0');
        return append(out, code);
    }
    out.push_back('\\');
}
Str Lexer::unescape(Str text) {
    std::string out;
    for (size_t at = 0; at < text.size();) {
        const size_t slash = std::min(text.find('\\', at), text.size());
        out.append(text.substr(at, slash - at));
        at = slash;
        if (at < text.size()) escape(text, ++at, out);
    }
    return arena_.copy(out);
}

bool Lexer::operation() {
    struct Row { Str text; T type; };
    static constexpr Row rows[] = {{"//", T::floordiv}, {"**", T::pow}, {"==", T::eq}, {"!=", T::ne}, {">=", T::gteq}, {"<=", T::lteq},
                                   {"+", T::add}, {"-", T::sub}, {"*", T::mul}, {"/", T::div}, {"%", T::mod}, {"~", T::tilde}, {"(", T::lparen},
                                   {")", T::rparen}, {"[", T::lbracket}, {"]", T::rbracket}, {"{", T::lbrace}, {"}", T::rbrace}, {">", T::gt},
                                   {"<", T::lt}, {"=", T::assign}, {".", T::dot}, {":", T::colon}, {"|", T::pipe}, {",", T::comma}, {";", T::semicolon}};
    const char c = s_[at_];
    for (const Row& row : rows) {
        if (row.text[0] != c || !at(row.text)) continue;
        if (c == '{' || c == '(' || c == '[') balance_.push_back(c == '{' ? '}' : c == '(' ? ')' : ']');
        if (c == '}' || c == ')' || c == ']') {
            if (balance_.empty()) fail(std::string("unexpected '") + c + "'");
            if (balance_.back() != c) fail(std::string("unexpected '") + c + "', expected '" + balance_.back() + "'");
            balance_.pop_back();
        }
        push(row.type, row.text);
        pass(at_ + row.text.size());
        return true;
    }
    return false;
}

}  // namespace

std::vector<Token> tokenize(Str source, Arena& arena) { return Lexer(source, arena).run(); }

std::string normalized(Str source) {
    std::string out;
    out.reserve(source.size());
    const size_t plain = std::min(source.find('\r'), source.size());
    out.append(source.substr(0, plain));
    for (size_t i = plain; i < source.size(); ++i) {
        if (source[i] != '\r') {
            out.push_back(source[i]);
        } else {
            out.push_back('\n');
            if (i + 1 < source.size() && source[i + 1] == '\n') ++i;
        }
    }
    if (!out.empty() && out.back() == '\n') out.pop_back();
    return out;
}

const char* symbol(T type) {
    static constexpr const char* names[] = {
        "template data / text", "begin of print statement", "end of print statement", "begin of statement block", "end of statement block", "name",
        "string", "integer", "float", "+", "-", "*", "/", "//", "%", "**", "~", "(", ")", "[", "]", "{", "}", "==", "!=", ">", ">=", "<", "<=", "=",
        ".", ":", "|", ",", ";", "end of template"};
    return names[static_cast<size_t>(type)];
}
std::string describe(const Token& token) { return token.type == T::name ? std::string(token.text) : symbol(token.type); }

}  // namespace weir::jinja
