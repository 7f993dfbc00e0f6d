#include <cmath>
#include <cstdio>

#include "template/format.h"
#include "template/numbers.h"
#include "template/unicode.h"

namespace weir::jinja {
namespace {

constexpr int64_t width_max = 1 << 24;   // wider than any output may be

int64_t number_in(Str spec, size_t& at) {
    int64_t n = -1;
    for (; at < spec.size() && spec[at] >= '0' && spec[at] <= '9'; ++at) n = std::min((n < 0 ? 0 : n) * 10 + (spec[at] - '0'), width_max + 1);
    return n;
}
FormatSpec parse(Str spec, Value v) {
    FormatSpec f;
    auto is_align = [](char c) { return c == '<' || c == '>' || c == '^' || c == '='; };
    size_t at = 0, first = 0;
    bool filled = false;
    if (!spec.empty()) unicode::next(spec, first);
    if (first < spec.size() && first > 0 && is_align(spec[first])) {
        f.fill = spec.substr(0, first);
        filled = true;
        f.align = spec[first];
        at = first + 1;
    } else if (!spec.empty() && is_align(spec[0])) {
        f.align = spec[0];
        at = 1;
    }
    auto take = [&](char c) { return at < spec.size() && spec[at] == c ? (++at, true) : false; };
    if (at < spec.size() && (spec[at] == '+' || spec[at] == '-' || spec[at] == ' ')) f.sign = spec[at++];
    take('z');
    f.alternate = take('#');
    if (take('0') && !filled) {
        f.fill = "0";
        if (!f.align && !v.is_string()) f.align = '=';
    }
    const int64_t width = number_in(spec, at);
    f.width = width < 0 ? 0 : width;
    if (take(',')) f.grouping = ',';
    if (take('_')) {
        if (f.grouping) raise(Error::value, "Cannot specify both ',' and '_'.");
        f.grouping = '_';
    }
    if (take(',')) raise(Error::value, f.grouping == '_' ? "Cannot specify both ',' and '_'." : "Cannot specify ',' with ','.");
    if (take('.')) {
        f.precision = number_in(spec, at);
        if (f.precision < 0) raise(Error::value, "Format specifier missing precision");
    }
    if (spec.size() - at > 1)
        raise(Error::value,
              "Invalid format specifier '" + std::string(spec) + "' for object of type '" + std::string(type_name(v)) + "'");
    if (at < spec.size()) f.type = spec[at];
    if (f.width > width_max || f.precision > width_max) raise(Error::value, "Too many decimal digits in format string");
    return f;
}

[[noreturn]] void unknown_code(char c, Value v) {
    raise(Error::value, std::string("Unknown format code '") + c + "' for object of type '" + std::string(type_name(v)) + "'");
}

void write_padded(Render& r, Str sign, Str body, const FormatSpec& f, char otherwise) {
    const auto used = static_cast<int64_t>(count_chars(sign) + count_chars(body));
    const char align = f.align ? f.align : otherwise;
    const size_t pad = f.width > used ? static_cast<size_t>(f.width - used) : 0;
    const size_t left = align == '>' ? pad : align == '^' ? pad / 2 : 0;
    r.out.fill(f.fill, left);
    r.out.write(sign);
    if (align == '=') r.out.fill(f.fill, pad);
    r.out.write(body);
    if (align != '=') r.out.fill(f.fill, pad - left);
}

// Separators into the digits before the point; with fill '0' and align '=' they go into the padding too.
std::string grouped(std::string digits, const FormatSpec& f, size_t every, size_t sign) {
    if (!f.grouping) return digits;
    const size_t point = std::min(digits.find_first_not_of("0123456789abcdefABCDEF"), digits.size());
    std::string whole = digits.substr(0, point), rest = digits.substr(point);
    auto with = [&](const std::string& plain) {
        std::string out;
        for (size_t k = 0; k < plain.size(); ++k) {
            if (k && (plain.size() - k) % every == 0) out.push_back(f.grouping);
            out.push_back(plain[k]);
        }
        return out;
    };
    std::string text = with(whole);
    if (f.align == '=' && f.fill == "0")
        while (static_cast<int64_t>(text.size() + rest.size() + sign) < f.width) {
            whole.insert(whole.begin(), '0');
            text = with(whole);
        }
    return text + rest;
}

std::string based(uint64_t n, unsigned base, bool upper) {
    const Str digits = upper ? "0123456789ABCDEF" : "0123456789abcdef";
    std::string s;
    do s.insert(s.begin(), digits[n % base]);
    while (n /= base);
    return s;
}

std::string real_body(double d, char type, int precision, bool alternate) {
    if (!std::isfinite(d)) {
        const bool upper = type == 'E' || type == 'F' || type == 'G';
        return std::isnan(d) ? (upper ? "NAN" : "nan") : upper ? "INF" : "inf";
    }
    const char form[] = {'%', alternate ? '#' : '.', alternate ? '.' : '*', alternate ? '*' : type, alternate ? type : '\0', '\0'};
    const int n = std::snprintf(nullptr, 0, form, precision, d);
    std::string text(static_cast<size_t>(n) + 1, '\0');
    std::snprintf(text.data(), text.size(), form, precision, d);
    text.pop_back();
    return text;
}

// Without a type: repr's digits, or "g" of the precision but with a point always.
std::string plain_real(double d, const FormatSpec& f) {
    if (f.precision < 0) {
        char b[32];
        return std::string(real_text(d, b));
    }
    std::string text = real_body(d, 'g', static_cast<int>(std::max<int64_t>(f.precision, 1)), f.alternate);
    const int exponent = d == 0 ? 0 : static_cast<int>(std::floor(std::log10(d)));
    if (text.find('e') == std::string::npos && exponent + 1 >= f.precision && std::isfinite(d) && text.find('.') == std::string::npos) {
        // Python goes to an exponent one digit earlier here, since ".0" is a digit too.
        text = real_body(d, 'e', static_cast<int>(std::max<int64_t>(f.precision - 1, 0)), f.alternate);
        const size_t e = text.find('e');
        std::string digits = text.substr(0, e);
        if (digits.find('.') != std::string::npos) {
            while (digits.back() == '0') digits.pop_back();
            if (digits.back() == '.') digits.pop_back();
        }
        if (exponent + 1 < f.precision || (exponent < f.precision && exponent == 0 && f.precision > 1)) return digits + ".0";
        return digits + text.substr(e);
    }
    if (text.find_first_of(".en") == std::string::npos) text += ".0";
    return text;
}

}  // namespace

void write_text_as(Render& r, Str s, const FormatSpec& f) {
    if (f.precision >= 0) s = chars(s, 0, static_cast<size_t>(f.precision));
    write_padded(r, "", s, f, '<');
}

void write_int_as(Render& r, Value v, const FormatSpec& f) {
    if (f.precision >= 0) raise(Error::value, "Precision not allowed in integer format specifier");
    if (f.grouping && f.type == 'c') raise(Error::value, std::string("Cannot specify '") + f.grouping + "' with 'c'.");
    if (f.type == 'c') {
        if (v.is(Kind::bigint) || v.i < 0 || v.i > 0x10ffff) raise(Error::overflow, "%c arg not in range(0x110000)");
        const size_t mark = r.out.size();
        r.out.code_point(static_cast<uint32_t>(v.i));
        return write_padded(r, "", r.out.take(mark), f, '<');
    }
    std::string prefix, digits;
    bool negative = false;
    size_t every = 3;
    if (v.is(Kind::bigint)) {
        negative = v.s[0] == '-';
        digits = v.str().substr(negative ? 1 : 0);
        if (f.type && f.type != 'd' && f.type != 'n') too_big();
    } else {
        negative = v.i < 0;
        const uint64_t n = negative ? 0 - static_cast<uint64_t>(v.i) : static_cast<uint64_t>(v.i);
        const unsigned base = f.type == 'b' ? 2 : f.type == 'o' ? 8 : f.type == 'x' || f.type == 'X' ? 16 : 10;
        if (base != 10) every = 4;
        if (f.alternate && base != 10) prefix = std::string("0") + f.type;
        digits = based(n, base, f.type == 'X');
    }
    if (f.grouping == ',' && every == 4) raise(Error::value, std::string("Cannot specify ',' with '") + f.type + "'.");
    const std::string sign = (negative ? "-" : f.sign == '-' ? "" : std::string(1, f.sign)) + prefix;
    write_padded(r, sign, grouped(digits, f, every, sign.size()), f, '>');
}

void write_real_as(Render& r, double d, const FormatSpec& f) {
    const bool negative = std::signbit(d) && !std::isnan(d);
    const double x = negative ? -d : d;
    const int precision = static_cast<int>(f.precision < 0 ? 6 : f.precision);
    std::string body;
    if (!f.type) body = plain_real(x, f);
    else if (f.type == '%') body = real_body(x * 100, 'f', precision, f.alternate) + "%";
    else body = real_body(x, f.type == 'n' ? 'g' : f.type, precision, f.alternate);
    const std::string sign = negative ? "-" : f.sign == '-' ? "" : std::string(1, f.sign);
    write_padded(r, sign, grouped(body, f, 3, sign.size()), f, '>');
}

void write_formatted(Render& r, Value v, Str spec) {
    if (spec.empty()) return r.print(v);
    if (!v.is_string() && !v.is_number()) type_error("unsupported format string passed to " + std::string(type_name(v)) + ".__format__");
    FormatSpec f = parse(spec, v);
    if (v.is_string()) {
        if (f.sign != '-') raise(Error::value, "Sign not allowed in string format specifier");
        if (f.type && f.type != 's') unknown_code(f.type, v);
        if (f.alternate) raise(Error::value, "Alternate form (#) not allowed in string format specifier");
        if (f.align == '=') raise(Error::value, "'=' alignment not allowed in string format specifier");
        if (f.grouping) raise(Error::value, std::string("Cannot specify '") + f.grouping + "' with 's'.");
        return write_text_as(r, v.str(), f);
    }
    if (v.is(Kind::boolean) && !f.type) f.type = 'd';
    const bool integer_code = f.type == 0 || Str("bcdoxXn").find(f.type) != Str::npos, real_code = f.type == 0 || Str("eEfFgGn%").find(f.type) != Str::npos;
    if (v.is(Kind::real)) {
        if (!real_code) unknown_code(f.type, v);
        return write_real_as(r, v.d, f);
    }
    if (integer_code) return write_int_as(r, v, f);
    if (!real_code) unknown_code(f.type, v);
    write_real_as(r, v.is(Kind::bigint) ? real_of_bigint(v.str()) : static_cast<double>(v.i), f);
}

}  // namespace weir::jinja
