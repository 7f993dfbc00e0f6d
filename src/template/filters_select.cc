#include "template/text.h"

namespace weir::jinja {
namespace {

const FilterRow& wanted_filter(Value name) {
    const FilterRow* row = name.is_string() ? find_filter(name.str()) : nullptr;
    if (!row) raise(Error::template_runtime, "No filter named " + repr_text(name) + ".");
    return *row;
}
const CheckRow& wanted_check(Value name) {
    const CheckRow* row = name.is_string() ? find_check(name.str()) : nullptr;
    if (!row) raise(Error::template_runtime, "No test named " + repr_text(name) + ".");
    return *row;
}

Value mapped(Render& r, Value v, const Args& a) {
    if (!truthy(v)) return Value::list({});
    Value attribute, otherwise;
    for (const NamedValue& n : a.keywords) {
        if (n.name == "attribute") attribute = n.value;
        if (n.name == "default") otherwise = n.value;
    }
    const bool by_attribute = a.plain.empty() && !attribute.is(Kind::missing);
    if (by_attribute)
        for (const NamedValue& n : a.keywords)
            if (n.name != "attribute" && n.name != "default") raise(Error::filter_argument, "Unexpected keyword argument '" + std::string(n.name) + "'");
    if (!by_attribute && a.plain.empty()) raise(Error::filter_argument, "map requires a filter argument");
    const Getter get(r, attribute, otherwise);
    std::vector<Value> out;
    Items it = r.items(v);
    for (Value item; it.next(r, item);) {
        r.step();
        out.push_back(by_attribute ? get(item) : r.call_filter(wanted_filter(a.plain[0]), item, {a.plain.subspan(1), a.keywords}));
    }
    return Value::list(r.heap.values(std::span<const Value>(out)));
}
Value map(Render& r, Value v, const Args& a) { return r.lazy(mapped, v, a, "generator"); }

template <bool keep, bool by_attribute>
Value chosen(Render& r, Value v, const Args& a) {
    if (!truthy(v)) return Value::list({});
    if (by_attribute && a.plain.empty()) raise(Error::filter_argument, "Missing parameter for attribute name");
    const Getter get(r, by_attribute ? a.plain[0] : Value::none());
    const size_t off = by_attribute ? 1 : 0;
    std::vector<Value> out;
    Items it = r.items(v);
    for (Value item; it.next(r, item);) {
        r.step();
        const Value x = get(item);
        const bool pass = a.plain.size() > off ? r.check(wanted_check(a.plain[off]), x, {a.plain.subspan(off + 1), a.keywords}) : truthy(x);
        if (pass == keep) out.push_back(item);
    }
    return Value::list(r.heap.values(std::span<const Value>(out)));
}
template <bool keep, bool by_attribute>
Value choose(Render& r, Value v, const Args& a) { return r.lazy(chosen<keep, by_attribute>, v, a, "generator"); }

Value attr(Render& r, Value v, const Args& a) {
    const Bound b("do_attr", a, {"name"}, 1);
    const Value name = b[0];
    if (!name.is_string()) type_error("attribute name must be string, not '" + std::string(type_name(name)) + "'");
    if (v.is_undefined()) r.fail_undefined(v);
    const Value key = key_string(name.str());
    const Value found = r.attribute(v, key);
    if (!v.is(Kind::dict) || find_method(Kind::dict, key.str())) return found;
    return key.len && key.s[0] == '_' ? found : r.heap.undefined(v, key);   // items are not looked at
}

constexpr FilterRow rows[] = {{"map", map}, {"select", choose<true, false>}, {"reject", choose<false, false>}, {"selectattr", choose<true, true>},
                              {"rejectattr", choose<false, true>}, {"attr", attr}};

}  // namespace

std::span<const FilterRow> select_filters() { return rows; }

}  // namespace weir::jinja
