// The tests behind "is".
#include <algorithm>

#include "template/builtins.h"
#include "template/render.h"
#include "template/unicode.h"

namespace weir::jinja {
namespace {

using Property = unicode::Property;

void no_args(const Args& a, Str name) { const Bound none(name, a, {}); }
template <Kind kind>
bool is_kind(Render&, Value v, const Args& a) { return no_args(a, "test"), v.is(kind); }

bool defined(Render&, Value v, const Args& a) { return no_args(a, "test_defined"), !v.is_undefined(); }
bool boolean(Render&, Value v, const Args& a) { return no_args(a, "test_boolean"), v.is(Kind::boolean); }
bool is_true(Render&, Value v, const Args& a) { return no_args(a, "test_true"), v.is(Kind::boolean) && v.i; }
bool is_false(Render&, Value v, const Args& a) { return no_args(a, "test_false"), v.is(Kind::boolean) && !v.i; }
bool integer(Render&, Value v, const Args& a) { return no_args(a, "test_integer"), v.is(Kind::integer) || v.is(Kind::bigint); }
bool number(Render&, Value v, const Args& a) { return no_args(a, "test_number"), v.is_number(); }
bool mapping(Render&, Value v, const Args& a) { return no_args(a, "test_mapping"), v.is(Kind::dict); }
bool sequence(Render&, Value v, const Args& a) {
    no_args(a, "test_sequence");
    return v.is_string() || v.is_sequence() || v.is(Kind::dict) || v.is(Kind::range) || v.is_undefined();
}
bool iterable(Render&, Value v, const Args& a) {
    no_args(a, "test_iterable");
    return v.is_string() || v.is_sequence() || v.is(Kind::dict) || v.is(Kind::range) || v.is(Kind::view) || v.is(Kind::lazy) ||
           v.is(Kind::loop) || v.is_undefined();
}
bool callable(Render&, Value v, const Args& a) {
    no_args(a, "callable");
    return v.is(Kind::function) || v.is(Kind::macro) || v.is(Kind::method) || v.is(Kind::loop) || v.is(Kind::joiner) ||
           v.is(Kind::dict_class) || v.is_undefined();
}
bool escaped(Render&, Value v, const Args& a) { return no_args(a, "test_escaped"), v.is_safe(); }

bool cased(Render& r, Value v, Property want, Property other) {
    const Str s = to_str(r.out, v).str();
    r.work(s.size());
    bool any = false;
    for (size_t at = 0; at < s.size();) {
        const uint32_t c = unicode::next(s, at);
        if (unicode::has(other, c) || unicode::has(Property::title, c)) return false;
        any |= unicode::has(want, c);
    }
    return any;
}
bool lower(Render& r, Value v, const Args& a) { return no_args(a, "test_lower"), cased(r, v, Property::lower, Property::upper); }
bool upper(Render& r, Value v, const Args& a) { return no_args(a, "test_upper"), cased(r, v, Property::upper, Property::lower); }

bool remainder_is(Render& r, Value v, Value by, int64_t want) { return equal(r.arithmetic(Op::mod, v, by), Value::integer(want)); }
bool odd(Render& r, Value v, const Args& a) { return no_args(a, "test_odd"), remainder_is(r, v, Value::integer(2), 1); }
bool even(Render& r, Value v, const Args& a) { return no_args(a, "test_even"), remainder_is(r, v, Value::integer(2), 0); }
bool divisible(Render& r, Value v, const Args& a) {
    const Bound b("test_divisibleby", a, {"num"}, 1);
    return remainder_is(r, v, b[0], 0);
}
Value other(const Args& a, Str name) {
    const Bound b(name, a, {""}, 1);
    return b[0];
}
bool sameas(Render&, Value v, const Args& a) {
    const Bound b("test_sameas", a, {"other"}, 1);
    return same(v, b[0]);
}
bool in(Render& r, Value v, const Args& a) {
    const Bound b("test_in", a, {"seq"}, 1);
    return r.contains(b[0], v);
}
template <Op op>
bool compares(Render& r, Value v, const Args& a) { return r.compare(op, v, other(a, "compare")); }
bool filter(Render& r, Value v, const Args& a) {
    no_args(a, "test_filter");
    hash_checked(v);
    return v.is_string() && find_filter(to_str(r.out, v).str());
}
bool test(Render& r, Value v, const Args& a) {
    no_args(a, "test_test");
    hash_checked(v);
    return v.is_string() && find_check(to_str(r.out, v).str());
}

constexpr CheckRow rows[] = {
    {"odd", odd}, {"even", even}, {"divisibleby", divisible}, {"defined", defined}, {"undefined", is_kind<Kind::undefined>}, {"filter", filter},
    {"test", test}, {"none", is_kind<Kind::none>}, {"boolean", boolean}, {"false", is_false}, {"true", is_true}, {"integer", integer},
    {"float", is_kind<Kind::real>}, {"lower", lower}, {"upper", upper}, {"string", is_kind<Kind::string>}, {"mapping", mapping}, {"number", number},
    {"sequence", sequence}, {"iterable", iterable}, {"callable", callable}, {"sameas", sameas}, {"escaped", escaped}, {"in", in},
    {"==", compares<Op::eq>}, {"eq", compares<Op::eq>}, {"equalto", compares<Op::eq>}, {"!=", compares<Op::ne>}, {"ne", compares<Op::ne>},
    {">", compares<Op::gt>}, {"gt", compares<Op::gt>}, {"greaterthan", compares<Op::gt>}, {"ge", compares<Op::gteq>}, {">=", compares<Op::gteq>},
    {"<", compares<Op::lt>}, {"lt", compares<Op::lt>}, {"lessthan", compares<Op::lt>}, {"<=", compares<Op::lteq>}, {"le", compares<Op::lteq>}};

}  // namespace

const CheckRow* find_check(Str name) {
    for (const CheckRow& row : rows)
        if (row.name == name) return &row;
    return nullptr;
}

uint8_t find_loop_field(Str name) {
    static constexpr Str names[] = {"",       "index", "index0", "revindex", "revindex0", "first", "last",
                                    "length", "depth", "depth0", "previtem", "nextitem",  "cycle", "changed"};
    for (size_t k = 1; k < std::size(names); ++k)
        if (names[k] == name) return static_cast<uint8_t>(k);
    return 0;
}

}  // namespace weir::jinja
