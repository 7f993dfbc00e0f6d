// Two-stage tables over all code points, and the reading of unicode_data.cc's texts. Internal to unicode_*.cc.
#pragma once
#include <algorithm>
#include <array>
#include <cstdint>
#include <string>
#include <vector>

#include "tokenizer/unicode_tables.h"

namespace weir::tok::unicode {

// Values by code point, in blocks of 128; a block of one value throughout is stored once for all that are like it.
template <class T>
class Blocks {
public:
    static constexpr char32_t points = 0x110000, block = 128;
    Blocks() : index_(points / block), values_(block), even_{true}, evens_{{T{}, 0}} {}

    T operator[](char32_t c) const { return c < points ? values_[size_t(index_[c / block]) * block + c % block] : T{}; }
    // Each value of first..last becomes change(value).
    template <class Change>
    void update(char32_t first, char32_t last, Change change) {
        for (char32_t b = first / block; b <= last / block; b++) {
            const char32_t from = b == first / block ? first % block : 0, to = b == last / block ? last % block : block - 1;
            const bool even = even_[index_[b]];
            if (even && from == 0 && to == block - 1) {
                index_[b] = even_block(change(values_[size_t(index_[b]) * block]));
                continue;
            }
            if (even) index_[b] = copy_of(index_[b]);
            T* values = &values_[size_t(index_[b]) * block];
            for (char32_t i = from; i <= to; i++) values[i] = change(values[i]);
        }
    }
    void fill(char32_t first, char32_t last, T value) {
        update(first, last, [value](T) { return value; });
    }
    // Whether the values of a block, by its number, are one throughout.
    bool even(char32_t b) const { return even_[index_[b]]; }

private:
    uint16_t even_block(T value) {
        for (size_t i = evens_.size(); i-- > 0;)
            if (evens_[i].first == value) return evens_[i].second;
        evens_.emplace_back(value, static_cast<uint16_t>(even_.size()));
        even_.push_back(true);
        values_.insert(values_.end(), block, value);
        return evens_.back().second;
    }
    uint16_t copy_of(uint16_t number) {
        even_.push_back(false);
        values_.resize(values_.size() + block);
        std::copy_n(values_.end() - block * (even_.size() - number), block, values_.end() - block);
        return static_cast<uint16_t>(even_.size() - 1);
    }
    std::vector<uint16_t> index_;
    std::vector<T> values_;
    std::vector<bool> even_;                             // by block stored
    std::vector<std::pair<T, uint16_t>> evens_;          // where a block of this value throughout is
};

inline uint32_t next_number(const char*& text) {
    uint32_t out = 0;
    for (uint32_t shift = 1;; shift *= 32) {
        const char c = *text++;
        const uint32_t v = c >= 'a' ? c - 'a' + 26u : c >= 'A' ? c - 'A' + 0u : c >= '0' ? c - '0' + 52u : c == '+' ? 62u : 63u;
        out += (v % 32) * shift;
        if (v < 32) return out;
    }
}

inline Blocks<uint8_t> read_runs(const char* text) {
    Blocks<uint8_t> out;
    for (char32_t at = 0; *text;) {
        const uint32_t count = next_number(text);
        out.fill(at, at + count - 1, static_cast<uint8_t>(next_number(text)));
        at += count;
    }
    return out;
}

template <class Each>
void for_ranges(const char* text, Each each) {
    for (char32_t at = 0; *text;) {
        at += next_number(text);
        const char32_t last = at + next_number(text);
        each(Range{at, last});
        at = last + 1;
    }
}

template <class Each>
void for_mapping(const char* text, Each each) {
    std::vector<char32_t> to;
    for (char32_t c = 0; *text;) {
        c += next_number(text);
        to.resize(next_number(text));
        for (char32_t& t : to) {
            const uint32_t z = next_number(text);
            t = c + (z % 2 ? -static_cast<int32_t>(z / 2) - 1 : static_cast<int32_t>(z / 2));
        }
        each(c, to);
    }
}

}  // namespace weir::tok::unicode
