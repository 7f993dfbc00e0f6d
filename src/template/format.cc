// str.format and "%".
#include "template/format.h"

#include <algorithm>
#include <cmath>

#include "template/numbers.h"
#include "template/unicode.h"

namespace weir::jinja {
namespace {

// string.Formatter with the sandbox's way of looking up attributes.
class Formatter {
public:
    Formatter(Render& r, std::span<const Value> args, const Dict* named) : r_(r), args_(args), named_(named) {}
    void write(Str format, int depth) {
        if (depth < 0) raise(Error::value, "Max string recursion exceeded");
        for (size_t at = 0; at < format.size();) {
            const char c = format[at];
            if (c != '{' && c != '}') {
                const size_t end = std::min(format.find_first_of("{}", at), format.size());
                r_.out.write(format.substr(at, end - at));
                at = end;
                continue;
            }
            if (at + 1 < format.size() && format[at + 1] == c) {
                r_.out.put(c);
                at += 2;
                continue;
            }
            if (c == '}') raise(Error::value, "Single '}' encountered in format string");
            at = field(format, at + 1, depth);
        }
    }

private:
    // A replacement field that begins at `at`; gives where it ends.
    size_t field(Str format, size_t at, int depth) {
        size_t end = at;
        int open = 1;
        for (; end < format.size(); ++end) {
            if (format[end] == '{') ++open;
            if (format[end] == '}' && --open == 0) break;
        }
        if (end >= format.size()) raise(Error::value, at >= format.size() ? "Single '{' encountered in format string" : "expected '}' before end of string");
        const Str text = format.substr(at, end - at);
        size_t name_end = 0;
        for (bool in_index = false; name_end < text.size(); ++name_end) {
            if (text[name_end] == '[') in_index = true;
            if (text[name_end] == ']') in_index = false;
            if (text[name_end] == '{') raise(Error::value, "unexpected '{' in field name");
            if (!in_index && (text[name_end] == ':' || text[name_end] == '!')) break;
        }
        Str spec, rest = text.substr(name_end);
        char conversion = 0;
        if (rest.starts_with('!')) {
            if (rest.size() < 2) raise(Error::value, "end of string while looking for conversion specifier");
            conversion = rest[1];
            rest.remove_prefix(2);
            if (!rest.empty() && rest[0] != ':') raise(Error::value, "expected ':' after conversion specifier");
        }
        if (!rest.empty()) spec = rest.substr(1);
        Value v = lookup(text.substr(0, name_end));
        v = converted(v, conversion);
        if (spec.find_first_of("{}") != Str::npos) {
            const size_t mark = r_.out.size();
            write(spec, depth - 1);
            spec = r_.out.take(mark);
        }
        write_formatted(r_, v, spec);
        return end + 1;
    }
    Value converted(Value v, char how) {
        if (!how) return v;
        const size_t mark = r_.out.size();
        if (how == 's') return to_str(r_.out, v);
        if (how != 'r' && how != 'a') raise(Error::value, std::string("Unknown conversion specifier ") + how);
        write_repr(r_.out, v);
        return r_.text(mark);
    }
    Value lookup(Str name) {
        size_t at = std::min(name.find_first_of(".["), name.size());
        const Str first = name.substr(0, at);
        Value v;
        bool digits = !first.empty();
        for (char c : first) digits &= c >= '0' && c <= '9';
        if (first.empty() || digits) {
            if (first.empty() && manual_ > 0) raise(Error::value, "cannot switch from manual field specification to automatic field numbering");
            if (digits && next_ > 0) raise(Error::value, "cannot switch from manual field specification to automatic field numbering");
            const size_t k = digits ? static_cast<size_t>(parse_int(first, 10).value_or(INT64_MAX)) : next_++;
            manual_ += digits;
            if (k >= args_.size()) raise(Error::index, "Replacement index " + std::to_string(k) + " out of range for positional args tuple");
            v = args_[k];
        } else {
            const Value* found = named_ ? named_->find_any(key_string(first)) : nullptr;
            if (!found) raise(Error::key, repr_text(Value::string(first)));
            v = *found;
        }
        while (at < name.size()) {
            if (name[at] == '.') {
                const size_t end = std::min(name.find_first_of(".[", at + 1), name.size());
                const Str key = name.substr(at + 1, end - at - 1);
                if (key.empty()) raise(Error::value, "Empty attribute in format string");
                v = r_.attribute(v, key_string(key));
                at = end;
            } else {
                const size_t end = name.find(']', at);
                if (name[at] != '[' ) raise(Error::value, "Only '.' or '[' may follow ']' in format field specifier");
                if (end == Str::npos) raise(Error::value, "Missing ']' in format string");
                const Str key = name.substr(at + 1, end - at - 1);
                if (key.empty()) raise(Error::value, "Empty attribute in format string");
                const bool index = key.find_first_not_of("0123456789") == Str::npos;
                v = r_.item(v, index ? Value::integer(parse_int(key, 10).value_or(INT64_MAX)) : key_string(key));
                at = end + 1;
            }
        }
        return v;
    }

