#include "template/print.h"

#include <algorithm>
#include <charconv>
#include <cmath>

#include "template/unicode.h"

namespace weir::jinja {
namespace {

constexpr int depth_max = 200;
void check_depth(int depth) {
    if (depth > depth_max) raise(Error::recursion, "maximum recursion depth exceeded while getting the repr of an object");
}

void put_hex(Out& out, uint32_t c, int digits) {
    for (int shift = (digits - 1) * 4; shift >= 0; shift -= 4) out.put("0123456789abcdef"[(c >> shift) & 15]);
}

void repr_string(Out& out, Str s) {
    const char quote = s.find('\'') != Str::npos && s.find('"') == Str::npos ? '"' : '\'';
    out.put(quote);
    size_t plain = 0;
    for (size_t at = 0; at < s.size();) {
        const size_t from = at;
        const uint32_t c = unicode::next(s, at);
        const bool escaped = c == static_cast<uint32_t>(quote) || c == '\\';
        if (!escaped && unicode::printable(c)) continue;
        out.write(s.substr(plain, from - plain));
        plain = at;
        out.put('\\');
        if (escaped) out.put(static_cast<char>(c));
        else if (c == '\n') out.put('n');
        else if (c == '\r') out.put('r');
        else if (c == '\t') out.put('t');
        else if (c < 0x100) out.put('x'), put_hex(out, c, 2);
        else if (c < 0x10000) out.put('u'), put_hex(out, c, 4);
        else out.put('U'), put_hex(out, c, 8);
    }
    out.write(s.substr(plain));
    out.put(quote);
}

void repr_deep(Out& out, Value v, int depth);

void repr_items(Out& out, std::span<const Value> items, char open, char close, int depth) {
    out.put(open);
    for (size_t k = 0; k < items.size(); ++k) {
        if (k) out.write(", ");
        repr_deep(out, items[k], depth + 1);
    }
    if (open == '(' && items.size() == 1) out.put(',');
    out.put(close);
}
void repr_dict(Out& out, const Dict& d, int depth) {
    out.put('{');
    bool first = true;
    for (const DictEntry& e : d.all()) {
        if (!std::exchange(first, false)) out.write(", ");
        repr_deep(out, e.key, depth + 1);
        out.write(": ");
        repr_deep(out, e.value, depth + 1);
    }
    out.put('}');
}
void repr_view(Out& out, const View& view, int depth) {
    static constexpr Str names[] = {"dict_keys([", "dict_values([", "dict_items(["};
    out.write(names[view.part]);
    bool first = true;
    for (const DictEntry& e : view.dict->all()) {
        if (!std::exchange(first, false)) out.write(", ");
        if (view.part == View::items) {
            const Value two[] = {e.key, e.value};
            repr_items(out, two, '(', ')', depth + 1);
        } else {
            repr_deep(out, view.part == View::keys ? e.key : e.value, depth + 1);
        }
    }
    out.write("])");
}
void repr_range(Out& out, const Range& r) {
    out.write("range(");
    write_int(out, r.start);
    out.write(", ");
    write_int(out, r.stop);
    if (r.step != 1) {
        out.write(", ");
        write_int(out, r.step);
    }
    out.put(')');
}

void repr_deep(Out& out, Value v, int depth) {
    check_depth(depth);
    switch (v.kind) {
        case Kind::missing:
        case Kind::undefined: return out.write("Undefined");
        case Kind::none: return out.write("None");
        case Kind::boolean: return out.write(v.i ? "True" : "False");
        case Kind::integer: return write_int(out, v.i);
        case Kind::bigint: return out.write(v.str());
        case Kind::real: return write_real(out, v.d);
        case Kind::string:
            if (!v.is_safe()) return repr_string(out, v.str());
            out.write("Markup(");
            repr_string(out, v.str());
            return out.put(')');
        case Kind::list: return repr_items(out, v.span(), '[', ']', depth);
        case Kind::tuple: return repr_items(out, v.span(), '(', ')', depth);
        case Kind::dict: return repr_dict(out, *v.dict, depth);
        case Kind::range: return repr_range(out, *static_cast<Range*>(v.object));
        case Kind::view: return repr_view(out, *static_cast<View*>(v.object), depth);
        case Kind::ns:
            out.write("<Namespace ");
            repr_dict(out, static_cast<Namespace*>(v.object)->dict, depth);
            return out.put('>');
        default:   // Python shows an address here, which no template can rely on
            out.put('<');
            out.write(type_name(v));
            out.write(" object>");
    }
}

struct Json {
    Out& out;
    const JsonStyle& style;

