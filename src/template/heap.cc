#include "template/heap.h"

#include <algorithm>
#include <cstdlib>

namespace weir::jinja {

void Origins::add(Str text) {
    if (text.empty()) return;
    const char *from = text.data(), *to = from + text.size();
    auto it = ranges_.upper_bound(from);
    if (it != ranges_.begin() && std::prev(it)->second >= from) {
        --it;
        from = it->first;
        to = std::max(to, it->second);
    }
    while (it != ranges_.end() && it->first <= to) {
        to = std::max(to, it->second);
        it = ranges_.erase(it);
    }
    ranges_[from] = to;
}

bool Origins::any(Str text) const {
    bool found = false;
    each(text, [&](Str) { found = true; });
    return found;
}

Str Heap::copy(Str s) {
    char* p = text(s.size());
    if (!s.empty()) std::memcpy(p, s.data(), s.size());
    if (origins) origins->each(s, [&](Str part) { origins->add({p + (part.data() - s.data()), part.size()}); });
    return {p, s.size()};
}

Str Heap::concat(Str a, Str b) {
    const bool grows = a.data() + a.size() == text_at_ && static_cast<size_t>(text_end_ - text_at_) >= b.size() && text_at_;
    if (!grows) {
        const size_t n = a.size() + b.size(), room = n < 256 ? n : n * 2;
        char* p = text(room);
        text_at_ = p;
        text_end_ = p + room;
        if (!a.empty()) std::memcpy(p, a.data(), a.size());
        if (origins) origins->each(a, [&](Str part) { origins->add({p + (part.data() - a.data()), part.size()}); });
        a = {p, a.size()};
        text_at_ += a.size();
    }
    char* to = text_at_;
    if (!b.empty()) std::memcpy(to, b.data(), b.size());
    if (origins) origins->each(b, [&](Str part) { origins->add({to + (part.data() - b.data()), part.size()}); });
    text_at_ += b.size();
    return {a.data(), a.size() + b.size()};
}

std::span<Value> Heap::values(std::span<const Value> from) {
    std::span<Value> to = values(from.size());
    std::copy(from.begin(), from.end(), to.begin());
    return to;
}

Value Heap::pair(Value a, Value b) {
    auto* two = array<Value>(2);
    two[0] = a;
    two[1] = b;
    return Value::tuple({two, 2});
}

Dict* Heap::dict(size_t cap) {
    auto* d = make<Dict>();
    d->heap = this;
    d->entries = array<DictEntry>(cap);
    d->cap = static_cast<uint32_t>(cap);
    return d;
}

static Value undefined_of(UndefinedInfo* info) {
    Value v = Value::of_object(Kind::undefined, nullptr);
    v.info = info;
    return v;
}
Value Heap::undefined_name(Value name) { return undefined_of(make<UndefinedInfo>(Str(), Value(), name, false)); }
Value Heap::undefined(Str hint) { return undefined_of(make<UndefinedInfo>(hint, Value(), Value(), false)); }
Value Heap::undefined(Value object, Value name, bool unsafe) { return undefined_of(make<UndefinedInfo>(Str(), object, name, unsafe)); }

Out::~Out() { std::free(data_); }

void Out::grow(size_t n) {
    if (n > max_ || size_ > max_ - n) raise(Error::limit, "the template writes more than " + std::to_string(max_) + " bytes");
    const size_t cap = std::max({size_ + n, cap_ * 2, size_t{4096}});
    auto* data = static_cast<char*>(std::realloc(data_, cap));
    if (!data) throw std::bad_alloc();
    data_ = data;
    cap_ = cap;
}

void Out::note(Str s) {
    heap_.origins->each(s, [&](Str part) {
        const size_t begin = size_ + static_cast<size_t>(part.data() - s.data());
        if (!user_.empty() && user_.back().end == begin) user_.back().end = begin + part.size();
        else user_.push_back({begin, begin + part.size()});
    });
}

void Out::fill(Str s, size_t times) {
    if (s.empty()) return;
    if (times > max_ / s.size()) grow(max_ + 1);
    if (s.size() * times > cap_ - size_) grow(s.size() * times);
    for (size_t i = 0; i < times; ++i) write(s);
}

void Out::code_point(uint32_t c) {
    if (c < 0x80) return put(static_cast<char>(c));
    char b[4];
    size_t n = 0;
    if (c < 0x800) b[n++] = static_cast<char>(0xc0 | c >> 6);
    else if (c < 0x10000) b[n++] = static_cast<char>(0xe0 | c >> 12), b[n++] = static_cast<char>(0x80 | ((c >> 6) & 0x3f));
    else
        b[n++] = static_cast<char>(0xf0 | c >> 18), b[n++] = static_cast<char>(0x80 | ((c >> 12) & 0x3f)),
        b[n++] = static_cast<char>(0x80 | ((c >> 6) & 0x3f));
    b[n++] = static_cast<char>(0x80 | (c & 0x3f));
    write({b, n});
}

Str Out::take(size_t mark) {
    const Str here = since(mark);
    char* p = heap_.text(here.size());
    if (!here.empty()) std::memcpy(p, here.data(), here.size());
    while (!user_.empty() && user_.back().end > mark) {
        const size_t begin = std::max(user_.back().begin, mark);
        heap_.origins->add({p + (begin - mark), user_.back().end - begin});
        if (user_.back().begin < mark) {
            user_.back().end = mark;
            break;
        }
        user_.pop_back();
    }
    size_ = mark;
    return {p, here.size()};
}

}  // namespace weir::jinja
