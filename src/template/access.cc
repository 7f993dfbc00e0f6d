#include <algorithm>
#include <cmath>

#include "template/numbers.h"
#include "template/render.h"

namespace weir::jinja {
namespace {

// Names that any Python object has, or that containers and strings have: known, but never for a template.
bool special_name(Str name) {
    static constexpr Str names[] = {
        "__class__", "__delattr__", "__dir__", "__doc__", "__eq__", "__format__", "__ge__", "__getattribute__", "__getstate__", "__gt__", "__hash__",
        "__init__", "__init_subclass__", "__le__", "__lt__", "__ne__", "__new__", "__reduce__", "__reduce_ex__", "__repr__", "__setattr__", "__sizeof__",
        "__str__", "__subclasshook__"};
    return std::find(std::begin(names), std::end(names), name) != std::end(names);
}
bool container_name(Str name) {
    static constexpr Str names[] = {"__contains__", "__getitem__", "__iter__", "__len__"};
    return std::find(std::begin(names), std::end(names), name) != std::end(names);
}

Value bound(Heap& heap, Value self, MethodId id) { return Value::of_object(Kind::method, heap.make<Method>(Object{}, self, id)); }

// An index as Python takes it; nullopt when it is no integer.
std::optional<int64_t> index_of(Value v) {
    if (v.is_int()) return v.i;
    return std::nullopt;
}

struct Cut { int64_t start, stop, step, count; };
Cut cut(Value start, Value stop, Value step, int64_t n) {
    auto number = [](Value v, int64_t otherwise) {
        if (v.is(Kind::none)) return otherwise;
        if (v.is(Kind::bigint)) return v.s[0] == '-' ? INT64_MIN / 2 : INT64_MAX / 2;
        if (!v.is_int()) type_error("slice indices must be integers or None or have an __index__ method");
        return std::clamp<int64_t>(v.i, INT64_MIN / 2, INT64_MAX / 2);
    };
    Cut c{0, 0, number(step, 1), 0};
    if (c.step == 0) raise(Error::value, "slice step cannot be zero");
    const int64_t low = c.step < 0 ? -1 : 0, high = c.step < 0 ? n - 1 : n;
    auto place = [&](Value v, int64_t otherwise) {
        int64_t k = number(v, INT64_MAX);
        if (v.is(Kind::none)) return otherwise;
        if (k < 0) k += n;
        return std::clamp(k, low, high);
    };
    c.start = place(start, c.step < 0 ? high : low);
    c.stop = place(stop, c.step < 0 ? low : high);
    if (c.step > 0 ? c.start < c.stop : c.start > c.stop) c.count = (c.stop - c.start + (c.step > 0 ? c.step - 1 : c.step + 1)) / c.step;
    return c;
}

// Where each character begins, and the end.
std::vector<uint32_t> offsets(Str s) {
    std::vector<uint32_t> at;
    for (size_t i = 0; i < s.size(); ++i)
        if ((static_cast<unsigned char>(s[i]) & 0xc0) != 0x80) at.push_back(static_cast<uint32_t>(i));
    at.push_back(static_cast<uint32_t>(s.size()));
    return at;
}
Value slice_text(Render& r, Value of, Value start, Value stop, Value step) {
    const Str s = of.str();
    r.work(s.size());
    const bool plain = ascii(s);
    const Cut c = cut(start, stop, step, static_cast<int64_t>(plain ? s.size() : count_chars(s)));
    auto with_flags = [&](Str part) {
        Value v = Value::string(part);
        v.flags = of.flags;
        return v;
    };
    if (c.count == 0) return with_flags("");
    if (c.step == 1) return with_flags(plain ? s.substr(static_cast<size_t>(c.start), static_cast<size_t>(c.count))
                                             : chars(s, static_cast<size_t>(c.start), static_cast<size_t>(c.start + c.count)));
    const size_t mark = r.out.size();
    const std::vector<uint32_t> at = plain ? std::vector<uint32_t>() : offsets(s);
    for (int64_t k = 0, i = c.start; k < c.count; ++k, i += c.step) {
        const auto u = static_cast<size_t>(i);
        r.out.write(plain ? s.substr(u, 1) : s.substr(at[u], at[u + 1] - at[u]));
    }
    return with_flags(r.out.take(mark));
}

}  // namespace

int64_t want_int(Value v, const char* what) {
    if (v.is_int()) return v.i;
    if (v.is(Kind::bigint)) raise(Error::overflow, "Python int too large to convert to C ssize_t");
    type_error(what ? std::string(what) : named(v) + " object cannot be interpreted as an integer");
}
Str want_text(Value v, const char* what) {
    if (v.is_string()) return v.str();
    type_error(std::string(what) + ", not " + std::string(type_name(v)));
}

void Render::fail_undefined(Value v) {
    const UndefinedInfo& u = *v.info;
    if (u.unsafe)
        raise(Error::security, "access to attribute " + repr_text(u.name) + " of '" + std::string(type_name(u.object)) + "' object is unsafe.");
    if (!u.hint.empty()) raise(Error::undefined, std::string(u.hint));
    if (u.object.is(Kind::missing)) raise(Error::undefined, repr_text(u.name) + " is undefined");
    const std::string owner(object_repr(heap, u.object));
    if (!u.name.is_string()) raise(Error::undefined, owner + " has no element " + repr_text(u.name));
    raise(Error::undefined, "'" + owner + "' has no attribute " + repr_text(u.name));
}

Value Render::attribute(Value of, const AttrExpr& a) {
    switch (of.kind) {
        case Kind::dict:
            if (a.dict_method || a.special) break;
            if (const Value* v = of.dict->find_tagged(a.name)) return *v;
            return heap.undefined(of, a.name);
        case Kind::ns:
            if (const Value* v = static_cast<Namespace*>(of.object)->dict.find_tagged(a.name)) return *v;
            if (!a.special) return heap.undefined(of, a.name);
            break;
        case Kind::loop:
            if (a.loop_field) return loop_field(*static_cast<LoopObject*>(of.object), static_cast<LoopField>(a.loop_field));
            break;
        default: break;
    }
    return attribute(of, a.name);
}

// getattr() first, then the item of that name.
Value Render::attribute(Value of, Value name) {
    if (of.is(Kind::undefined) && !special_name(name.str())) fail_undefined(of);
    const Value found = special_attribute(of, name);
    if (!found.is(Kind::missing)) return found;
    if (of.is(Kind::dict))
        if (const Value* v = of.dict->find_any(name)) return *v;
    return heap.undefined(of, name);
}

// What Python's getattr() finds; missing: nothing.
Value Render::special_attribute(Value of, Value name_value) {
    const Str name = name_value.str();
    if (name.empty()) return {};
    if (of.is(Kind::ns)) {
        const Value* v = static_cast<Namespace*>(of.object)->dict.find_any(name_value);
        return v ? *v : name == "__class__" ? heap.undefined(of, name_value, true) : Value();
    }
    if (name[0] == '_') {
        const bool container = of.is_string() || of.is_sequence() || of.is(Kind::dict) || of.is(Kind::range) || of.is(Kind::view);
        return special_name(name) || (container && container_name(name)) ? heap.undefined(of, name_value, true) : Value();
    }
    switch (of.kind) {
        case Kind::loop:
            if (const uint8_t f = find_loop_field(name)) return loop_field(*static_cast<LoopObject*>(of.object), static_cast<LoopField>(f));
            return {};
        case Kind::macro: {
            const MacroStmt& code = *static_cast<MacroObject*>(of.object)->code;
            if (name == "name") return code.name ? Value::string(code.name->name) : Value::none();
            if (name == "catch_kwargs") return Value::boolean(code.kwargs_slot >= 0);
            if (name == "catch_varargs") return Value::boolean(code.varargs_slot >= 0);
            if (name == "caller") return Value::boolean(code.caller_slot >= 0);
            if (name == "explicit_caller") return Value::boolean(code.explicit_caller);
            if (name != "arguments") return {};
            const auto names = heap.values(code.params.size());
            for (size_t k = 0; k < names.size(); ++k) names[k] = Value::string(code.params[k]->name);
            return Value::tuple(names);
        }
        case Kind::range: {
            auto& range = *static_cast<Range*>(of.object);
            if (name == "start" || name == "stop" || name == "step")
                return Value::integer(name == "start" ? range.start : name == "stop" ? range.stop : range.step);
            break;
        }
        case Kind::cycler: {
            auto& c = *static_cast<CyclerObject*>(of.object);
            if (name == "current") return c.items[c.at];
            if (name == "items") return heap.tuple(c.items);
            if (name == "pos") return Value::integer(static_cast<int64_t>(c.at));
            break;
        }
        case Kind::joiner:
            if (name == "sep") return static_cast<JoinerObject*>(of.object)->separator;
            if (name == "used") return Value::boolean(static_cast<JoinerObject*>(of.object)->used);
            break;
        case Kind::tuple:
            if ((of.flags & Value::group) && (name == "grouper" || name == "list")) return of.items[name == "list"];
            break;
        case Kind::integer:
        case Kind::boolean:
        case Kind::real:
            if (name == "real" || name == "numerator")
                return of.is(Kind::real) && name == "numerator" ? Value() : of.is(Kind::boolean) ? Value::integer(of.i) : of;
            if (name == "imag") return of.is(Kind::real) ? Value::real(0) : Value::integer(0);
            if (name == "denominator" && of.is_int()) return Value::integer(1);
            break;
        default: break;
    }
    const MethodId id = find_method(of.kind, name);
    if (!id) return {};
    return method_row(id)->run ? bound(heap, of, id) : heap.undefined(of, name_value, true);
}

Value Render::item(Value of, Value index) {
    switch (of.kind) {
        case Kind::undefined: fail_undefined(of);
        case Kind::dict:
            if (index.is_string()) {
                if (index.tag == 0) index.tag = key_tag(index.str());
                if (const Value* v = of.dict->find_tagged(index)) return *v;
                if (find_method(Kind::dict, index.str()) == 0 && (index.len == 0 || index.s[0] != '_')) return heap.undefined(of, index);
            } else if (!index.is_sequence() && !index.is(Kind::dict)) {
                if (const Value* v = of.dict->find_any(index)) return *v;
            } else if (index.is(Kind::tuple)) {
                if (const Value* v = of.dict->find_any(index)) return *v;
            }
            break;
        case Kind::list:
        case Kind::tuple:
            if (const auto k = index_of(index)) {
                const int64_t at = *k < 0 ? *k + of.len : *k;
                if (at >= 0 && at < of.len) return of.items[at];
            }
            break;
        case Kind::string:
            if (const auto k = index_of(index)) {
                const Str s = of.str();
                const auto n = static_cast<int64_t>(count_chars(s));
                work(s.size());
                const int64_t at = *k < 0 ? *k + n : *k;
                if (at >= 0 && at < n) return Value::string(chars(s, static_cast<size_t>(at), static_cast<size_t>(at) + 1));
            }
            break;
        case Kind::range:
            if (const auto k = index_of(index)) {
                auto& range = *static_cast<Range*>(of.object);
                const int64_t at = *k < 0 ? *k + range.count : *k;
                if (at >= 0 && at < range.count) return Value::integer(range.item(at));
            }
            break;
        default: break;
    }
    if (index.is_string()) {
        const Value found = special_attribute(of, index);
        if (!found.is(Kind::missing)) return found;
    }
    return heap.undefined(of, index);
}

Value Render::slice(Value of, Value start, Value stop, Value step) {
    switch (of.kind) {
        case Kind::undefined: fail_undefined(of);
        case Kind::string: return slice_text(*this, of, start, stop, step);
        case Kind::list:
        case Kind::tuple: {
            const Cut c = cut(start, stop, step, of.len);
            if (c.step == 1) return Value::sequence(of.kind, of.span().subspan(static_cast<size_t>(c.start), static_cast<size_t>(c.count)));
            const auto to = heap.values(static_cast<size_t>(c.count));
            this->step(to.size());
            for (int64_t k = 0; k < c.count; ++k) to[static_cast<size_t>(k)] = of.items[c.start + k * c.step];
            return Value::sequence(of.kind, to);
        }
        case Kind::range: {
            auto& range = *static_cast<Range*>(of.object);
            const Cut c = cut(start, stop, step, range.count);
            auto* part = heap.make<Range>();
            int64_t each = 0, end = 0;
            if (c.step >= INT64_MAX / 2 || c.step <= INT64_MIN / 2 || __builtin_mul_overflow(range.step, c.step, &each) ||
                __builtin_mul_overflow(c.stop, range.step, &end) || __builtin_add_overflow(range.start, end, &end))
                too_big();
            *part = {{}, range.item(c.start), end, each, static_cast<uint32_t>(c.count)};
            return Value::of_object(Kind::range, part);
        }
        case Kind::dict: type_error("unhashable type: 'slice'");
        default: type_error(named(of) + " object is not subscriptable");
    }
}

bool Render::contains(Value in, Value x) {
    switch (in.kind) {
        case Kind::string:
            if (!x.is_string()) type_error("'in <string>' requires string as left operand, not " + std::string(type_name(x)));
            work(in.len);
            return in.str().find(x.str()) != Str::npos;
        case Kind::dict: return in.dict->find_any(x) != nullptr;
        case Kind::view: {
            auto& view = *static_cast<View*>(in.object);
            if (view.part == View::keys) return view.dict->find_any(x) != nullptr;
            if (view.part == View::items) {
                if (!x.is_sequence() || x.len != 2) return false;
                const Value* v = view.dict->find_any(x.items[0]);
                return v && equal(*v, x.items[1]);
            }
            break;
        }
        case Kind::list:
        case Kind::tuple:
            step(in.len / 8);
            for (const Value& v : in.span())
                if (equal(v, x)) return true;
            return false;
        case Kind::none:
        case Kind::boolean:
        case Kind::integer:
        case Kind::bigint:
        case Kind::real:
        case Kind::ns:
        case Kind::macro:
        case Kind::function:
        case Kind::method:
        case Kind::cycler:
        case Kind::joiner:
        case Kind::dict_class: type_error("argument of type " + named(in) + " is not iterable");
        default: break;
    }
    Items through = items(in);
    for (Value v; through.next(*this, v);) {
        step();
        if (equal(v, x)) return true;
    }
    return false;
}

}  // namespace weir::jinja
