#include <algorithm>

#include "template/text.h"
#include "template/unicode.h"

namespace weir::jinja {
namespace {

Value with_flags(Value like, Str text) { return like.is_safe() ? safe_string(text) : Value::string(text); }
Value soft(Render& r, Value v) { return v.is_string() ? v : to_str(r.out, v); }

template <Case how>
Value cased(Render& r, Value v, const Args& a) {
    const Bound none("do_case", a, {});
    v = soft(r, v);
    return with_flags(v, change_case(r, v.str(), how));
}

Value title(Render& r, Value v, const Args& a) {
    const Bound none("do_title", a, {});
    const Str s = soft(r, v).str();
    const size_t mark = r.out.size();
    auto splits = [](uint32_t c) { return c == '-' || c == '(' || c == '{' || c == '[' || c == '<' || unicode::space(c); };
    for (size_t at = 0; at < s.size();) {
        const size_t from = at;
        size_t first = at;
        const bool separator = splits(unicode::next(s, first));
        while (at < s.size()) {
            size_t next = at;
            if (splits(unicode::next(s, next)) != separator) break;
            at = next;
        }
        r.out.write(change_case(r, s.substr(from, first - from), Case::upper));
        r.out.write(change_case(r, s.substr(first, at - first), Case::lower));
    }
    return r.text(mark);
}

Value trim(Render& r, Value v, const Args& a) {
    v = soft(r, v);
    if (a.plain.empty() && a.keywords.empty()) return with_flags(v, unicode::strip(v.str(), true, true));
    const Bound b("do_trim", a, {"chars"});
    if (b[0].is(Kind::none)) return with_flags(v, unicode::strip(v.str(), true, true));
    return with_flags(v, strip_chars(v.str(), want_text(b[0], "strip arg must be None or str"), true, true));
}

Value replace(Render& r, Value v, const Args& a) {
    const Bound b("do_replace", a, {"old", "new", "count"}, 2);
    const int64_t count = b.or_else(2, Value::none()).is(Kind::none) ? -1 : want_int(b[2]);
    if (!r.autoescape) return Value::string(replaced(r, text_of(r.out, v), text_of(r.out, b[0]), text_of(r.out, b[1]), count));
    const bool escapes = b[0].is_safe() || (b[1].is_safe() && !v.is_safe());
    const Value s = escapes ? r.escaped(v) : soft(r, v);
    const auto part = [&](Value x) { return s.is_safe() ? r.escaped(x).str() : text_of(r.out, x); };
    return with_flags(s, replaced(r, s.str(), part(b[0]), part(b[1]), count));
}

Value string(Render& r, Value v, const Args& a) {
    const Bound none("soft_str", a, {});
    return soft(r, v);
}
Value safe(Render& r, Value v, const Args& a) {
    const Bound none("do_mark_safe", a, {});
    return safe_string(text_of(r.out, v));
}
Value escape(Render& r, Value v, const Args& a) {
    const Bound none("escape", a, {});
    return r.escaped(v);
}
Value force_escape(Render& r, Value v, const Args& a) {
    const Bound none("do_forceescape", a, {});
    return r.escaped(Value::string(text_of(r.out, v)));
}

// Markup.striptags: comments and tags away, runs of white space to one blank, entities to characters.
Str without_tags(Render& r, Str s) {
    std::string plain(s);
    auto cut = [&](Str open, Str close, size_t least) {
        for (size_t from = 0; (from = plain.find(open, from)) != std::string::npos;) {
            const size_t end = plain.find(close, from + least);
            if (end == std::string::npos) break;
            plain.erase(from, end + close.size() - from);
        }
    };
    cut("<!--", "-->", 0);
    cut("<", ">", 0);
    std::string out;
    bool blank = false;
    for (size_t at = 0; at < plain.size();) {
        const size_t from = at;
        if (unicode::space(unicode::next(plain, at))) {
            blank = !out.empty();
            continue;
        }
        if (std::exchange(blank, false)) out.push_back(' ');
        out.append(plain, from, at - from);
    }
    static constexpr std::pair<Str, Str> entities[] = {{"&lt;", "<"},  {"&gt;", ">"},          {"&#34;", "\""}, {"&quot;", "\""},
                                                       {"&#39;", "'"}, {"&nbsp;", "\xc2\xa0"}, {"&amp;", "&"}};
    const size_t mark = r.out.size();
    for (size_t at = 0; at < out.size();) {
        const auto* hit = std::find_if(std::begin(entities), std::end(entities), [&](auto& e) { return Str(out).substr(at, e.first.size()) == e.first; });
        if (hit == std::end(entities)) r.out.put(out[at++]);
        else r.out.write(hit->second), at += hit->first.size();
    }
    return r.out.take(mark);
}
Value striptags(Render& r, Value v, const Args& a) {
    const Bound none("do_striptags", a, {});
    return Value::string(without_tags(r, text_of(r.out, v)));
}

Value center(Render& r, Value v, const Args& a) {
    const Bound b("do_center", a, {"width"});
    v = soft(r, v);
    return with_flags(v, padded(r, v.str(), b.given(0) ? want_int(b[0]) : 80, " ", 0));
}

Value format(Render& r, Value v, const Args& a) {
    if (!a.plain.empty() && !a.keywords.empty()) raise(Error::filter_argument, "can't handle positional and keyword arguments at the same time");
    if (a.keywords.empty()) return r.mod_text(soft(r, v), r.heap.tuple(a.plain));
    Dict* d = r.heap.dict(a.keywords.size());
    for (const NamedValue& n : a.keywords) d->set(Value::string(n.name), n.value);
    return r.mod_text(soft(r, v), Value::of_dict(d));
}

Value wordcount(Render& r, Value v, const Args& a) {
    const Bound none("do_wordcount", a, {});
    const Str s = soft(r, v).str();
    int64_t n = 0;
    bool in_word = false;
    using unicode::Property;
    for (size_t at = 0; at < s.size();) {
        const uint32_t c = unicode::next(s, at);
        const bool word = c == '_' || unicode::has(Property::alpha, c) || unicode::has(Property::decimal, c) ||
                          unicode::has(Property::digit, c) || unicode::has(Property::numeric, c);
        n += word && !in_word;
        in_word = word;
    }
    return Value::integer(n);
}

void quote_url(Render& r, Value v, bool for_query) {
    for (const char c : text_of(r.out, v)) {
        const bool plain = (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
                           Str("_.-~").find(c) != Str::npos || (c == '/' && !for_query);
        if (plain) r.out.put(c);
        else if (for_query && c == ' ') r.out.put('+');
        else {
            const auto byte = static_cast<unsigned char>(c);
            const char hex[] = {'%', "0123456789ABCDEF"[byte >> 4], "0123456789ABCDEF"[byte & 15]};
            r.out.write({hex, 3});
        }
    }
}
Value urlencode(Render& r, Value v, const Args& a) {
    const Bound none("do_urlencode", a, {});
    const bool iterable = v.is_sequence() || v.is(Kind::dict) || v.is(Kind::range) || v.is(Kind::view) || v.is(Kind::lazy) || v.is_undefined();
    std::string text;
    const size_t mark = r.out.size();
    if (!iterable) {
        quote_url(r, v, false);
        return r.text(mark);
    }
    const auto pairs = v.is(Kind::dict) ? r.all(Value::of_object(Kind::view, r.heap.make<View>(Object{}, v.dict, View::items))) : r.all(v);
    for (size_t k = 0; k < pairs.size(); ++k) {
        const auto two = r.all(pairs[k]);
        if (two.size() != 2) raise(Error::value, (two.size() > 2 ? "too many" : "not enough") + std::string(" values to unpack (expected 2)"));
        if (k) r.out.put('&');
        quote_url(r, two[0], true);
        r.out.put('=');
        quote_url(r, two[1], true);
    }
    return r.text(mark);
}

Value default_value(Render&, Value v, const Args& a) {
    const Bound b("do_default", a, {"default_value", "boolean"});
    return v.is_undefined() || (b.flag(1, false) && !truthy(v)) ? b.or_else(0, Value::string("")) : v;
}

Value join(Render& r, Value v, const Args& a) {
    const Bound b("sync_do_join", a, {"d", "attribute"});
    const Value glue = b.or_else(0, Value::string(""));
    const Getter get(r, b[1]);
    Items through = r.items(v);
    std::vector<Value> parts;
    bool escapes = glue.is_safe();
    for (Value item; through.next(r, item);) {
        r.step();
        parts.push_back(b.given(1) && !b[1].is(Kind::none) ? get(item) : item);
        escapes |= parts.back().is_safe();
    }
    escapes &= r.autoescape;
    const Str between = escapes ? r.escaped(glue).str() : text_of(r.out, glue);
    const size_t mark = r.out.size();
    for (size_t k = 0; k < parts.size(); ++k) {
        if (k) r.out.write(between);
        if (escapes) r.out.write(r.escaped(parts[k]).str());
        else write_str(r.out, parts[k]);
    }
    return escapes ? safe_string(r.out.take(mark)) : r.text(mark);
}

JsonStyle json_style(Render& r, const Args& a) {
    JsonStyle style;
    if (a.plain.empty() && a.keywords.empty()) return style;
    const Bound b("tojson", a, {"ensure_ascii", "indent", "separators", "sort_keys"});
    style.ascii_only = b.flag(0, false);
    style.sort_keys = b.flag(3, false);
    if (const Value indent = b.or_else(1, Value::none()); !indent.is(Kind::none)) {
        style.indented = true;
        style.item_separator = ",";
        if (indent.is_string()) style.indent = indent.str();
        else {
            const int64_t n = want_int(indent);
            if (n > 1000) raise(Error::memory, "the template indents too far");
            const size_t mark = r.out.size();
            r.out.fill(" ", n > 0 ? static_cast<size_t>(n) : 0);
            style.indent = r.out.take(mark);
        }
    }
    if (const Value separators = b.or_else(2, Value::none()); !separators.is(Kind::none)) {
        const auto two = r.all(separators);
        if (two.size() != 2) raise(Error::value, "two separators are expected");
        style.item_separator = want_text(two[0], "separators must be str");
        style.key_separator = want_text(two[1], "separators must be str");
    }
    return style;
}
Value tojson(Render& r, Value v, const Args& a) {
    const size_t mark = r.out.size();
    write_filter(r, v, a);
    return r.text(mark);
}

constexpr FilterRow rows[] = {
    {"tojson", tojson}, {"trim", trim}, {"string", string}, {"default", default_value}, {"d", default_value}, {"join", join}, {"replace", replace},
    {"upper", cased<Case::upper>}, {"lower", cased<Case::lower>}, {"capitalize", cased<Case::capitalize>}, {"title", title}, {"safe", safe},
    {"escape", escape}, {"e", escape}, {"forceescape", force_escape}, {"striptags", striptags}, {"center", center}, {"format", format},
    {"wordcount", wordcount}, {"urlencode", urlencode}};

}  // namespace

bool writes_itself(const FilterRow& row) { return row.run == tojson; }
void write_filter(Render& r, Value v, const Args& a) { write_json(r.out, v, json_style(r, a)); }
std::span<const FilterRow> text_filters() { return rows; }

}  // namespace weir::jinja
