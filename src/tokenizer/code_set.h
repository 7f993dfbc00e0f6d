// A set of code points, 64 to a word: classes of regular expressions are worked out with it.
#pragma once
#include <bit>
#include <cstdint>
#include <vector>

namespace weir::tok {

class CodeSet {
public:
    static constexpr char32_t points = 0x110000;
    CodeSet() : words_(points / 64) {}

    bool has(char32_t c) const { return words_[c / 64] >> (c % 64) & 1; }
    void add(char32_t first, char32_t last) {
        each_word(first, last, [this](size_t i, uint64_t mask) { words_[i] |= mask; });
    }
    void add(char32_t c) { add(c, c); }
    void remove(char32_t first, char32_t last) {
        each_word(first, last, [this](size_t i, uint64_t mask) { words_[i] &= ~mask; });
    }
    bool has_all(char32_t first, char32_t last) const {
        bool all = true;
        each_word(first, last, [&](size_t i, uint64_t mask) { all &= (words_[i] & mask) == mask; });
        return all;
    }
    void flip() {
        for (uint64_t& word : words_) word = ~word;
    }
    void clear() { words_.assign(words_.size(), 0); }
    void join(const CodeSet& other) {
        for (size_t i = 0; i < words_.size(); i++) words_[i] |= other.words_[i];
    }
    void meet(const CodeSet& other) {
        for (size_t i = 0; i < words_.size(); i++) words_[i] &= other.words_[i];
    }
    // The first member (or, `in` false, the first that is none) from `c` on; `points` when there is none.
    char32_t next(char32_t c, bool in) const {
        for (size_t i = c / 64; i < words_.size(); i++) {
            uint64_t word = in ? words_[i] : ~words_[i];
            if (i == c / 64) word &= ~uint64_t(0) << (c % 64);
            if (word) return static_cast<char32_t>(i * 64 + static_cast<size_t>(std::countr_zero(word)));
        }
        return points;
    }

private:
    template <class Each>
    static void each_word(char32_t first, char32_t last, Each each) {
        for (size_t i = first / 64; i <= last / 64; i++) {
            uint64_t mask = ~uint64_t(0);
            if (i == first / 64) mask &= ~uint64_t(0) << (first % 64);
            if (i == last / 64) mask &= ~uint64_t(0) >> (63 - last % 64);
            each(i, mask);
        }
    }
    std::vector<uint64_t> words_;
};

}  // namespace weir::tok
