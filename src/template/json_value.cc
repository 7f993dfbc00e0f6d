#include "template/json_value.h"

#include <bit>
#include <charconv>
#include <cstdlib>
#include <vector>

#include "base/limits.h"
#include "wire/json_write.h"
#include "wire/utf8.h"
#if defined(__SSE2__)
#include <emmintrin.h>
#endif

namespace weir::jinja {
namespace {

// The first quote, backslash or control character.
const char* plain_end(const char* p, const char* end) {
#if defined(__SSE2__)
    const __m128i quote = _mm_set1_epi8('"'), slash = _mm_set1_epi8('\\'), top = _mm_set1_epi8(0x1f);
    for (; end - p >= 16; p += 16) {
        const __m128i v = _mm_loadu_si128(reinterpret_cast<const __m128i*>(p));
        const __m128i hit = _mm_or_si128(_mm_or_si128(_mm_cmpeq_epi8(v, quote), _mm_cmpeq_epi8(v, slash)), _mm_cmpeq_epi8(_mm_min_epu8(v, top), v));
        if (const unsigned mask = static_cast<unsigned>(_mm_movemask_epi8(hit))) return p + std::countr_zero(mask);
    }
#endif
    while (p < end && *p != '"' && *p != '\\' && static_cast<unsigned char>(*p) >= 0x20) ++p;
    return p;
}

class Reader {
public:
    Reader(Heap& heap, Str text, Str what) : heap_(heap), begin_(text.data()), p_(begin_), end_(begin_ + text.size()), what_(what) {}

    Value whole() {
        if (!utf8_valid({begin_, static_cast<size_t>(end_ - begin_)})) fail("it is not UTF-8");
        const Value v = value(0);
        blanks();
        if (p_ != end_) fail("there is more behind the value");
        return v;
    }

private:
    [[noreturn]] void fail(const char* why) {
        raise(Error::json, std::string(what_) + " is no valid JSON: " + why + " (at byte " + std::to_string(p_ - begin_) + ")");
    }
    void blanks() {
        while (p_ < end_ && (*p_ == ' ' || *p_ == '\n' || *p_ == '\r' || *p_ == '\t')) ++p_;
    }
    Value value(size_t depth) {
        blanks();
        if (p_ == end_) fail("it ends too early");
        switch (*p_) {
            case '{': return object(depth + 1);
            case '[': return array(depth + 1);
            case '"': return Value::string(string());
            case 't': return word("true", Value::boolean(true));
            case 'f': return word("false", Value::boolean(false));
            case 'n': return word("null", Value::none());
            default: return number();
        }
    }
    Value word(Str text, Value v) {
        if (Str(p_, std::min<size_t>(text.size(), static_cast<size_t>(end_ - p_))) != text) fail("a word JSON does not know");
        p_ += text.size();
        return v;
    }
    Str string() {
        const char* from = ++p_;
        p_ = plain_end(p_, end_);
        if (p_ < end_ && *p_ == '"') return {from, static_cast<size_t>(p_++ - from)};
        while (p_ < end_ && *p_ != '"') {
            if (*p_ != '\\') fail("a control character in a string");
            p_ = plain_end(std::min(p_ + 2, end_), end_);
        }
        if (p_ == end_) fail("a string without end");
        scratch_.clear();
        if (!json_unescape({from, static_cast<size_t>(p_ - from)}, scratch_)) fail("a bad escape in a string");
        ++p_;
        const Str text = heap_.copy(scratch_);
        if (heap_.origins) heap_.origins->add(text);
        return text;
    }
    Value number() {
        const char* from = p_;
        auto digits = [&] {
            const char* first = p_;
            while (p_ < end_ && *p_ >= '0' && *p_ <= '9') ++p_;
            return p_ - first;
        };
        if (p_ < end_ && *p_ == '-') ++p_;
        const bool nought = p_ < end_ && *p_ == '0';
        const auto n = digits();
        if (n == 0 || (nought && n > 1)) fail("a value JSON does not know");
        bool real = false;
        if (p_ < end_ && *p_ == '.') {
            ++p_;
            real = true;
            if (!digits()) fail("a number without digits behind its point");
        }
        if (p_ < end_ && (*p_ == 'e' || *p_ == 'E')) {
            ++p_;
            real = true;
            if (p_ < end_ && (*p_ == '+' || *p_ == '-')) ++p_;
            if (!digits()) fail("a number without digits in its exponent");
        }
        if (real) {
            double d = 0;
            if (std::from_chars(from, p_, d).ec == std::errc::result_out_of_range) d = std::strtod(std::string(from, p_).c_str(), nullptr);
            return Value::real(d);
        }
        int64_t i = 0;
        if (std::from_chars(from, p_, i).ec != std::errc()) return Value::bigint({from, static_cast<size_t>(p_ - from)});
        return Value::integer(i);
    }
    // Children wait on a stack until their number is known.
    Value array(size_t depth) {
        if (depth > limits::json_depth_max) fail("it nests too deep");
        const size_t base = stack_.size();
        ++p_;
        blanks();
        if (p_ < end_ && *p_ == ']') return ++p_, Value::list({});
        for (;;) {
            stack_.push_back(value(depth));
            blanks();
            if (p_ == end_) fail("an array without end");
            if (*p_ == ']') break;
            if (*p_++ != ',') fail("a comma is missing in an array");
        }
        ++p_;
        const auto items = heap_.values(std::span(stack_).subspan(base));
        stack_.resize(base);
        return Value::list(items);
    }
    Value object(size_t depth) {
        if (depth > limits::json_depth_max) fail("it nests too deep");
        const size_t base = stack_.size();
        ++p_;
        blanks();
        if (p_ < end_ && *p_ == '}') return ++p_, Value::of_dict(heap_.dict(0));
        for (;;) {
            blanks();
            if (p_ == end_ || *p_ != '"') fail("a key is missing in an object");
            stack_.push_back(key_string(string()));
            blanks();
            if (p_ == end_ || *p_++ != ':') fail("a colon is missing in an object");
            stack_.push_back(value(depth));
            blanks();
            if (p_ == end_) fail("an object without end");
            if (*p_ == '}') break;
            if (*p_++ != ',') fail("a comma is missing in an object");
        }
        ++p_;
        Dict* d = heap_.dict((stack_.size() - base) / 2);
        fill(*d, base);
        stack_.resize(base);
        return Value::of_dict(d);
    }
    void fill(Dict& d, size_t base) {
        for (size_t k = base; k < stack_.size(); k += 2) {
            if (d.size < Dict::small_max) {
                if (const Value* old = d.find_tagged(stack_[k])) *const_cast<Value*>(old) = stack_[k + 1];
                else d.entries[d.size++] = {stack_[k], stack_[k + 1]};
            } else {
                d.set(stack_[k], stack_[k + 1]);
            }
        }
    }

    Heap& heap_;
    const char *begin_, *p_, *end_;
    Str what_;
    std::vector<Value> stack_;
    std::string scratch_;
};

}  // namespace

Value read_json(Heap& heap, Str text, Str what) {
    if (heap.origins) heap.origins->add(text);
    return Reader(heap, text, what).whole();
}

}  // namespace weir::jinja
