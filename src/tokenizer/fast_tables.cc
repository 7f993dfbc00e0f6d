#include "tokenizer/fast_tables.h"

#include "tokenizer/unicode_utf8.h"

namespace weir::tok {

void WordTable::reserve(size_t short_count, size_t long_count, size_t long_bytes) {
    size_t slots = 16;
    shift_ = 60;
    while (slots * 7 < short_count * 10) slots *= 2, shift_--;
    slots_ = HugeArray<Slot>(slots);
    filter_shift_ = shift_ - 3;
    filter_ = HugeArray<uint64_t>(slots / 8);
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
        if (flags & inner) {
            const uint64_t begun = ShortKey::of(bytes.data(), ShortKey::bytes_max, bytes.size()).with(beginning).hash();
            filter_[begun >> filter_shift_ >> 6] |= uint64_t(1) << (begun >> filter_shift_ & 63);
        }
        return;
    }
    const ShortKey key = ShortKey::of(bytes.data(), bytes.size(), bytes.size());
    const uint64_t hash = key.hash();
    if (flags & inner) filter_[hash >> filter_shift_ >> 6] |= uint64_t(1) << (hash >> filter_shift_ & 63);
    size_t at = hash >> shift_;
    while (slots_[at].value != 0) at = (at + 1) & (slots_.size() - 1);
    slots_[at] = {key.low(), key.high(), id | flags | key.tag()};
}

void CutFilter::add(std::string_view token) {
    const auto continues = [](char c) { return (static_cast<uint8_t>(c) & 0xC0) == 0x80; };
    const char *p = token.data(), *end = p + token.size();
    char32_t left = 0;
    bool left_whole = !continues(*p);
    if (!left_whole) {
        while (p < end && continues(*p)) p++;
    } else {
        if (end - p <= unicode::point_len(static_cast<uint8_t>(*p))) return;
        left = unicode::next_point(p);
    }
    while (p < end) {
        const char* at = p;
        const bool right_whole = end - p >= unicode::point_len(static_cast<uint8_t>(*p));
        const char32_t right = right_whole ? unicode::next_point(p) : 0;
        if (left_whole && right_whole) set(pairs_, pair_hash(left, right));
        else if (left_whole) set(sides_, side_hash(left));
        else if (right_whole) set(sides_, side_hash(~right));
        else set(bytes_, bytes_key(at[-1], *at));
        if (!right_whole) break;
        left = right, left_whole = true;
    }
}

}  // namespace weir::tok
