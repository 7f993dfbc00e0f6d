#include "template/text.h"
#include "template/unicode.h"

namespace weir::jinja {
namespace {

using unicode::Property;

Value like(Value self, Str text) { return self.is_safe() ? safe_string(text) : Value::string(text); }
void no_args(const Args& a, Str name) {
    if (!a.keywords.empty()) type_error("str." + std::string(name) + "() takes no keyword arguments");
    if (!a.plain.empty()) type_error("str." + std::string(name) + "() takes no arguments (" + std::to_string(a.plain.size()) + " given)");
}
// Positional arguments only, as most str methods have them.
std::span<const Value> plain(const Args& a, Str name, size_t least, size_t most) {
    if (!a.keywords.empty()) type_error("str." + std::string(name) + "() takes no keyword arguments");
    if (a.plain.size() < least || a.plain.size() > most)
        type_error(std::string(name) + " expected " + std::to_string(least) +
                   (least == most ? "" : " to " + std::to_string(most)) + " arguments, got " + std::to_string(a.plain.size()));
    return a.plain;
}

template <Case how>
Value cased(Render& r, Value v, const Args& a) { return no_args(a, "case"), like(v, change_case(r, v.str(), how)); }

template <bool left, bool right>
Value strip(Render& r, Value v, const Args& a) {
    const auto args = plain(a, "strip", 0, 1);
    r.work(v.len);
    if (args.empty() || args[0].is(Kind::none)) return like(v, unicode::strip(v.str(), left, right));
    if (!args[0].is_string()) type_error("strip arg must be None or str");
    return like(v, strip_chars(v.str(), args[0].str(), left, right));
}

template <int align>
Value pad(Render& r, Value v, const Args& a) {
    const auto args = plain(a, align == 0 ? "center" : align < 0 ? "ljust" : "rjust", 1, 2);
    Str fill = " ";
    if (args.size() == 2) {
        fill = want_text(args[1], "The fill character must be a unicode character");
        if (count_chars(fill) != 1) type_error("The fill character must be exactly one character long");
    }
    return like(v, padded(r, v.str(), want_int(args[0]), fill, align));
}
Value zfill(Render& r, Value v, const Args& a) {
    const auto args = plain(a, "zfill", 1, 1);
    Str s = v.str();
    const bool sign = !s.empty() && (s[0] == '-' || s[0] == '+');
    const int64_t width = want_int(args[0]);
    const auto n = static_cast<int64_t>(count_chars(s));
    if (width <= n) return v;
    const size_t mark = r.out.size();
    if (sign) r.out.put(s[0]), s.remove_prefix(1);
    r.out.fill("0", static_cast<size_t>(width - n));
    r.out.write(s);
    return like(v, r.out.take(mark));
}
Value expandtabs(Render& r, Value v, const Args& a) {
    const Bound b("expandtabs", a, {"tabsize"});
    const int64_t size = b.given(0) ? want_int(b[0]) : 8;
    const size_t mark = r.out.size();
    const Str s = v.str();
    int64_t column = 0;
    for (size_t at = 0; at < s.size();) {
        const size_t from = at;
        const uint32_t c = unicode::next(s, at);
        if (c == '\t') {
            const int64_t n = size > 0 ? size - column % size : 0;
            r.out.fill(" ", static_cast<size_t>(n));
            column += n;
        } else {
            r.out.write(s.substr(from, at - from));
            column = c == '\n' || c == '\r' ? 0 : column + 1;
        }
    }
    return like(v, r.out.take(mark));
}

template <bool at_end>
Value remove_affix(Render&, Value v, const Args& a) {
    const auto args = plain(a, at_end ? "removesuffix" : "removeprefix", 1, 1);
    const Str s = v.str(), affix = want_text(args[0], "argument must be str");
    if (at_end ? !s.ends_with(affix) : !s.starts_with(affix)) return v;
    return like(v, at_end ? s.substr(0, s.size() - affix.size()) : s.substr(affix.size()));
}

template <class F>
Value every(Render& r, Value v, const Args& a, F pass, bool when_empty = false) {
    no_args(a, "is");
    const Str s = v.str();
    r.work(s.size());
    if (s.empty()) return Value::boolean(when_empty);
    for (size_t at = 0; at < s.size();)
        if (!pass(unicode::next(s, at))) return Value::boolean(false);
    return Value::boolean(true);
}
template <Property p>
Value all_are(Render& r, Value v, const Args& a) {
    return every(r, v, a, [](uint32_t c) { return unicode::has(p, c); });
}
Value isalnum(Render& r, Value v, const Args& a) {
    return every(r, v, a, [](uint32_t c) {
        return unicode::has(Property::alpha, c) || unicode::has(Property::decimal, c) || unicode::has(Property::digit, c) ||
               unicode::has(Property::numeric, c);
    });
}
Value isascii(Render& r, Value v, const Args& a) {
    return every(r, v, a, [](uint32_t c) { return c < 0x80; }, true);
}
Value isspace(Render& r, Value v, const Args& a) {
    return every(r, v, a, [](uint32_t c) { return unicode::space(c); });
}
Value isprintable(Render& r, Value v, const Args& a) {
    return every(r, v, a, [](uint32_t c) { return unicode::printable(c); }, true);
}
Value isidentifier(Render& r, Value v, const Args& a) {
    bool first = true;
    return every(r, v, a, [&](uint32_t c) {
        return std::exchange(first, false) ? c == '_' || unicode::has(Property::id_start, c)
                                           : unicode::has(Property::id_continue, c);
    });
}
template <Property want, Property other>
Value one_case(Render& r, Value v, const Args& a) {
    bool any = false;
    const Value none_other = every(r, v, a, [&](uint32_t c) {
        any |= unicode::has(want, c);
        return !unicode::has(other, c) && !unicode::has(Property::title, c);
    });
    return Value::boolean(none_other.i && any);
}
Value istitle(Render& r, Value v, const Args& a) {
    bool any = false, in_word = false;
    const Value ok = every(r, v, a, [&](uint32_t c) {
        const bool up = unicode::has(Property::upper, c) || unicode::has(Property::title, c), low = unicode::has(Property::lower, c);
        if ((up && in_word) || (low && !in_word)) return false;
        in_word = up || low;
        any |= in_word;
        return true;
    });
    return Value::boolean(ok.i && any);
}

Value format(Render& r, Value v, const Args& a) { return r.format_text(v, a, false); }
Value format_map(Render& r, Value v, const Args& a) { return r.format_text(v, a, true); }

Value translate(Render& r, Value v, const Args& a) {
    const auto args = plain(a, "translate", 1, 1);
    if (args[0].is_undefined()) r.fail_undefined(args[0]);
    const Str s = v.str();
    const size_t mark = r.out.size();
    for (size_t at = 0; at < s.size();) {
        const size_t from = at;
        const uint32_t c = unicode::next(s, at);
        const Value* to = args[0].is(Kind::dict) ? args[0].dict->find_any(Value::integer(c)) : nullptr;
        if (!to) r.out.write(s.substr(from, at - from));
        else if (to->is_string()) r.out.write(to->str());
        else if (to->is(Kind::integer)) r.out.code_point(static_cast<uint32_t>(to->i));
        else if (!to->is(Kind::none)) type_error("character mapping must return integer, None or str");
    }
    return like(v, r.out.take(mark));
}
Value refuse_bytes(Render&, Value, const Args&) { raise(Error::not_implemented, "bytes are not supported in templates"); }

constexpr MethodRow rows[] = {
    {"strip", strip<true, true>}, {"lstrip", strip<true, false>}, {"rstrip", strip<false, true>}, {"upper", cased<Case::upper>},
    {"lower", cased<Case::lower>}, {"title", cased<Case::title>}, {"capitalize", cased<Case::capitalize>}, {"swapcase", cased<Case::swap>},
    {"casefold", cased<Case::fold>}, {"ljust", pad<-1>}, {"rjust", pad<1>}, {"center", pad<0>}, {"zfill", zfill}, {"expandtabs", expandtabs},
    {"removeprefix", remove_affix<false>}, {"removesuffix", remove_affix<true>}, {"isalpha", all_are<Property::alpha>},
    {"isdecimal", all_are<Property::decimal>}, {"isdigit", all_are<Property::digit>}, {"isnumeric", all_are<Property::numeric>}, {"isalnum", isalnum},
    {"isascii", isascii}, {"isspace", isspace}, {"isprintable", isprintable}, {"isidentifier", isidentifier},
    {"isupper", one_case<Property::upper, Property::lower>}, {"islower", one_case<Property::lower, Property::upper>}, {"istitle", istitle},
    {"format", format}, {"format_map", format_map}, {"translate", translate}, {"encode", refuse_bytes}, {"maketrans", refuse_bytes}};

}  // namespace

std::span<const MethodRow> string_methods() { return rows; }

}  // namespace weir::jinja
