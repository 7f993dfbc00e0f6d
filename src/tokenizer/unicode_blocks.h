// Two-stage tables over all code points, and the reading of unicode_data.cc's texts. Internal to unicode_*.cc.
#pragma once
#include <algorithm>
#include <array>
#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "tokenizer/unicode_tables.h"

namespace weir::tok::unicode {

// Values by code point; blocks of 128 that are alike are stored once. One past the last code point is valid too.
template <class T>
class Blocks {
public:
    Blocks() = default;
    explicit Blocks(const std::vector<T>& flat) {
        std::map<std::vector<T>, uint16_t> known;
        for (size_t at = 0; at < flat.size(); at += 128) {
            std::vector<T> block(flat.begin() + at, flat.begin() + at + 128);
            auto [place, fresh] = known.emplace(std::move(block), static_cast<uint16_t>(known.size()));
            if (fresh) values_.insert(values_.end(), place->first.begin(), place->first.end());
            index_.push_back(place->second);
        }
    }
    T operator[](char32_t c) const { return c < 0x110000 ? values_[size_t(index_[c >> 7]) * 128 + (c & 127)] : T{}; }
    const T* values() const { return values_.data(); }
    const uint16_t* index() const { return index_.data(); }

private:
    std::vector<uint16_t> index_;
    std::vector<T> values_;
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

inline std::vector<uint8_t> flat_runs(const char* text) {
    std::vector<uint8_t> out;
    out.reserve(0x110000);
    while (*text) {
        const uint32_t count = next_number(text);
        out.insert(out.end(), count, static_cast<uint8_t>(next_number(text)));
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
