// Values as a template sees them: Python's, 16 bytes each, immutable but for namespaces; all memory is of one render.
#pragma once
#include <cstdint>
#include <cstring>
#include <span>
#include <string_view>

namespace weir::jinja {

using Str = std::string_view;
class Heap;

enum class Kind : uint8_t {
    missing,   // an unset variable; no expression gives it
    undefined, none, boolean, integer, bigint, real, string, list, tuple, dict, range, view, lazy, ns, loop, macro, function, method,
    cycler, joiner, dict_class, self,
};

struct Dict;
struct Object;
struct UndefinedInfo;

struct Value {
    enum Flag : uint8_t { safe = 1, group = 2 };   // Markup; a tuple of groupby with its two names
    Kind kind = Kind::missing;
    uint8_t flags = 0;
    uint16_t tag = 0;   // strings that serve as keys: a hint that spares most comparisons, 0 when not worked out
    uint32_t len = 0;   // bytes of a string, items of a sequence
    union {
        int64_t i;
        double d;
        const char* s;
        const Value* items;
        Dict* dict;
        Object* object;
        const UndefinedInfo* info;
    };

    Value() : i(0) {}
    static Value none() { return of(Kind::none, 0); }
    static Value boolean(bool b) { return of(Kind::boolean, b); }
    static Value integer(int64_t n) { return of(Kind::integer, n); }
    static Value real(double x) {
        Value v = of(Kind::real, 0);
        v.d = x;
        return v;
    }
    static Value string(Str text) { return text_of(Kind::string, text); }
    static Value bigint(Str digits) { return text_of(Kind::bigint, digits); }   // beyond 64 bits, no leading zeros: not calculated with
    static Value sequence(Kind kind, std::span<const Value> items) {
        Value v = of(kind, 0);
        v.items = items.data();
        v.len = static_cast<uint32_t>(items.size());
        return v;
    }
    static Value list(std::span<const Value> items) { return sequence(Kind::list, items); }
    static Value tuple(std::span<const Value> items) { return sequence(Kind::tuple, items); }
    static Value of_object(Kind kind, Object* o) {
        Value v = of(kind, 0);
        v.object = o;
        return v;
    }
    static Value of_dict(Dict* d) {
        Value v = of(Kind::dict, 0);
        v.dict = d;
        return v;
    }

    Str str() const { return {s, len}; }
    std::span<const Value> span() const { return {items, len}; }
    bool is(Kind k) const { return kind == k; }
    bool is_string() const { return kind == Kind::string; }
    bool is_sequence() const { return kind == Kind::list || kind == Kind::tuple; }
    bool is_undefined() const { return kind == Kind::undefined; }
    bool is_int() const { return kind == Kind::integer || kind == Kind::boolean; }
    bool is_number() const { return kind == Kind::integer || kind == Kind::boolean || kind == Kind::real || kind == Kind::bigint; }
    bool is_safe() const { return kind == Kind::string && (flags & safe); }

private:
    static Value of(Kind k, int64_t n) {
        Value v;
        v.kind = k;
        v.i = n;
        return v;
    }
    static Value text_of(Kind k, Str text) {
        Value v = of(k, 0);
        v.s = text.data() ? text.data() : "";
        v.len = static_cast<uint32_t>(text.size());
        return v;
    }
};
static_assert(sizeof(Value) == 16);

inline Value safe_string(Str text) {
    Value v = Value::string(text);
    v.flags = Value::safe;
    return v;
}

// A key's hint: never 0, the same for equal strings.
inline uint16_t key_tag(Str s) {
    if (s.empty()) return 1;
    const auto byte = [&](size_t i) { return static_cast<uint16_t>(static_cast<unsigned char>(s[i])); };
    return static_cast<uint16_t>((byte(0) + byte(s.size() / 2) * 7 + (byte(s.size() - 1) << 8)) | 1);
}
inline Value key_string(Str s) {
    Value v = Value::string(s);
    v.tag = key_tag(s);
    return v;
}

struct DictEntry { Value key, value; };

// Keys keep the order they came in. Small ones are searched in turn; an index is made when a big one is first asked.
struct Dict {
    Heap* heap = nullptr;
    DictEntry* entries = nullptr;
    uint32_t size = 0, cap = 0;
    uint32_t* index = nullptr;   // open addressing: entry + 1; 0 is free
    uint32_t index_size = 0;

    std::span<const DictEntry> all() const { return {entries, size}; }
    const Value* find(Str key) const { return find_tagged(key_string(key)); }
    const Value* find_tagged(Value key) const {   // key: a string with its tag
        if (size > small_max) return find_any(key);
        for (const DictEntry *e = entries, *end = entries + size; e < end; ++e)
            if (e->key.tag == key.tag && e->key.len == key.len && e->key.kind == Kind::string && !std::memcmp(e->key.s, key.s, key.len)) return &e->value;
        return nullptr;
    }
    const Value* find_any(Value key) const;   // raises TypeError when the key cannot be hashed
    void set(Value key, Value value);         // replaces, or adds at the end
    static constexpr uint32_t small_max = 12;

private:
    void build_index();
    uint32_t slot_of(Value key) const;
};

struct Object {};
struct UndefinedInfo {           // how it came about, for the message when it is used
    Str hint;                    // wins when not empty
    Value object;                // missing: a variable
    Value name;
    bool unsafe = false;         // SecurityError in place of UndefinedError
};
struct Range : Object {
    int64_t start, stop, step;
    uint32_t count;
    int64_t item(int64_t k) const {   // k < count; what lies between may wrap
        return static_cast<int64_t>(static_cast<uint64_t>(start) + static_cast<uint64_t>(k) * static_cast<uint64_t>(step));
    }
};
struct View : Object { Dict* dict; enum Part : uint8_t { keys, values, items } part; };
struct Iterator : Object { Str type; };
struct Namespace : Object { Dict dict; };
struct Method : Object { Value self; uint16_t id; };

Str type_name(Value);                          // type(x).__name__
Str object_repr(Heap&, Value);                 // as an undefined attribute's message names its owner: "dict object", "None"
Value hash_checked(Value);                     // the value, or TypeError "unhashable type: 'list'"
uint64_t hash_of(Value);
bool equal(Value a, Value b);                  // ==
bool same(Value a, Value b);                   // is
int compare(Value a, Value b, Str op);         // <0, 0, >0, 2 when not ordered (NaN); TypeError when Python has no order for the two
bool truthy(Value);
int64_t length_of(Value);                      // len(); TypeError for what has none

// Code points.
size_t count_chars(Str);
Str chars(Str, size_t from, size_t to);        // by code points, from <= to
bool ascii(Str);

}  // namespace weir::jinja
