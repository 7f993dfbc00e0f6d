#include "template/text.h"

#include <algorithm>

#include "template/numbers.h"
#include "template/unicode.h"

namespace weir::jinja {
namespace {

using unicode::Change;
using unicode::Property;

// A sigma at the end of a word: something cased before it, nothing cased behind it, whatever may be between.
bool final_sigma(Str s, size_t from, size_t behind) {
    bool before = false;
    for (size_t at = from; at > 0;) {
        const uint32_t c = unicode::previous(s, at);
        if (unicode::has(Property::ignorable, c)) continue;
        before = unicode::has(Property::cased, c);
        break;
    }
    if (!before) return false;
    for (size_t at = behind; at < s.size();) {
        const uint32_t c = unicode::next(s, at);
        if (unicode::has(Property::ignorable, c)) continue;
        return !unicode::has(Property::cased, c);
    }
    return true;
}

void write_changed(Out& out, Str s, size_t from, size_t behind, uint32_t c, Change how) {
    if (how == Change::lower && c == 0x3a3) return out.code_point(final_sigma(s, from, behind) ? 0x3c2 : 0x3c3);
    uint32_t to[3];
    const size_t n = unicode::change(how, c, to);
    for (size_t k = 0; k < n; ++k) out.code_point(to[k]);
}

}  // namespace

Str change_case(Render& r, Str s, Case how) {
    r.work(s.size() * 4);
    const size_t mark = r.out.size();
    bool in_word = false;
    for (size_t at = 0; at < s.size();) {
        const size_t from = at;
        const uint32_t c = unicode::next(s, at);
        Change change = how == Case::upper ? Change::upper : how == Case::fold ? Change::fold : Change::lower;
        if (how == Case::title) {
            change = in_word ? Change::lower : Change::title;
            in_word = unicode::has(Property::upper, c) || unicode::has(Property::lower, c) || unicode::has(Property::title, c);
        }
        if (how == Case::capitalize) change = from == 0 ? Change::title : Change::lower;
        if (how == Case::swap) {
            if (unicode::has(Property::lower, c)) change = Change::upper;
            else if (!unicode::has(Property::upper, c)) {
                r.out.write(s.substr(from, at - from));
                continue;
            }
        }
        write_changed(r.out, s, from, at, c, change);
    }
    return r.out.take(mark);
}

Str replaced(Render& r, Str s, Str old, Str with, int64_t count) {
    r.work(s.size());
    if (count == 0 || (!old.empty() && s.find(old) == Str::npos)) return s;
    const size_t mark = r.out.size();
    size_t at = 0;
    if (old.empty()) {
        for (;; --count) {
            if (count != 0) r.out.write(with);
            if (count == 0) r.out.write(s.substr(at));
            if (count == 0 || at == s.size()) break;
            const size_t from = at;
            unicode::next(s, at);
            r.out.write(s.substr(from, at - from));
        }
        return r.out.take(mark);
    }
    while (count != 0) {
        const size_t found = s.find(old, at);
        if (found == Str::npos) break;
        r.out.write(s.substr(at, found - at));
        r.out.write(with);
        at = found + old.size();
        if (count > 0) --count;
    }
    r.out.write(s.substr(at));
    return r.out.take(mark);
}

Str strip_chars(Str s, Str chars, bool left, bool right) {
    auto in = [&](Str one) { return chars.find(one) != Str::npos; };
    size_t from = 0, to = s.size();
    while (left && from < to) {
        size_t at = from;
        unicode::next(s, at);
        if (!in(s.substr(from, at - from))) break;
        from = at;
    }
    while (right && to > from) {
        size_t at = to;
        unicode::previous(s.substr(0, to), at);
        if (!in(s.substr(at, to - at))) break;
        to = at;
    }
    return s.substr(from, to - from);
}

std::span<const Value> split_lines(Render& r, Str s, bool keep_ends) {
    std::vector<Value> lines;
    size_t line = 0;
    for (size_t at = 0; at < s.size();) {
        const size_t from = at;
        const uint32_t c = unicode::next(s, at);
        const bool ends = (c >= 10 && c <= 13) || (c >= 0x1c && c <= 0x1e) || c == 0x85 || c == 0x2028 || c == 0x2029;
        if (!ends) continue;
        if (c == '\r' && at < s.size() && s[at] == '\n') ++at;
        lines.push_back(Value::string(s.substr(line, (keep_ends ? at : from) - line)));
        line = at;
    }
    if (line < s.size()) lines.push_back(Value::string(s.substr(line)));
    r.work(s.size());
    r.step(lines.size() / 8);
    return r.heap.values(std::span<const Value>(lines));
}

Str padded(Render& r, Str s, int64_t width, Str fill, int align) {
    const auto n = static_cast<int64_t>(count_chars(s));
    if (width <= n) return s;
    const auto missing = static_cast<size_t>(width - n);
    // Python gives an odd place to the left when the width is odd.
    const size_t left = align < 0 ? 0 : align > 0 ? missing : missing / 2 + (missing & static_cast<size_t>(width) & 1);
    const size_t mark = r.out.size();
    r.out.fill(fill, left);
    r.out.write(s);
    r.out.fill(fill, missing - left);
    return r.out.take(mark);
}

Getter::Getter(Render& r, Value attribute, Value otherwise) : r_(r), otherwise_(otherwise) {
    if (attribute.is(Kind::none) || attribute.is(Kind::missing)) return;
    if (!attribute.is_string()) {
        parts_.push_back(attribute);
        return;
    }
    for (Str rest = attribute.str();;) {
        const size_t dot = std::min(rest.find('.'), rest.size());
        const Str part = rest.substr(0, dot);
        bool digits = !part.empty();
        for (size_t at = 0; at < part.size();) digits &= unicode::has(Property::digit, unicode::next(part, at));
        const auto n = digits ? parse_int(part, 10) : std::nullopt;
        parts_.push_back(n ? Value::integer(*n) : key_string(part));
        if (dot == rest.size()) return;
        rest.remove_prefix(dot + 1);
    }
}
Value Getter::operator()(Value item) const {
    for (const Value& part : parts_) {
        item = r_.item(item, part);
        if (item.is_undefined() && !otherwise_.is(Kind::missing) && !otherwise_.is(Kind::none)) item = otherwise_;
    }
    return item;
}
Value folded(Render& r, Value v) {
    return v.is_string() ? Value::string(change_case(r, v.str(), Case::lower)) : v;
}

namespace {

// pprint: dicts by key, one item a line when a line would be longer than 80.
bool fits(Render& r, Value v, size_t room) {
    const size_t mark = r.out.size();
    write_repr(r.out, v);
    const bool ok = count_chars(r.out.since(mark)) <= room;
    r.out.drop(mark);
    return ok;
}
Value ordered(Render& r, Value v) {
    auto* d = r.heap.dict(v.dict->size);
    std::vector<DictEntry> entries(v.dict->entries, v.dict->entries + v.dict->size);
    std::stable_sort(entries.begin(), entries.end(), [](const DictEntry& a, const DictEntry& b) {
        const bool comparable = (a.key.is_string() && b.key.is_string()) || (a.key.is_number() && b.key.is_number());
        return comparable ? compare(a.key, b.key, "<") == -1 : type_name(a.key) < type_name(b.key);
    });
    for (const DictEntry& e : entries) d->set(e.key, e.value);
    return Value::of_dict(d);
}
Value order_deep(Render& r, Value v, int depth) {
    if (depth > 100) raise(Error::recursion, "maximum recursion depth exceeded");
    if (v.is(Kind::dict)) {
        v = ordered(r, v);
        for (uint32_t k = 0; k < v.dict->size; ++k) v.dict->entries[k].value = order_deep(r, v.dict->entries[k].value, depth + 1);
    } else if (v.is_sequence()) {
        const auto to = r.heap.values(v.span());
        for (Value& x : to) x = order_deep(r, x, depth + 1);
        v.items = to.data();
    }
    return v;
}
void pretty(Render& r, Value v, size_t indent, size_t allowance) {
    r.step();
    const bool nests = v.is(Kind::dict) ? v.dict->size != 0 : v.is_sequence() && v.len != 0;
    if (!nests || fits(r, v, 80 > indent + allowance ? 80 - indent - allowance : 0)) return write_repr(r.out, v);
    const auto newline = [&](size_t n) {
        r.out.write(",\n");
        r.out.fill(" ", n);
    };
    if (v.is(Kind::dict)) {
        r.out.put('{');
        for (uint32_t k = 0; k < v.dict->size; ++k) {
            if (k) newline(indent + 1);
            const size_t mark = r.out.size();
            write_repr(r.out, v.dict->entries[k].key);
            r.out.write(": ");
            const size_t used = count_chars(r.out.since(mark));
            pretty(r, v.dict->entries[k].value, indent + 1 + used, k + 1 == v.dict->size ? allowance + 1 : 1);
        }
        return r.out.put('}');
    }
    r.out.put(v.is(Kind::list) ? '[' : '(');
    for (uint32_t k = 0; k < v.len; ++k) {
        if (k) newline(indent + 1);
        pretty(r, v.items[k], indent + 1, k + 1 == v.len ? allowance + 1 : 1);
    }
    if (v.is(Kind::tuple) && v.len == 1) r.out.put(',');
    r.out.put(v.is(Kind::list) ? ']' : ')');
}

}  // namespace

void write_pretty(Render& r, Value v) { pretty(r, order_deep(r, v, 0), 0, 0); }

}  // namespace weir::jinja
