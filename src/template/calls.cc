#include <algorithm>

#include "template/render.h"
#include "template/strftime.h"

namespace weir::jinja {

Bound::Bound(Str function, const Args& args, std::initializer_list<Str> names, size_t required, size_t keyword_only_from) {
    const size_t positional = std::min(keyword_only_from, names.size());
    if (args.plain.size() > positional)
        type_error(std::string(function) + "() takes at most " + std::to_string(positional) + " arguments (" + std::to_string(args.plain.size()) + " given)");
    std::copy(args.plain.begin(), args.plain.end(), values_);
    for (const NamedValue& n : args.keywords) {
        const auto at = std::find(names.begin(), names.end(), n.name);
        if (at == names.end() || at->empty()) type_error(std::string(function) + "() got an unexpected keyword argument '" + std::string(n.name) + "'");
        Value& slot = values_[at - names.begin()];
        if (!slot.is(Kind::missing)) type_error(std::string(function) + "() got multiple values for argument '" + std::string(n.name) + "'");
        slot = n.value;
    }
    for (size_t k = 0; k < required; ++k)
        if (!given(k)) type_error(std::string(function) + "() missing a required argument: '" + std::string(names.begin()[k]) + "'");
}

Global find_global(Str name) {
    struct Row { Str name; Global id; };
    static constexpr Row rows[] = {{"range", Global::range}, {"dict", Global::dict}, {"lipsum", Global::lipsum}, {"cycler", Global::cycler},
                                   {"joiner", Global::joiner}, {"namespace", Global::name_space}, {"raise_exception", Global::raise_exception},
                                   {"strftime_now", Global::strftime_now}};
    for (const Row& row : rows)
        if (row.name == name) return row.id;
    return Global::none;
}

namespace {

constexpr uint64_t range_max = 100'000;   // as the sandbox has it

Value make_range(Render& r, const Args& args) {
    if (!args.keywords.empty()) type_error("range() takes no keyword arguments");
    if (args.plain.empty() || args.plain.size() > 3) type_error("range expected 1 to 3 arguments, got " + std::to_string(args.plain.size()));
    int64_t n[3] = {0, 0, 1};
    for (size_t k = 0; k < args.plain.size(); ++k) {
        if (args.plain[k].is_undefined()) type_error("'Undefined' object cannot be interpreted as an integer");
        n[k] = want_int(args.plain[k]);
    }
    if (args.plain.size() == 1) std::swap(n[0], n[1]);
    const auto [start, stop, step] = n;
    if (step == 0) raise(Error::value, "range() arg 3 must not be zero");
    uint64_t count = 0;
    if (step > 0 && start < stop) count = (static_cast<uint64_t>(stop) - static_cast<uint64_t>(start) - 1) / static_cast<uint64_t>(step) + 1;
    if (step < 0 && start > stop) count = (static_cast<uint64_t>(start) - static_cast<uint64_t>(stop) - 1) / (0 - static_cast<uint64_t>(step)) + 1;
    if (count > range_max) raise(Error::overflow, "Range too big. The sandbox blocks ranges larger than MAX_RANGE (100000).");
    auto* range = r.heap.make<Range>();
    *range = {{}, start, stop, step, static_cast<uint32_t>(count)};
    return Value::of_object(Kind::range, range);
}

// dict(mapping or pairs, **names)
void fill_dict(Render& r, Dict& d, const Args& args, const char* what) {
    if (args.plain.size() > 1) type_error(std::string(what) + " expected at most 1 argument, got " + std::to_string(args.plain.size()));
    if (args.plain.size() == 1) {
        const Value from = args.plain[0];
        if (from.is(Kind::dict)) {
            for (const DictEntry& e : from.dict->all()) d.set(e.key, e.value);
        } else {
            size_t k = 0;
            for (const Value& pair : r.all(from)) {
                const auto two = pair.is(Kind::integer) || pair.is(Kind::none) || pair.is(Kind::real) || pair.is(Kind::boolean)
                                     ? (type_error("cannot convert dictionary update sequence element #" + std::to_string(k) +
                                                   " to a sequence"),
                                        std::span<const Value>())
                                     : r.all(pair);
                if (two.size() != 2)
                    raise(Error::value, "dictionary update sequence element #" + std::to_string(k) + " has length " +
                                            std::to_string(two.size()) + "; 2 is required");
                d.set(hash_checked(two[0]), two[1]);
                ++k;
                r.step();
            }
        }
    }
    for (const NamedValue& n : args.keywords) d.set(Value::string(n.name), n.value);
}

Value make_namespace(Render& r, const Args& args) {
    auto* ns = r.heap.make<Namespace>();
    ns->dict.heap = &r.heap;
    fill_dict(r, ns->dict, args, "dict");
    for (const DictEntry& e : ns->dict.all())
        if (e.key.is_string() && e.key.len && e.key.s[0] == '_')
            raise(Error::security, "Chat templates cannot store underscore-prefixed attributes on a namespace, but got " + repr_text(e.key) +
                                       ". Please rename the attribute.");
    return Value::of_object(Kind::ns, ns);
}

}  // namespace

Value Render::call_function(Global id, const Args& args) {
    switch (id) {
        case Global::none: break;
        case Global::range: return make_range(*this, args);
        case Global::dict: {
            Dict* d = heap.dict(args.keywords.size());
            fill_dict(*this, *d, args, "dict");
            return Value::of_dict(d);
        }
        case Global::name_space: return make_namespace(*this, args);
        case Global::cycler: {
            if (!args.keywords.empty()) type_error("Cycler.__init__() got an unexpected keyword argument '" + std::string(args.keywords[0].name) + "'");
            if (args.plain.empty()) raise(Error::template_runtime, "at least one item has to be provided");
            return Value::of_object(Kind::cycler, heap.make<CyclerObject>(Object{}, heap.values(args.plain), size_t{0}));
        }
        case Global::joiner: {
            const Bound b("Joiner.__init__", args, {"sep"});
            return Value::of_object(Kind::joiner, heap.make<JoinerObject>(Object{}, b.or_else(0, Value::string(", ")), false));
        }
        case Global::raise_exception: {
            const Bound b("raise_exception", args, {"message"}, 1);
            raise(Error::template_error, b[0].is(Kind::none) ? "None" : std::string(to_str(out, b[0]).str()));
        }
        case Global::strftime_now: {
            const Bound b("strftime_now", args, {"format"}, 1);
            const Str format = want_text(b[0], "strftime() argument 1 must be str");
            const size_t mark = out.size();
            write_time(out, format, now);
            return text(mark);
        }
        case Global::lipsum: raise(Error::not_implemented, "lipsum() makes random text and is not supported");
    }
    raise(Error::template_runtime, "an unknown function");
}

Value Render::call(Value callee, const Args& args) {
    step();
    switch (callee.kind) {
        case Kind::undefined: fail_undefined(callee);
        case Kind::function: return call_function(static_cast<FunctionObject*>(callee.object)->id, args);
        case Kind::dict_class: return call_function(Global::dict, args);
        case Kind::macro: {
            const size_t mark = out.size();
            invoke(*static_cast<MacroObject*>(callee.object), args, nullptr);
            return autoescape ? safe_string(out.take(mark)) : text(mark);
        }
        case Kind::method: {
            auto& m = *static_cast<Method*>(callee.object);
            return call_method(m.id, m.self, args);
        }
        case Kind::loop: {
            const Bound b("LoopContext.__call__", args, {"iterable"}, 1);
            return call_loop(*static_cast<LoopObject*>(callee.object), b[0]);
        }
        case Kind::joiner: {
            const Bound none("Joiner.__call__", args, {});
            auto& j = *static_cast<JoinerObject*>(callee.object);
            return std::exchange(j.used, true) ? j.separator : Value::string("");
        }
        default: type_error(named(callee) + " object is not callable");
    }
}

}  // namespace weir::jinja
