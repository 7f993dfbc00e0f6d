#include "template/value.h"

#include <cmath>
#include <cstdio>

#include "template/heap.h"
#include "template/unicode.h"

namespace weir::jinja {
namespace {

constexpr int depth_max = 200;   // of nested containers, where a walk recurses

uint64_t mix(uint64_t x) {
    x ^= x >> 32;
    x *= 0xd6e8feb86659fd93ull;
    x ^= x >> 32;
    x *= 0xd6e8feb86659fd93ull;
    return x ^ x >> 32;
}
uint64_t hash_text(Str s) {
    uint64_t h = 0x9e3779b97f4a7c15ull + s.size();
    for (; s.size() >= 8; s.remove_prefix(8)) {
        uint64_t word;
        std::memcpy(&word, s.data(), 8);
        h = mix(h ^ word);
    }
    uint64_t word = 0;
    if (!s.empty()) std::memcpy(&word, s.data(), s.size());
    return mix(h ^ word);
}

struct Digits {   // of a whole number, all of them
    char text[400];
    int size;
    explicit Digits(double d) : size(std::snprintf(text, sizeof text, "%.0f", d)) {}
    Str str() const { return {text, static_cast<size_t>(size)}; }
};

uint64_t hash_deep(Value v, int depth) {
    if (depth > depth_max) raise(Error::recursion, "maximum recursion depth exceeded");
    switch (v.kind) {
        case Kind::string: return hash_text(v.str());
        case Kind::bigint: return hash_text(v.str());
        case Kind::boolean:
        case Kind::integer: return mix(static_cast<uint64_t>(v.i));
        case Kind::real:   // 1.0 and 1 are one key
            if (v.d == std::floor(v.d) && v.d >= -0x1p63 && v.d < 0x1p63) return mix(static_cast<uint64_t>(static_cast<int64_t>(v.d)));
            return std::isfinite(v.d) && std::fabs(v.d) >= 0x1p63 ? hash_text(Digits(v.d).str()) : mix(static_cast<uint64_t>(v.i));
        case Kind::none: return 7;
        case Kind::undefined: return 11;
        case Kind::tuple: {
            uint64_t h = v.len;
            for (const Value& x : v.span()) h = mix(h * 31 + hash_deep(x, depth + 1));
            return h;
        }
        case Kind::list:
        case Kind::dict: raise(Error::type, "unhashable type: '" + std::string(type_name(v)) + "'");
        default: return mix(reinterpret_cast<uintptr_t>(v.object));
    }
}

bool equal_deep(Value a, Value b, int depth);
int compare_numbers(Value a, Value b);
bool equal_dicts(const Dict& a, const Dict& b, int depth) {
    if (a.size != b.size) return false;
    for (const DictEntry& e : a.all()) {
        const Value* other = b.find_any(e.key);
        if (!other || !equal_deep(e.value, *other, depth + 1)) return false;
    }
    return true;
}

bool equal_numbers(Value a, Value b) {
    if (a.is(Kind::bigint) && b.is(Kind::bigint)) return a.str() == b.str();
    if (a.is(Kind::bigint) || b.is(Kind::bigint)) return (a.is(Kind::real) || b.is(Kind::real)) && compare_numbers(a, b) == 0;
    if (a.is_int() && b.is_int()) return a.i == b.i;
    if (a.is(Kind::real) && b.is(Kind::real)) return a.d == b.d;
    const double d = a.is(Kind::real) ? a.d : b.d;
    const int64_t n = a.is(Kind::real) ? b.i : a.i;
    return d == std::floor(d) && d >= -9223372036854775808.0 && d < 9223372036854775808.0 && static_cast<int64_t>(d) == n;
}

bool equal_deep(Value a, Value b, int depth) {
    if (a.is_string() && b.is_string()) return a.str() == b.str();
    if (a.is_number() && b.is_number()) return equal_numbers(a, b);
    if (a.kind != b.kind) return false;
    if (depth > depth_max) raise(Error::recursion, "maximum recursion depth exceeded in comparison");
    switch (a.kind) {
        case Kind::none:
        case Kind::undefined: return true;
        case Kind::list:
        case Kind::tuple:
            if (a.len != b.len) return false;
            if (a.items == b.items) return true;
            for (uint32_t k = 0; k < a.len; ++k)
                if (!equal_deep(a.items[k], b.items[k], depth + 1)) return false;
            return true;
        case Kind::dict: return a.dict == b.dict || equal_dicts(*a.dict, *b.dict, depth);
        case Kind::range: {
            const auto &x = *static_cast<const Range*>(a.object), &y = *static_cast<const Range*>(b.object);
            return x.count == y.count && (x.count == 0 || (x.start == y.start && (x.count == 1 || x.step == y.step)));
        }
        case Kind::method: {
            const auto &x = *static_cast<const Method*>(a.object), &y = *static_cast<const Method*>(b.object);
            return x.id == y.id && same(x.self, y.self);
        }
        default: return a.object == b.object;
    }
}

int three_way(double a, double b) { return a < b ? -1 : a > b ? 1 : a == b ? 0 : 2; }
int compare_bigint(Str a, Str b) {
    const bool na = a[0] == '-', nb = b[0] == '-';
    if (na != nb) return na ? -1 : 1;
    const int plain = a.size() != b.size() ? (a.size() < b.size() ? -1 : 1) : a.compare(b) < 0 ? -1 : a == b ? 0 : 1;
    return na ? -plain : plain;
}
int compare_numbers(Value a, Value b) {
    if (a.is_int() && b.is_int()) return a.i < b.i ? -1 : a.i > b.i;
    if (a.is(Kind::bigint) && b.is(Kind::bigint)) return compare_bigint(a.str(), b.str());
    if (a.is(Kind::bigint)) {
        if (b.is(Kind::real) && !std::isfinite(b.d)) return std::isnan(b.d) ? 2 : b.d < 0 ? 1 : -1;
        if (b.is(Kind::real) && std::fabs(b.d) >= 0x1p63) return compare_bigint(a.str(), Digits(b.d).str());
        return a.s[0] == '-' ? -1 : 1;
    }
    if (b.is(Kind::bigint)) {
        const int other = compare_numbers(b, a);
        return other == 2 ? 2 : -other;
    }
    const long double x = a.is(Kind::real) ? static_cast<long double>(a.d) : static_cast<long double>(a.i);
    const long double y = b.is(Kind::real) ? static_cast<long double>(b.d) : static_cast<long double>(b.i);
    return x < y ? -1 : x > y ? 1 : x == y ? 0 : three_way(a.is(Kind::real) ? a.d : 0, b.is(Kind::real) ? b.d : 0);
}
int compare_deep(Value a, Value b, Str op, int depth) {
    if (a.is_string() && b.is_string()) {
        const int c = a.str().compare(b.str());   // UTF-8 sorts as code points do
        return c < 0 ? -1 : c > 0;
    }
    if (a.is_number() && b.is_number()) return compare_numbers(a, b);
    if (depth > depth_max) raise(Error::recursion, "maximum recursion depth exceeded in comparison");
    if (a.kind == b.kind && a.is_sequence()) {
        for (uint32_t k = 0; k < a.len && k < b.len; ++k)
            if (!equal_deep(a.items[k], b.items[k], depth)) return compare_deep(a.items[k], b.items[k], op, depth + 1);
        return a.len < b.len ? -1 : a.len > b.len;
    }
    raise(Error::type, "'" + std::string(op) + "' not supported between instances of '" + std::string(type_name(a)) + "' and '" +
                           std::string(type_name(b)) + "'");
}

}  // namespace

uint64_t hash_of(Value v) { return hash_deep(v, 0); }
bool equal(Value a, Value b) { return equal_deep(a, b, 0); }
int compare(Value a, Value b, Str op) { return compare_deep(a, b, op, 0); }
Value hash_checked(Value v) {
    if (!v.is_string()) hash_of(v);
    return v;
}

bool same(Value a, Value b) {
    if (a.kind != b.kind) return false;
    switch (a.kind) {
        case Kind::none: return true;
        case Kind::boolean:
        case Kind::integer: return a.i == b.i;
        case Kind::real: return false;
        case Kind::string: return a.len == b.len && (a.s == b.s || (a.str() == b.str() && a.len <= 1));
        case Kind::list:
        case Kind::tuple: return a.items == b.items && a.len == b.len;
        default: return a.object == b.object;
    }
}

uint32_t Dict::slot_of(Value key) const {
    for (uint32_t at = static_cast<uint32_t>(hash_of(key)) & (index_size - 1);; at = (at + 1) & (index_size - 1))
        if (index[at] == 0 || equal(entries[index[at] - 1].key, key)) return at;
}
void Dict::build_index() {
    index_size = 32;
    while (index_size < size * 2 + 2) index_size *= 2;
    index = heap->array<uint32_t>(index_size);
    std::memset(index, 0, index_size * sizeof(uint32_t));
    for (uint32_t k = 0; k < size; ++k) index[slot_of(entries[k].key)] = k + 1;
}
const Value* Dict::find_any(Value key) const {
    hash_checked(key);
    if (size <= small_max) {
        for (const DictEntry& e : all())
            if (equal(e.key, key)) return &e.value;
        return nullptr;
    }
    if (!index) const_cast<Dict*>(this)->build_index();
    const uint32_t at = index[slot_of(key)];
    return at ? &entries[at - 1].value : nullptr;
}
void Dict::set(Value key, Value value) {
    if (key.is_string() && key.tag == 0) key.tag = key_tag(key.str());
    if (const Value* old = find_any(key)) {
        *const_cast<Value*>(old) = value;
        return;
    }
    if (size == cap) {
        cap = cap ? cap * 2 : 4;
        auto* more = heap->array<DictEntry>(cap);
        std::copy(entries, entries + size, more);
        entries = more;
    }
    entries[size++] = {key, value};
    if (size > small_max && index) {
        if (size * 2 + 2 > index_size) build_index();
        else index[slot_of(key)] = size;
    }
}

bool truthy(Value v) {
    switch (v.kind) {
        case Kind::missing:
        case Kind::undefined:
        case Kind::none: return false;
        case Kind::boolean:
        case Kind::integer: return v.i != 0;
        case Kind::real: return v.d != 0;
        case Kind::string:
        case Kind::list:
        case Kind::tuple: return v.len != 0;
        case Kind::dict: return v.dict->size != 0;
        case Kind::range: return static_cast<Range*>(v.object)->count != 0;
        case Kind::view: return static_cast<View*>(v.object)->dict->size != 0;
        default: return true;
    }
}

int64_t length_of(Value v) {
    switch (v.kind) {
        case Kind::undefined: return 0;
        case Kind::string: return static_cast<int64_t>(count_chars(v.str()));
        case Kind::list:
        case Kind::tuple: return v.len;
        case Kind::dict: return v.dict->size;
        case Kind::range: return static_cast<Range*>(v.object)->count;
        case Kind::view: return static_cast<View*>(v.object)->dict->size;
        default: raise(Error::type, "object of type '" + std::string(type_name(v)) + "' has no len()");
    }
}

Str type_name(Value v) {
    switch (v.kind) {
        case Kind::missing:
        case Kind::undefined: return "Undefined";
        case Kind::none: return "NoneType";
        case Kind::boolean: return "bool";
        case Kind::integer:
        case Kind::bigint: return "int";
        case Kind::real: return "float";
        case Kind::string: return v.is_safe() ? "Markup" : "str";
        case Kind::list: return "list";
        case Kind::tuple: return v.flags & Value::group ? "_GroupTuple" : "tuple";
        case Kind::dict: return "dict";
        case Kind::range: return "range";
        case Kind::view: {
            static constexpr Str names[] = {"dict_keys", "dict_values", "dict_items"};
            return names[static_cast<View*>(v.object)->part];
        }
        case Kind::lazy: return static_cast<Iterator*>(v.object)->type;
        case Kind::ns: return "TemplateNamespace";
        case Kind::loop: return "LoopContext";
        case Kind::macro: return "Macro";
        case Kind::function: return "function";
        case Kind::method: return "builtin_function_or_method";
        case Kind::cycler: return "Cycler";
        case Kind::joiner: return "Joiner";
        case Kind::dict_class: return "TemplateDict";
        case Kind::self: return "TemplateReference";
    }
    return "object";
}

Str object_repr(Heap& heap, Value v) {
    switch (v.kind) {
        case Kind::none: return "None";
        case Kind::string:
            if (v.is_safe()) return "markupsafe.Markup object";
            break;
        case Kind::ns: return "transformers.utils.chat_template_utils.TemplateNamespace object";
        case Kind::dict_class: return "transformers.utils.chat_template_utils.TemplateDict object";
        case Kind::loop: return "jinja2.runtime.LoopContext object";
        case Kind::macro: return "jinja2.runtime.Macro object";
        case Kind::self: return "jinja2.runtime.TemplateReference object";
        case Kind::cycler: return "jinja2.utils.Cycler object";
        case Kind::joiner: return "jinja2.utils.Joiner object";
        default: break;
    }
    return heap.concat(heap.copy(type_name(v)), " object");
}

bool ascii(Str s) {
    uint64_t any = 0;
    for (; s.size() >= 8; s.remove_prefix(8)) {
        uint64_t word;
        std::memcpy(&word, s.data(), 8);
        any |= word;
    }
    for (char c : s) any |= static_cast<unsigned char>(c);
    return (any & 0x8080808080808080ull) == 0;
}
size_t count_chars(Str s) {
    size_t n = 0;
    for (char c : s) n += (static_cast<unsigned char>(c) & 0xc0) != 0x80;
    return n;
}
Str chars(Str s, size_t from, size_t to) {
    if (from >= to) return s.substr(0, 0);
    if (ascii(s)) return from >= s.size() ? s.substr(0, 0) : s.substr(from, to - from);
    size_t at = 0, k = 0;
    for (; k < from && at < s.size(); ++k) unicode::next(s, at);
    const size_t begin = at;
    for (; k < to && at < s.size(); ++k) unicode::next(s, at);
    return s.substr(begin, at - begin);
}

}  // namespace weir::jinja
