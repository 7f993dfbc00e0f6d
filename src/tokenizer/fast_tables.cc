#include "tokenizer/fast_tables.h"

#include "tokenizer/unicode_utf8.h"

namespace weir::tok {

void WordTable::reserve(size_t short_count, size_t long_count, size_t long_bytes) {
    size_t slots = 16;
    shift_ = 60;
    while (slots * 7 < short_count * 10) slots *= 2, shift_--;
    slots_ = HugeArray<Slot>(slots);
    longs_.reserve(long_count);
    long_bytes_.reserve(long_bytes);
    long_values_.reserve(long_count), long_ends_.reserve(long_count + 1);
}

void WordTable::put(std::string_view bytes, uint32_t id, uint32_t flags) {
    if (bytes.size() > ShortKey::bytes_max) {
        const auto at = static_cast<uint32_t>(long_values_.size());
        long_bytes_ += bytes;
        long_ends_.push_back(static_cast<uint32_t>(long_bytes_.size()));
        long_values_.push_back(id | flags);
        longs_.put(bytes, at, [this](uint32_t v) { return long_text(v); });
        return;
    }
    const ShortKey key = ShortKey::of(bytes.data(), bytes.size(), bytes.size());
    size_t at = key.hash() >> shift_;
    while (slots_[at].value != 0) at = (at + 1) & (slots_.size() - 1);
    slots_[at] = {key.low, key.high, id | flags | key.len << 28};
}

void CutFilter::add(std::string_view token) {
    const auto continues = [](char c) { return (static_cast<uint8_t>(c) & 0xC0) == 0x80; };
    const size_t n = token.size();
    size_t left = 0;
    bool left_whole = !continues(token[0]);
    for (size_t at = 1; at < n; at++) {
        if (continues(token[at])) continue;
        const auto want = static_cast<size_t>(unicode::point_len(static_cast<uint8_t>(token[at])));
        const bool right_whole = at + want <= n;
        if (left_whole && right_whole) set(pairs_, pair_hash(mix(&token[left], at - left), mix(&token[at], want)));
        else if (left_whole) set(sides_, side_hash(mix(&token[left], at - left)));
        else if (right_whole) set(sides_, side_hash(~mix(&token[at], want)));
        else set(bytes_, static_cast<uint32_t>(uint8_t(token[at - 1])) << 8 | uint8_t(token[at]));
        left = at, left_whole = true;
    }
}

}  // namespace weir::tok
