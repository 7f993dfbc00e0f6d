#include "template/render.h"
#include "template/unicode.h"

namespace weir::jinja {

Items Render::items(Value of) {
    Items it;
    switch (of.kind) {
        case Kind::list:
        case Kind::tuple:
            it.at = of.items;
            it.end = of.items + of.len;
            return it;
        case Kind::undefined: return it;
        case Kind::string:
            it.of = Items::Of::text;
            it.text = of.str();
            return it;
        case Kind::dict:
            it.of = Items::Of::keys;
            it.dict = of.dict;
            return it;
        case Kind::view: {
            static constexpr Items::Of kinds[] = {Items::Of::keys, Items::Of::values, Items::Of::pairs};
            auto& view = *static_cast<View*>(of.object);
            it.of = kinds[view.part];
            it.dict = view.dict;
            return it;
        }
        case Kind::range:
            it.of = Items::Of::range;
            it.range = static_cast<Range*>(of.object);
            return it;
        case Kind::lazy:
        case Kind::loop:
            it.of = Items::Of::lazy;
            it.lazy = of.object;
            it.range_at = of.is(Kind::loop);   // a loop gives pairs of item and loop
            return it;
        default: type_error(named(of) + " object is not iterable");
    }
}

bool Items::next_slow(Render& r, Value& item) {
    switch (of) {
        case Of::span: return false;
        case Of::keys:
        case Of::values:
        case Of::pairs: {
            if (dict_at >= dict->size) return false;
            const DictEntry& e = dict->entries[dict_at++];
            item = of == Of::keys ? e.key : of == Of::values ? e.value : r.heap.pair(e.key, e.value);
            return true;
        }
        case Of::text: {
            if (text.empty()) return false;
            size_t length = 0;
            unicode::next(text, length);
            item = Value::string(text.substr(0, length));
            text.remove_prefix(length);
            return true;
        }
        case Of::range:
            if (range_at >= range->count) return false;
            item = Value::integer(range->item(range_at++));
            return true;
        case Of::lazy: {
            if (range_at) {
                auto& loop = *static_cast<LoopObject*>(lazy);
                Value one;
                if (!loop.next(r, one)) return false;
                item = r.heap.pair(one, Value::of_object(Kind::loop, &loop));
                return true;
            }
            auto& l = *static_cast<LazyObject*>(lazy);
            r.fill_lazy(l);
            if (l.at >= l.list.len) return false;
            item = l.list.items[l.at++];
            return true;
        }
        case Of::filtered:
            while (inner->next(r, item)) {
                r.step();
                if (r.test_passes(*stmt, frame, item)) return true;
            }
            return false;
    }
    return false;
}

std::optional<int64_t> Items::size() const {
    switch (of) {
        case Of::span: return end - at;
        case Of::keys:
        case Of::values:
        case Of::pairs: return dict->size - dict_at;
        case Of::text: return static_cast<int64_t>(count_chars(text));
        case Of::range: return range->count - range_at;
        default: return std::nullopt;
    }
}

std::span<const Value> Render::all(Value of) {
    if (of.is_sequence()) return of.span();
    Items it = items(of);
    if (const auto n = it.size()) {
        const auto to = heap.values(static_cast<size_t>(*n));
        step(to.size() / 4);
        for (Value& v : to) it.next(*this, v);
        return to;
    }
    if (of.is(Kind::lazy)) return lazy_rest(*static_cast<LazyObject*>(of.object));
    std::vector<Value> found;
    for (Value v; it.next(*this, v);) {
        step();
        found.push_back(v);
    }
    return heap.values(std::span<const Value>(found));
}

Value Render::lazy(Value (*work_out)(Render&, Value, const Args&), Value subject, const Args& args, Str type) {
    auto* l = heap.make<LazyObject>();
    l->run = work_out;
    l->subject = subject;
    auto* named = heap.array<NamedValue>(args.keywords.size());
    std::copy(args.keywords.begin(), args.keywords.end(), named);
    l->args = {heap.values(args.plain), {named, args.keywords.size()}};
    l->type = type;
    return Value::of_object(Kind::lazy, l);
}
void Render::fill_lazy(LazyObject& l) {
    if (!l.list.is(Kind::missing)) return;
    l.list = Value::list({});   // one that asks for itself finds nothing
    l.list = l.run(*this, l.subject, l.args);
}
std::span<const Value> Render::lazy_rest(LazyObject& l) {
    fill_lazy(l);
    const auto rest = l.list.span().subspan(l.at);
    l.at = l.list.len;
    return rest;
}

// The loop variable.

bool LoopObject::peek(Render& r) {
    if (!after.is(Kind::missing)) return true;
    if (ended) return false;
    if (items.next(r, after)) return true;
    after = Value();
    ended = true;
    return false;
}
bool LoopObject::next(Render& r, Value& item) {
    if (!after.is(Kind::missing)) {
        item = after;
        after = Value();
    } else if (ended || !items.next(r, item)) {
        ended = true;
        return false;
    }
    ++index0;
    before = current;
    current = item;
    return true;
}
int64_t LoopObject::size(Render& r) {
    if (length >= 0) return length;
    const int64_t passed = index0 + 1 + !after.is(Kind::missing);
    if (const auto n = items.size()) return length = *n + passed;
    std::vector<Value> rest;
    for (Value v; items.next(r, v);) rest.push_back(v);
    const auto kept = r.heap.values(std::span<const Value>(rest));
    items = Items();
    items.at = kept.data();
    items.end = kept.data() + kept.size();
    return length = static_cast<int64_t>(kept.size()) + passed;
}

Value Render::loop_field(LoopObject& loop, LoopField field) {
    switch (field) {
        case LoopField::none: break;
        case LoopField::index: return Value::integer(loop.index0 + 1);
        case LoopField::index0: return Value::integer(loop.index0);
        case LoopField::first: return Value::boolean(loop.index0 == 0);
        case LoopField::last: return Value::boolean(!loop.peek(*this));
        case LoopField::length: return Value::integer(loop.size(*this));
        case LoopField::revindex: return Value::integer(loop.size(*this) - loop.index0);
        case LoopField::revindex0: return Value::integer(loop.size(*this) - loop.index0 - 1);
        case LoopField::depth: return Value::integer(loop.depth0 + 1);
        case LoopField::depth0: return Value::integer(loop.depth0);
        case LoopField::previtem: return loop.index0 == 0 ? heap.undefined(Str("there is no previous item")) : loop.before;
        case LoopField::nextitem: return loop.peek(*this) ? loop.after : heap.undefined(Str("there is no next item"));
        case LoopField::cycle:
        case LoopField::changed: break;
    }
    const Str name = field == LoopField::cycle ? "cycle" : "changed";
    return Value::of_object(Kind::method, heap.make<Method>(Object{}, Value::of_object(Kind::loop, &loop), find_method(Kind::loop, name)));
}

}  // namespace weir::jinja
