#include <algorithm>

#include "template/text.h"
#include "template/unicode.h"

namespace weir::jinja {
namespace {

Value like(Value self, Str text) { return self.is_safe() ? safe_string(text) : Value::string(text); }
std::span<const Value> plain(const Args& a, Str name, size_t least, size_t most) {
    if (!a.keywords.empty()) type_error("str." + std::string(name) + "() takes no keyword arguments");
    if (a.plain.size() < least || a.plain.size() > most)
        type_error(std::string(name) + "() takes " + std::to_string(least) + " to " + std::to_string(most) + " arguments (" +
                   std::to_string(a.plain.size()) + " given)");
    return a.plain;
}

// The part a search looks at: s[start:end] in characters. False when start lies behind the end.
struct Window { Str text; int64_t start; bool in; };
Window window(Render& r, Value v, std::span<const Value> args) {
    const Str s = v.str();
    r.work(s.size());
    if (args.size() < 2) return {s, 0, true};
    const auto n = static_cast<int64_t>(count_chars(s));
    auto at = [&](size_t k, int64_t otherwise) {
        if (args.size() <= k || args[k].is(Kind::none)) return otherwise;
        if (!args[k].is_int()) type_error("slice indices must be integers or None or have an __index__ method");
        return args[k].i < 0 ? std::max<int64_t>(args[k].i + n, 0) : args[k].i;
    };
    const int64_t from = at(1, 0), to = std::min(at(2, n), n);
    if (from > n || from > to) return {"", from, false};
    return {chars(s, static_cast<size_t>(from), static_cast<size_t>(to)), from, true};
}

int64_t find_char(Render& r, Value v, const Args& a, Str name, bool from_right) {
    const auto args = plain(a, name, 1, 3);
    if (!args[0].is_string()) type_error("must be str, not " + std::string(type_name(args[0])));
    const Window w = window(r, v, args);
    const size_t at = !w.in ? Str::npos : from_right ? w.text.rfind(args[0].str()) : w.text.find(args[0].str());
    return at == Str::npos ? -1 : w.start + static_cast<int64_t>(count_chars(w.text.substr(0, at)));
}
Value find(Render& r, Value v, const Args& a) { return Value::integer(find_char(r, v, a, "find", false)); }
Value rfind(Render& r, Value v, const Args& a) { return Value::integer(find_char(r, v, a, "rfind", true)); }
template <bool right>
Value index(Render& r, Value v, const Args& a) {
    const int64_t at = find_char(r, v, a, "index", right);
    if (at < 0) raise(Error::value, "substring not found");
    return Value::integer(at);
}
Value count(Render& r, Value v, const Args& a) {
    const auto args = plain(a, "count", 1, 3);
    if (!args[0].is_string()) type_error("must be str, not " + std::string(type_name(args[0])));
    const Window w = window(r, v, args);
    const Str what = args[0].str();
    if (!w.in) return Value::integer(0);
    if (what.empty()) return Value::integer(static_cast<int64_t>(count_chars(w.text)) + 1);
    int64_t n = 0;
    for (size_t at = 0; (at = w.text.find(what, at)) != Str::npos; at += what.size()) ++n;
    return Value::integer(n);
}

template <bool at_end>
Value affix(Render& r, Value v, const Args& a) {
    const auto args = plain(a, at_end ? "endswith" : "startswith", 1, 3);
    const Window w = window(r, v, args);
    auto fits = [&](Value x) {
        if (!x.is_string())
            type_error(std::string(at_end ? "endswith" : "startswith") + " first arg must be str or a tuple of str, not " + std::string(type_name(x)));
        return w.in && (at_end ? w.text.ends_with(x.str()) : w.text.starts_with(x.str()));
    };
    if (!args[0].is(Kind::tuple)) return Value::boolean(fits(args[0]));
    for (const Value& x : args[0].span())
        if (fits(x)) return Value::boolean(true);
    return Value::boolean(false);
}

// Parts from the left or the right, at most `limit` cuts; parts come out in order.
void split_at(Str s, Str by, int64_t limit, bool right, std::vector<Str>& parts) {
    while (limit != 0) {
        const size_t at = right ? s.rfind(by) : s.find(by);
        if (at == Str::npos) break;
        parts.push_back(right ? s.substr(at + by.size()) : s.substr(0, at));
        s = right ? s.substr(0, at) : s.substr(at + by.size());
        --limit;
    }
    parts.push_back(s);
}
void split_blanks(Str s, int64_t limit, bool right, std::vector<Str>& parts) {
    for (s = unicode::strip(s, !right, right); !s.empty(); s = unicode::strip(s, !right, right)) {
        if (limit-- == 0) {
            parts.push_back(s);
            return;
        }
        size_t at = right ? s.size() : 0;
        while (right ? at > 0 : at < s.size()) {
            size_t next = at;
            if (unicode::space(right ? unicode::previous(s, next) : unicode::next(s, next))) break;
            at = next;
        }
        parts.push_back(right ? s.substr(at) : s.substr(0, at));
        s = right ? s.substr(0, at) : s.substr(at);
    }
}
template <bool right>
Value split(Render& r, Value v, const Args& a) {
    const Bound b(right ? "rsplit" : "split", a, {"sep", "maxsplit"});
    const Value by = b.or_else(0, Value::none());
    const int64_t limit = b.given(1) ? want_int(b[1]) : -1;
    std::vector<Str> parts;
    if (by.is(Kind::none)) {
        split_blanks(v.str(), limit, right, parts);
    } else {
        if (!by.is_string()) type_error("must be str or None, not " + std::string(type_name(by)));
        if (by.len == 0) raise(Error::value, "empty separator");
        split_at(v.str(), by.str(), limit, right, parts);
    }
    r.work(v.len);
    r.step(parts.size() / 8);
    if (right) std::reverse(parts.begin(), parts.end());
    const auto items = r.heap.values(parts.size());
    for (size_t k = 0; k < parts.size(); ++k) items[k] = like(v, parts[k]);
    return Value::list(items);
}
template <bool right>
Value partition(Render& r, Value v, const Args& a) {
    const auto args = plain(a, right ? "rpartition" : "partition", 1, 1);
    if (!args[0].is_string()) type_error("must be str, not " + std::string(type_name(args[0])));
    if (args[0].len == 0) raise(Error::value, "empty separator");
    const Str s = v.str(), by = args[0].str();
    r.work(s.size());
    const size_t at = right ? s.rfind(by) : s.find(by);
    Value three[3] = {like(v, s), like(v, ""), like(v, "")};
    if (at == Str::npos && right) std::swap(three[0], three[2]);
    if (at != Str::npos) three[0] = like(v, s.substr(0, at)), three[1] = like(v, by), three[2] = like(v, s.substr(at + by.size()));
    return r.heap.tuple(three);
}
Value splitlines(Render& r, Value v, const Args& a) {
    const Bound b("splitlines", a, {"keepends"});
    const auto lines = r.heap.values(split_lines(r, v.str(), b.flag(0, false)));
    for (Value& line : lines) line = like(v, line.str());
    return Value::list(lines);
}

Value replace(Render& r, Value v, const Args& a) {
    const auto args = plain(a, "replace", 2, 3);
    if (!args[0].is_string()) type_error("replace() argument 1 must be str, not " + std::string(type_name(args[0])));
    if (!args[1].is_string()) type_error("replace() argument 2 must be str, not " + std::string(type_name(args[1])));
    const int64_t limit = args.size() == 3 ? want_int(args[2]) : -1;
    if (v.is_safe()) return safe_string(replaced(r, v.str(), args[0].str(), r.escaped(args[1]).str(), limit));
    return Value::string(replaced(r, v.str(), args[0].str(), args[1].str(), limit));
}
Value join(Render& r, Value v, const Args& a) {
    const auto args = plain(a, "join", 1, 1);
    if (args[0].is(Kind::none) || args[0].is_number()) type_error("can only join an iterable");
    Items through = r.items(args[0]);
    const size_t mark = r.out.size();
    size_t n = 0;
    for (Value item; through.next(r, item); ++n) {
        r.step();
        if (!item.is_string() && !v.is_safe())
            type_error("sequence item " + std::to_string(n) + ": expected str instance, " + std::string(type_name(item)) +
                       " found");
        const Str part = v.is_safe() ? r.escaped(item).str() : item.str();
        if (n) r.out.write(v.str());
        r.out.write(part);
    }
    return like(v, r.out.take(mark));
}

constexpr MethodRow rows[] = {
    {"split", split<false>}, {"rsplit", split<true>}, {"startswith", affix<false>}, {"endswith", affix<true>}, {"replace", replace}, {"join", join},
    {"find", find}, {"rfind", rfind}, {"index", index<false>}, {"rindex", index<true>}, {"count", count}, {"partition", partition<false>},
    {"rpartition", partition<true>}, {"splitlines", splitlines}};

}  // namespace

std::span<const MethodRow> search_methods() { return rows; }

}  // namespace weir::jinja
