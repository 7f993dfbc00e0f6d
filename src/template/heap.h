// Memory of one render, with a bound; and the text under construction.
#pragma once
#include <map>
#include <string>
#include <vector>

#include "base/arena.h"
#include "template/raised.h"
#include "template/value.h"

namespace weir::jinja {

// Which bytes came from the user: address ranges of the input and of every string that was copied from it.
class Origins {
public:
    void add(Str text);
    bool any(Str text) const;
    template <class F>
    void each(Str text, F f) const {   // f(Str part) for every part of `text` that came from the user
        auto it = ranges_.upper_bound(text.data());
        if (it != ranges_.begin()) --it;
        for (const char* end = text.data() + text.size(); it != ranges_.end() && it->first < end; ++it) {
            const char* from = std::max(it->first, text.data());
            const char* to = std::min(it->second, end);
            if (from < to) f(Str(from, static_cast<size_t>(to - from)));
        }
    }

private:
    std::map<const char*, const char*> ranges_;   // begin -> end, disjoint
};

class Heap {
public:
    explicit Heap(size_t bytes_max) : left_(bytes_max) {}
    void* alloc(size_t n, size_t align = 8) {
        charge(n);
        return arena_.alloc(n, align);
    }
    template <class T>
    T* array(size_t n) { return n ? static_cast<T*>(alloc(n * sizeof(T), alignof(T))) : nullptr; }
    template <class T, class... Args>
    T* make(Args&&... args) { return new (alloc(sizeof(T), alignof(T))) T{std::forward<Args>(args)...}; }
    char* text(size_t n) { return static_cast<char*>(alloc(n, 1)); }
    Str copy(Str s);
    Str concat(Str a, Str b);           // grows `a` in place when it is the newest text
    std::span<Value> values(std::span<const Value> from);
    std::span<Value> values(size_t n) { return {array<Value>(n), n}; }
    Value pair(Value a, Value b);       // a tuple of two
    Value tuple(std::span<const Value> items) { return Value::tuple(values(items)); }
    Dict* dict(size_t cap);
    Value undefined_name(Value name);
    Value undefined(Str hint);
    Value undefined(Value object, Value name, bool unsafe = false);
    void charge(size_t n) {
        if (n > left_) raise(Error::memory, "the template needs more memory than a render may use");
        left_ -= n;
    }
    Origins* origins = nullptr;         // set: copies are followed

private:
    Arena arena_;
    size_t left_;
    char *text_at_ = nullptr, *text_end_ = nullptr;   // the newest growing text
};

// Output, and at its end scratch space: what is written behind a mark can be taken off again as a string.
class Out {
public:
    struct Range { size_t begin, end; };
    Out(Heap& heap, size_t bytes_max) : heap_(heap), max_(bytes_max) {}
    ~Out();
    Out(const Out&) = delete;
    Out& operator=(const Out&) = delete;
    void write(Str s) {
        if (s.empty()) return;
        if (s.size() > cap_ - size_) grow(s.size());
        std::memcpy(data_ + size_, s.data(), s.size());
        if (heap_.origins) note(s);
        size_ += s.size();
    }
    void put(char c) {
        if (size_ == cap_) grow(1);
        data_[size_++] = c;
    }
    void fill(Str s, size_t times);
    void code_point(uint32_t c);
    size_t size() const { return size_; }
    Str since(size_t mark) const { return {data_ + mark, size_ - mark}; }
    Str take(size_t mark);            // what was written since, as text on the heap; it is no longer here
    void drop(size_t mark) { size_ = mark; }
    std::vector<Range>& user() { return user_; }

private:
    void grow(size_t n);
    void note(Str s);
    Heap& heap_;
    size_t max_;
    char* data_ = nullptr;
    size_t size_ = 0, cap_ = 0;
    std::vector<Range> user_;         // bytes that came from the user, in order
};

}  // namespace weir::jinja