    void newline(int depth) {
        if (!style.indented) return;
        out.put('\n');
        out.fill(style.indent, static_cast<size_t>(depth));
    }
    void string(Str s) {
        out.put('"');
        size_t plain = 0, at = 0;
        while (at < s.size()) {
            const auto byte = static_cast<unsigned char>(s[at]);
            if (byte >= 0x20 && byte != '"' && byte != '\\' && (byte < 0x7f || !style.ascii_only)) {
                ++at;
                continue;
            }
            if (byte == 0x7f) {
                ++at;
                continue;
            }
            out.write(s.substr(plain, at - plain));
            escape(unicode::next(s, at));
            plain = at;
        }
        out.write(s.substr(plain));
        out.put('"');
    }
    void escape(uint32_t c) {
        out.put('\\');
        switch (c) {
            case '"': return out.put('"');
            case '\\': return out.put('\\');
            case '\n': return out.put('n');
            case '\r': return out.put('r');
            case '\t': return out.put('t');
            case '\f': return out.put('f');
            case '\b': return out.put('b');
            default: break;
        }
        out.put('u');
        if (c < 0x10000) return put_hex(out, c, 4);
        c -= 0x10000;
        put_hex(out, 0xd800 + (c >> 10), 4);
        out.write("\\u");
        put_hex(out, 0xdc00 + (c & 0x3ff), 4);
    }
    void real(double d) {
        if (std::isnan(d)) out.write("NaN");
        else if (std::isinf(d)) out.write(d < 0 ? "-Infinity" : "Infinity");
        else write_real(out, d);
    }
    void key(Value k) {
        if (k.is_string()) return string(k.str());
        out.put('"');
        switch (k.kind) {
            case Kind::integer: write_int(out, k.i); break;
            case Kind::bigint: out.write(k.str()); break;
            case Kind::real: real(k.d); break;
            case Kind::boolean: out.write(k.i ? "true" : "false"); break;
            case Kind::none: out.write("null"); break;
            default: raise(Error::type, "keys must be str, int, float, bool or None, not " + std::string(type_name(k)));
        }
        out.put('"');
    }
    void dict(const Dict& d, int depth) {
        if (d.size == 0) return out.write("{}");
        const DictEntry* entries = d.entries;
        if (style.sort_keys) entries = sorted(d);
        out.put('{');
        for (uint32_t k = 0; k < d.size; ++k) {
            if (k) out.write(style.item_separator);
            newline(depth + 1);
            key(entries[k].key);
            out.write(style.key_separator);
            value(entries[k].value, depth + 1);
        }
        newline(depth);
        out.put('}');
    }
    const DictEntry* sorted(const Dict& d) {
        auto* copy = d.heap->array<DictEntry>(d.size);
        std::copy(d.entries, d.entries + d.size, copy);
        std::stable_sort(copy, copy + d.size, [](const DictEntry& a, const DictEntry& b) { return compare(a.key, b.key, "<") == -1; });
        return copy;
    }
    void value(Value v, int depth) {
        if (depth > depth_max) raise(Error::recursion, "maximum recursion depth exceeded while encoding a JSON object");
        switch (v.kind) {
            case Kind::none: return out.write("null");
            case Kind::boolean: return out.write(v.i ? "true" : "false");
            case Kind::integer: return write_int(out, v.i);
            case Kind::bigint: return out.write(v.str());
            case Kind::real: return real(v.d);
            case Kind::string: return string(v.str());
            case Kind::dict: return dict(*v.dict, depth);
            case Kind::list:
            case Kind::tuple: break;
            default: raise(Error::type, "Object of type " + std::string(type_name(v)) + " is not JSON serializable");
        }
        if (v.len == 0) return out.write("[]");
        out.put('[');
        for (uint32_t k = 0; k < v.len; ++k) {
            if (k) out.write(style.item_separator);
            newline(depth + 1);
            value(v.items[k], depth + 1);
        }
        newline(depth);
        out.put(']');
    }
};

}  // namespace

void write_int(Out& out, int64_t n) {
    char b[24];
    out.write({b, static_cast<size_t>(std::to_chars(b, b + sizeof b, n).ptr - b)});
}

// Python shows 16 digits before the point at most, and no more than four noughts behind it.
Str real_text(double d, char b[32]) {
    if (std::isnan(d)) return "nan";
    if (std::isinf(d)) return d < 0 ? "-inf" : "inf";
    if (d == 0) return std::signbit(d) ? "-0.0" : "0.0";
    const double magnitude = std::fabs(d);
    const bool fixed = magnitude >= 1e-4 && magnitude < 1e16;
    char* end = std::to_chars(b, b + 30, d, fixed ? std::chars_format::fixed : std::chars_format::scientific).ptr;
    Str text(b, static_cast<size_t>(end - b));
    if (fixed && text.find('.') == Str::npos) {
        *end++ = '.';
        *end++ = '0';
    }
    return {b, static_cast<size_t>(end - b)};
}
void write_real(Out& out, double d) {
    char b[32];
    out.write(real_text(d, b));
}

void write_repr(Out& out, Value v) { repr_deep(out, v, 0); }
void write_str(Out& out, Value v) {
    if (v.is_string()) return out.write(v.str());
    if (v.is(Kind::undefined) || v.is(Kind::missing)) return;
    if (v.is(Kind::macro) || v.is(Kind::loop)) return out.write(v.is(Kind::macro) ? "<Macro>" : "<LoopContext>");
    repr_deep(out, v, 0);
}
std::string repr_text(Value v) {
    Heap heap(16 << 20);
    Out out(heap, 1 << 20);
    write_repr(out, v);
    return std::string(out.since(0));
}
Value to_str(Out& out, Value v) {
    if (v.is_string()) {
        v.flags = 0;
        return v;
    }
    const size_t mark = out.size();
    write_str(out, v);
    return Value::string(out.take(mark));
}

void write_json(Out& out, Value v, const JsonStyle& style) { Json{out, style}.value(v, 0); }

void write_html_escaped(Out& out, Str s) {
    size_t plain = 0;
    for (size_t at = 0; at < s.size(); ++at) {
        const char c = s[at];
        const Str to = c == '&' ? "&amp;" : c == '<' ? "&lt;" : c == '>' ? "&gt;" : c == '"' ? "&#34;" : c == '\'' ? "&#39;" : Str();
        if (to.empty()) continue;
        out.write(s.substr(plain, at - plain));
        out.write(to);
        plain = at + 1;
    }
    out.write(s.substr(plain));
}

}  // namespace weir::jinja
