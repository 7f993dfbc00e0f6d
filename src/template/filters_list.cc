#include <algorithm>

#include "template/text.h"

namespace weir::jinja {
namespace {

Value length(Render&, Value v, const Args& a) {
    const Bound none("len", a, {});
    return Value::integer(length_of(v));
}
Value first(Render& r, Value v, const Args& a) {
    const Bound none("do_first", a, {});
    Items it = r.items(v);
    Value item;
    return it.next(r, item) ? item : r.heap.undefined(Str("No first item, sequence was empty."));
}
[[noreturn]] void not_reversible(Value v) { type_error(named(v) + " object is not reversible"); }
bool reversible(Value v) { return v.is_string() || v.is_sequence() || v.is(Kind::dict) || v.is(Kind::range) || v.is(Kind::view) || v.is_undefined(); }
Value last(Render& r, Value v, const Args& a) {
    const Bound none("do_last", a, {});
    if (!reversible(v)) not_reversible(v);
    if (v.is_string() && v.len) return r.item(v, Value::integer(-1));
    const auto all = r.all(v);
    return all.empty() ? r.heap.undefined(Str("No last item, sequence was empty.")) : all.back();
}
Value list(Render& r, Value v, const Args& a) {
    const Bound none("do_list", a, {});
    return Value::list(v.is_sequence() ? std::span<const Value>(r.heap.values(v.span())) : r.all(v));
}

std::span<Value> reversed_items(Render& r, Value v) {
    const auto to = r.heap.values(r.all(v));
    r.step(to.size() / 8);
    std::reverse(to.begin(), to.end());
    return to;
}
Value reversed_list(Render& r, Value v, const Args&) { return Value::list(reversed_items(r, v)); }
Str reversed_type(Value v) {   // type(reversed(v)).__name__
    static constexpr Str of_view[] = {"dict_reversekeyiterator", "dict_reversevalueiterator", "dict_reverseitemiterator"};
    switch (v.kind) {
        case Kind::list: return "list_reverseiterator";
        case Kind::dict: return of_view[View::keys];
        case Kind::view: return of_view[static_cast<View*>(v.object)->part];
        case Kind::range: return "range_iterator";
        default: return "reversed";
    }
}
Value reverse(Render& r, Value v, const Args& a) {
    const Bound none("do_reverse", a, {});
    if (v.is_string()) return r.slice(v, Value::none(), Value::none(), Value::integer(-1));
    if (reversible(v)) return r.lazy(reversed_list, v, {}, reversed_type(v));
    if (v.is(Kind::lazy)) return reversed_list(r, v, {});
    raise(Error::filter_argument, "argument must be iterable");
}

// Sorts by keys; raises when two that are compared have no order. Lists are compared item by item.
struct Keyed { Value key, item; };
void sort_keyed(Render& r, std::vector<Keyed>& all, bool reverse) {
    size_t log = 1;
    for (size_t n = all.size(); n; n >>= 1) ++log;
    r.step(all.size() * log / 4);
    auto less = [&r](const Keyed& a, const Keyed& b) {
        if (!a.key.is(Kind::list) || !b.key.is(Kind::list)) return r.compare(Op::lt, a.key, b.key);
        for (uint32_t k = 0; k < a.key.len && k < b.key.len; ++k)
            if (!equal(a.key.items[k], b.key.items[k])) return r.compare(Op::lt, a.key.items[k], b.key.items[k]);
        return a.key.len < b.key.len;
    };
    if (reverse) std::reverse(all.begin(), all.end());
    std::stable_sort(all.begin(), all.end(), less);
    if (reverse) std::reverse(all.begin(), all.end());
}
Value items_of(Render& r, const std::vector<Keyed>& all) {
    const auto to = r.heap.values(all.size());
    for (size_t k = 0; k < all.size(); ++k) to[k] = all[k].item;
    return Value::list(to);
}
Value sort(Render& r, Value v, const Args& a) {
    const Bound b("do_sort", a, {"reverse", "case_sensitive", "attribute"});
    const bool folds = !b.flag(1, false);
    std::vector<Getter> getters;
    const Value attribute = b.or_else(2, Value::none());
    if (attribute.is_string()) {
        for (Str rest = attribute.str();;) {
            const size_t comma = std::min(rest.find(','), rest.size());
            getters.emplace_back(r, Value::string(rest.substr(0, comma)));
            if (comma == rest.size()) break;
            rest.remove_prefix(comma + 1);
        }
    } else {
        getters.emplace_back(r, attribute);
    }
    std::vector<Keyed> all;
    for (const Value& item : r.all(v)) {
        const auto key = r.heap.values(getters.size());
        for (size_t k = 0; k < getters.size(); ++k) key[k] = folds ? folded(r, getters[k](item)) : getters[k](item);
        all.push_back({Value::list(key), item});
        r.step();
    }
    sort_keyed(r, all, b.flag(0, false));
    return items_of(r, all);
}

Value unique_items(Render& r, Value v, const Args& a) {
    const Bound b("sync_do_unique", a, {"case_sensitive", "attribute"});
    const Getter get(r, b[1]);
    Dict* seen = r.heap.dict(8);
    std::vector<Value> kept;
    for (const Value& item : r.all(v)) {
        r.step();
        const Value key = b.flag(0, false) ? get(item) : folded(r, get(item));
        if (seen->find_any(key)) continue;
        seen->set(key, Value::none());
        kept.push_back(item);
    }
    return Value::list(r.heap.values(std::span<const Value>(kept)));
}
Value unique(Render& r, Value v, const Args& a) {
    const Bound check("sync_do_unique", a, {"case_sensitive", "attribute"});
    return r.lazy(unique_items, v, a, "generator");
}

template <bool largest>
Value extreme(Render& r, Value v, const Args& a) {
    const Bound b(largest ? "do_max" : "do_min", a, {"case_sensitive", "attribute"});
    const Getter get(r, b[1]);
    Items it = r.items(v);
    Value best, best_key;
    for (Value item; it.next(r, item);) {
        r.step();
        const Value key = b.flag(0, false) ? get(item) : folded(r, get(item));
        if (best.is(Kind::missing) || r.compare(largest ? Op::gt : Op::lt, key, best_key)) best = item, best_key = key;
    }
    return best.is(Kind::missing) ? r.heap.undefined(Str("No aggregated item, sequence was empty.")) : best;
}

Value sum(Render& r, Value v, const Args& a) {
    const Bound b("sync_do_sum", a, {"attribute", "start"});
    const Getter get(r, b[0]);
    Value total = b.or_else(1, Value::integer(0));
    if (total.is_string()) type_error("sum() can't sum strings [use ''.join(seq) instead]");
    Items it = r.items(v);
    for (Value item; it.next(r, item);) {
        r.step();
        total = r.add(total, get(item));
    }
    return total;
}

Value batches(Render& r, Value v, const Args& a) {
    const Bound b("do_batch", a, {"linecount", "fill_with"}, 1);
    std::vector<Value> lines, line;
    Items it = r.items(v);
    auto close = [&] {
        lines.push_back(Value::list(r.heap.values(std::span<const Value>(line))));
        line.clear();
    };
    for (Value item; it.next(r, item);) {
        r.step();
        if (equal(Value::integer(static_cast<int64_t>(line.size())), b[0])) close();
        line.push_back(item);
    }
    if (!line.empty()) {
        const Value fill = b.or_else(1, Value::none());
        if (!fill.is(Kind::none) && r.compare(Op::lt, Value::integer(static_cast<int64_t>(line.size())), b[0])) {
            const int64_t width = want_int(b[0], "can't multiply sequence by non-int");
            r.heap.charge(static_cast<size_t>(width) > (size_t{1} << 40) ? size_t{1} << 40 : static_cast<size_t>(width) * 16);
            while (static_cast<int64_t>(line.size()) < width) line.push_back(fill);
        }
        close();
    }
    return Value::list(r.heap.values(std::span<const Value>(lines)));
}
Value batch(Render& r, Value v, const Args& a) {
    const Bound check("do_batch", a, {"linecount", "fill_with"}, 1);
    return r.lazy(batches, v, a, "generator");
}

Value slices(Render& r, Value v, const Args& a) {
    const Bound b("sync_do_slice", a, {"slices", "fill_with"}, 1);
    const auto all = r.all(v);
    const Value fill = b.or_else(1, Value::none());
    if (b[0].is_undefined()) r.fail_undefined(b[0]);
    if (!b[0].is_int())
        type_error(b[0].is(Kind::real) ? "'float' object cannot be interpreted as an integer"
                                       : "unsupported operand type(s) for //: 'int' and " + named(b[0]));
    const int64_t n = b[0].i, size = static_cast<int64_t>(all.size());
    if (n == 0) raise(Error::zero_division, "integer division or modulo by zero");
    if (n < 0) return Value::list({});
    const int64_t each = size / n, extra = size % n;
    r.step(static_cast<uint64_t>(n));
    std::vector<Value> out;
    int64_t offset = 0;
    for (int64_t k = 0; k < n; ++k) {
        const int64_t start = offset + k * each;
        if (k < extra) ++offset;
        const int64_t end = offset + (k + 1) * each;
        std::vector<Value> part(all.begin() + start, all.begin() + end);
        if (!fill.is(Kind::none) && k >= extra) part.push_back(fill);
        out.push_back(Value::list(r.heap.values(std::span<const Value>(part))));
    }
    return Value::list(r.heap.values(std::span<const Value>(out)));
}
Value slice(Render& r, Value v, const Args& a) {
    const Bound check("sync_do_slice", a, {"slices", "fill_with"}, 1);
    return r.lazy(slices, v, a, "generator");
}

Value groupby(Render& r, Value v, const Args& a) {
    const Bound b("sync_do_groupby", a, {"attribute", "default", "case_sensitive"}, 1);
    const Getter get(r, b[0], b.or_else(1, Value::none()));
    const bool folds = !b.flag(2, false);
    std::vector<Keyed> all;
    for (const Value& item : r.all(v)) all.push_back({folds ? folded(r, get(item)) : get(item), item});
    sort_keyed(r, all, false);
    std::vector<Value> groups;
    for (size_t from = 0, to = 0; from < all.size(); from = to) {
        std::vector<Value> items;
        for (to = from; to < all.size() && equal(all[from].key, all[to].key); ++to) items.push_back(all[to].item);
        Value group = r.heap.pair(folds ? get(all[from].item) : all[from].key, Value::list(r.heap.values(std::span<const Value>(items))));
        group.flags = Value::group;
        groups.push_back(group);
    }
    return Value::list(r.heap.values(std::span<const Value>(groups)));
}

Value dictsort(Render& r, Value v, const Args& a) {
    const Bound b("do_dictsort", a, {"case_sensitive", "by", "reverse"});
    const Value by = b.or_else(1, Value::string("key"));
    const bool by_value = equal(by, Value::string("value"));
    if (!by_value && !equal(by, Value::string("key"))) raise(Error::filter_argument, "You can only sort by either \"key\" or \"value\"");
    if (v.is_undefined()) r.fail_undefined(v);
    if (!v.is(Kind::dict)) raise(Error::attribute, named(v) + " object has no attribute 'items'");
    std::vector<Keyed> all;
    for (const DictEntry& e : v.dict->all()) {
        const Value key = by_value ? e.value : e.key;
        all.push_back({b.flag(0, false) ? key : folded(r, key), r.heap.pair(e.key, e.value)});
    }
    sort_keyed(r, all, b.flag(2, false));
    return items_of(r, all);
}

Value pairs(Render& r, Value v, const Args&) {
    if (v.is_undefined()) return Value::list({});
    if (!v.is(Kind::dict)) type_error("Can only get item pairs from a mapping.");
    return Value::list(r.all(Value::of_object(Kind::view, r.heap.make<View>(Object{}, v.dict, View::items))));
}
Value items(Render& r, Value v, const Args& a) {
    const Bound none("do_items", a, {});
    return r.lazy(pairs, v, a, "generator");
}

Value random(Render& r, Value v, const Args& a) {
    const Bound none("do_random", a, {});
    if (length_of(v) == 0) return r.heap.undefined(Str("No random item, sequence was empty."));
    const auto n = static_cast<uint64_t>(length_of(v));
    const auto seed = static_cast<uint64_t>(r.now.microsecond) * 2654435761u + static_cast<uint64_t>(r.now.second);
    return r.item(v, Value::integer(static_cast<int64_t>(seed % n)));
}

constexpr FilterRow rows[] = {
    {"length", length}, {"count", length}, {"first", first}, {"last", last}, {"list", list}, {"reverse", reverse}, {"sort", sort}, {"unique", unique},
    {"min", extreme<false>}, {"max", extreme<true>}, {"sum", sum}, {"batch", batch}, {"slice", slice}, {"groupby", groupby}, {"dictsort", dictsort},
    {"items", items}, {"random", random}};

}  // namespace

std::span<const FilterRow> list_filters() { return rows; }

}  // namespace weir::jinja