    Render& r_;
    std::span<const Value> args_;
    const Dict* named_;
    size_t next_ = 0, manual_ = 0;
};

// "%" formatting.
class Percent {
public:
    Percent(Render& r, Value args) : r_(r), args_(args), is_tuple_(args.is(Kind::tuple)), is_map_(args.is(Kind::dict)) {}
    void write(Str format) {
        for (size_t at = 0; at < format.size();) {
            const size_t percent = std::min(format.find('%', at), format.size());
            r_.out.write(format.substr(at, percent - at));
            if (percent == format.size()) break;
            at = conversion(format, percent + 1);
        }
        const bool left = is_tuple_ ? used_ < args_.len : used_ == 0 && !is_map_ && !args_.is(Kind::list) && !args_.is(Kind::range) && !args_.is_undefined();
        if (left) type_error("not all arguments converted during string formatting");
    }

private:
    Value next() {
        if (is_tuple_ ? used_ >= args_.len : used_ >= 1) type_error("not enough arguments for format string");
        return is_tuple_ ? args_.items[used_++] : (++used_, args_);
    }
    size_t conversion(Str s, size_t at) {
        auto here = [&] {
            if (at >= s.size()) raise(Error::value, "incomplete format");
            return s[at];
        };
        FormatSpec f;
        f.align = '>';
        Value v;
        bool have = false;
        if (here() == '(') {
            if (!is_map_) type_error("format requires a mapping");
            const size_t from = ++at;
            for (int open = 1; open; ++at) {
                if (at >= s.size()) raise(Error::value, "incomplete format key");
                open += s[at] == '(' ? 1 : s[at] == ')' ? -1 : 0;
            }
            const Value key = key_string(s.substr(from, at - 1 - from));
            const Value* found = args_.dict->find_any(key);
            if (!found) raise(Error::key, repr_text(key));
            v = *found;
            have = true;
        }
        for (; Str("-+ #0").find(here()) != Str::npos; ++at) {
            if (s[at] == '-') f.align = '<';
            if (s[at] == '+' || (s[at] == ' ' && f.sign != '+')) f.sign = s[at];
            if (s[at] == '#') f.alternate = true;
            if (s[at] == '0') f.zero = true;
        }
        auto number = [&]() -> int64_t {
            if (here() == '*') {
                ++at;
                const Value n = next();
                if (!n.is_int()) type_error("* wants int");
                return n.i;
            }
            int64_t n = 0;
            for (; here() >= '0' && here() <= '9'; ++at) n = std::min<int64_t>(n * 10 + (s[at] - '0'), 1 << 25);
            return n;
        };
        f.width = number();
        if (f.width < 0) f.width = -f.width, f.align = '<';
        if (here() == '.') {
            ++at;
            f.precision = std::max<int64_t>(number(), 0);
        }
        if (f.width > 1 << 24 || f.precision > 1 << 24) raise(Error::overflow, "width too big");
        while (here() == 'l' || here() == 'h' || here() == 'L') ++at;
        const char type = s[at++];
        if (type == '%') {
            r_.out.put('%');
            return at;
        }
        if (!have) v = next();
        else ++used_;
        one(v, type, f);
        return at;
    }
    void one(Value v, char type, FormatSpec& f) {
        switch (type) {
            case 's':
            case 'r':
            case 'a': {
                const size_t mark = r_.out.size();
                if (type == 's') r_.print(v);
                else write_repr(r_.out, v);
                return write_text_as(r_, r_.out.take(mark), f);
            }
            case 'c': return character(v, f);
            case 'd':
            case 'i':
            case 'u': return integer(v, 'd', f);
            case 'o':
            case 'x':
            case 'X': return integer(v, type, f);
            case 'e':
            case 'E':
            case 'f':
            case 'F':
            case 'g':
            case 'G': return real(v, type, f);
            default:
                raise(Error::value, std::string("unsupported format character '") + type + "' (0x" +
                                        "0123456789abcdef"[(type >> 4) & 15] + "0123456789abcdef"[type & 15] + ") at index");
        }
    }
    void character(Value v, FormatSpec& f) {
        const size_t mark = r_.out.size();
        if (v.is_string() && count_chars(v.str()) == 1) r_.out.write(v.str());
        else if (v.is_int() || v.is(Kind::bigint)) {
            if (v.is(Kind::bigint) || v.i < 0 || v.i > 0x10ffff) raise(Error::overflow, "%c arg not in range(0x110000)");
            r_.out.code_point(static_cast<uint32_t>(v.i));
        } else type_error("%c requires int or char");
        f.precision = -1;
        write_text_as(r_, r_.out.take(mark), f);
    }
    void pad_zeros(FormatSpec& f) {
        if (f.zero && f.align == '>') f.align = '=', f.fill = "0";
    }
    void integer(Value v, char type, FormatSpec& f) {
        if (v.is_undefined() && type == 'd') r_.fail_undefined(v);   // the others ask for __index__, which Undefined has not
        if (v.is(Kind::real) && type == 'd') {
            if (!std::isfinite(v.d))
                raise(std::isnan(v.d) ? Error::value : Error::overflow,
                      std::string("cannot convert float ") + (std::isnan(v.d) ? "NaN" : "infinity") + " to integer");
            v = whole(r_.heap, v.d);
        }
        if (!v.is_int() && !v.is(Kind::bigint))
            type_error(std::string("%") + type + " format: " + (type == 'd' ? "a real number" : "an integer") +
                       " is required, not " + std::string(type_name(v)));
        const int64_t digits = std::exchange(f.precision, -1);
        if (digits > 0) {   // at least so many digits
            FormatSpec inner;
            inner.type = type;
            inner.fill = "0";
            inner.align = '=';
            inner.sign = f.sign;
            inner.alternate = f.alternate;
            inner.width = digits + (f.sign != '-' || (v.is_int() ? v.i < 0 : v.s[0] == '-')) + (f.alternate && type != 'd' ? 2 : 0);
            const size_t mark = r_.out.size();
            write_int_as(r_, v, inner);
            const Str text = r_.out.take(mark);
            FormatSpec outer = f;
            return write_text_as(r_, text, outer);
        }
        f.type = type;
        pad_zeros(f);
        write_int_as(r_, v, f);
    }
    void real(Value v, char type, FormatSpec& f) {
        if (v.is_undefined()) r_.fail_undefined(v);
        double d = 0;
        if (v.is(Kind::real)) d = v.d;
        else if (v.is_int()) d = static_cast<double>(v.i);
        else if (v.is(Kind::bigint)) d = real_of_bigint(v.str());
        else type_error("must be real number, not " + std::string(type_name(v)));
        f.type = type;
        pad_zeros(f);
        write_real_as(r_, d, f);
    }

