#include <algorithm>
#include <bit>
#include <cmath>

#include "template/text.h"

namespace weir::jinja {
namespace {

std::span<const Value> plain(const Args& a, Str name, size_t least, size_t most) {
    if (!a.keywords.empty()) type_error(std::string(name) + "() takes no keyword arguments");
    if (a.plain.size() < least || a.plain.size() > most)
        type_error(std::string(name) + " expected " + std::to_string(least) + " to " + std::to_string(most) + " arguments, got " +
                   std::to_string(a.plain.size()));
    return a.plain;
}

// Lists, tuples, ranges.

Value copy(Render& r, Value v, const Args& a) { return plain(a, "copy", 0, 0), Value::list(r.heap.values(v.span())); }
Value count(Render& r, Value v, const Args& a) {
    const Value x = plain(a, "count", 1, 1)[0];
    int64_t n = 0;
    for (const Value& item : r.all(v)) n += equal(item, x);
    r.step(static_cast<uint64_t>(length_of(v)) / 8);
    return Value::integer(n);
}
Value index(Render& r, Value v, const Args& a) {
    const auto args = plain(a, "index", 1, 3);
    const auto all = r.all(v);
    const auto n = static_cast<int64_t>(all.size());
    auto bound = [&](size_t k, int64_t otherwise) {
        if (args.size() <= k) return otherwise;
        const int64_t at = want_int(args[k], "slice indices must be integers or have an __index__ method");
        return at < 0 ? std::max<int64_t>(at + n, 0) : at;
    };
    const int64_t to = std::min(bound(2, n), n);
    r.step(all.size() / 8);
    for (int64_t k = bound(1, 0); k < to; ++k)
        if (equal(all[static_cast<size_t>(k)], args[0])) return Value::integer(k);
    raise(Error::value, v.is(Kind::list) ? repr_text(args[0]) + " is not in list" : "tuple.index(x): x not in tuple");
}
constexpr MethodRow list_rows[] = {{"copy", copy}, {"count", count}, {"index", index}, {"append", nullptr}, {"clear", nullptr}, {"extend", nullptr},
                                   {"insert", nullptr}, {"pop", nullptr}, {"remove", nullptr}, {"reverse", nullptr}, {"sort", nullptr}};
constexpr MethodRow tuple_rows[] = {{"count", count}, {"index", index}};

// Dicts.

template <View::Part part>
Value view(Render& r, Value v, const Args& a) {
    plain(a, "dict.items", 0, 0);
    return Value::of_object(Kind::view, r.heap.make<View>(Object{}, v.dict, part));
}
Value get(Render&, Value v, const Args& a) {
    const auto args = plain(a, "get", 1, 2);
    const Value* found = v.dict->find_any(args[0]);
    return found ? *found : args.size() == 2 ? args[1] : Value::none();
}
Value copy_dict(Render& r, Value v, const Args& a) {
    plain(a, "dict.copy", 0, 0);
    Dict* d = r.heap.dict(v.dict->size);
    for (const DictEntry& e : v.dict->all()) d->set(e.key, e.value);
    return Value::of_dict(d);
}
Value from_keys(Render& r, Value, const Args& a) {
    const auto args = plain(a, "fromkeys", 1, 2);
    Dict* d = r.heap.dict(4);
    for (const Value& key : r.all(args[0])) r.step(), d->set(hash_checked(key), args.size() == 2 ? args[1] : Value::none());
    return Value::of_dict(d);
}
constexpr MethodRow dict_rows[] = {{"items", view<View::items>},
                                   {"keys", view<View::keys>},
                                   {"values", view<View::values>},
                                   {"get", get},
                                   {"copy", copy_dict},
                                   {"fromkeys", from_keys},
                                   {"clear", nullptr},
                                   {"pop", nullptr},
                                   {"popitem", nullptr},
                                   {"setdefault", nullptr},
                                   {"update", nullptr}};

// Numbers.

Value is_integer(Render&, Value v, const Args& a) { return plain(a, "is_integer", 0, 0), Value::boolean(std::isfinite(v.d) && v.d == std::floor(v.d)); }
Value conjugate(Render&, Value v, const Args& a) { return plain(a, "conjugate", 0, 0), v.is(Kind::boolean) ? Value::integer(v.i) : v; }
uint64_t magnitude(Value v) { return v.i < 0 ? 0 - static_cast<uint64_t>(v.i) : static_cast<uint64_t>(v.i); }
Value bit_length(Render&, Value v, const Args& a) { return plain(a, "bit_length", 0, 0), Value::integer(std::bit_width(magnitude(v))); }
Value bit_count(Render&, Value v, const Args& a) { return plain(a, "bit_count", 0, 0), Value::integer(std::popcount(magnitude(v))); }
Value as_ratio(Render& r, Value v, const Args& a) {
    plain(a, "as_integer_ratio", 0, 0);
    if (v.is(Kind::real)) raise(Error::not_implemented, "as_integer_ratio() of a float is not supported");
    return r.heap.pair(Value::integer(v.i), Value::integer(1));
}
constexpr MethodRow number_rows[] = {{"is_integer", is_integer, Kind::real}, {"conjugate", conjugate}, {"bit_length", bit_length, Kind::integer},
                                     {"bit_count", bit_count, Kind::integer}, {"bit_length", bit_length, Kind::boolean},
                                     {"bit_count", bit_count, Kind::boolean}, {"as_integer_ratio", as_ratio}};

// Objects of Jinja.

Value cycle(Render&, Value v, const Args& a) {
    const auto args = plain(a, "cycle", 0, 1'000'000);
    if (args.empty()) type_error("no items for cycling given");
    return args[static_cast<size_t>(static_cast<LoopObject*>(v.object)->index0) % args.size()];
}
Value changed(Render& r, Value v, const Args& a) {
    auto& loop = *static_cast<LoopObject*>(v.object);
    const Value now = r.heap.tuple(plain(a, "changed", 0, 1'000'000));
    if (!loop.changed.is(Kind::missing) && equal(loop.changed, now)) return Value::boolean(false);
    loop.changed = now;
    return Value::boolean(true);
}
Value next(Render&, Value v, const Args& a) {
    plain(a, "next", 0, 0);
    auto& c = *static_cast<CyclerObject*>(v.object);
    const Value now = c.items[c.at];
    c.at = (c.at + 1) % c.items.size();
    return now;
}
Value reset(Render&, Value v, const Args& a) {
    plain(a, "reset", 0, 0);
    static_cast<CyclerObject*>(v.object)->at = 0;
    return Value::none();
}
constexpr MethodRow object_rows[] = {{"cycle", cycle, Kind::loop},
                                     {"changed", changed, Kind::loop},
                                     {"next", next, Kind::cycler},
                                     {"reset", reset, Kind::cycler},
                                     {"fromkeys", from_keys, Kind::dict_class}};

}  // namespace

std::span<const MethodRow> list_methods() { return list_rows; }
std::span<const MethodRow> tuple_methods() { return tuple_rows; }
std::span<const MethodRow> dict_methods() { return dict_rows; }
std::span<const MethodRow> number_methods() { return number_rows; }
std::span<const MethodRow> object_methods() { return object_rows; }

}  // namespace weir::jinja