    Render& r_;
    Value args_;
    bool is_tuple_, is_map_;
    size_t used_ = 0;
};

}  // namespace

Value Render::mod_text(Value format, Value args) {
    work(format.len);
    const size_t mark = out.size();
    const bool escapes = std::exchange(autoescape, format.is_safe());
    Percent(*this, args).write(format.str());
    autoescape = escapes;
    return format.is_safe() ? safe_string(out.take(mark)) : text(mark);
}

Value Render::format_text(Value self, const Args& args, bool is_map) {
    Args given = args;
    Dict* named = heap.dict(args.keywords.size());
    for (const NamedValue& n : args.keywords) named->set(Value::string(n.name), n.value);
    if (is_map) {
        if (!args.keywords.empty()) type_error("format_map() takes no keyword arguments");
        if (args.plain.size() != 1) type_error("format_map() takes exactly one argument (" + std::to_string(args.plain.size()) + " given)");
        if (args.plain[0].is_undefined()) fail_undefined(args.plain[0]);
        named = args.plain[0].is(Kind::dict) ? args.plain[0].dict : heap.dict(0);
        given.plain = {};
    }
    const size_t mark = out.size();
    const bool escapes = std::exchange(autoescape, self.is_safe());
    Formatter(*this, given.plain, named).write(self.str(), 2);
    autoescape = escapes;
    return self.is_safe() ? safe_string(out.take(mark)) : text(mark);
}

}  // namespace weir::jinja
