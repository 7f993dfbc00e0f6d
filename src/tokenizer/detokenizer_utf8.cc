#include "tokenizer/detokenizer_utf8.h"

#include <cstring>

namespace weir::tok {
namespace {

const char* skip_ascii(const char* p, const char* end) {
    uint64_t word;
    while (end - p >= 8) {
        std::memcpy(&word, p, 8);
        if (word & 0x8080808080808080ull) break;
        p += 8;
    }
    while (p < end && static_cast<uint8_t>(*p) < 0x80) ++p;
    return p;
}

}  // namespace

// Second bytes have narrower ranges after E0, ED, F0, F4.
SeenSequence look_utf8(const char* p, const char* end) {
    const auto first = static_cast<uint8_t>(*p);
    if (first < 0x80) return {Sequence::valid, 1};
    if (first < 0xC2 || first > 0xF4) return {Sequence::broken, 1};
    const uint8_t size = first < 0xE0 ? 2 : first < 0xF0 ? 3 : 4;
    for (uint8_t i = 1; i < size; ++i) {
        if (p + i == end) return {Sequence::unfinished, i};
        const auto byte = static_cast<uint8_t>(p[i]);
        uint8_t low = 0x80, high = 0xBF;
        if (i == 1) {
            if (first == 0xE0) low = 0xA0;
            if (first == 0xED) high = 0x9F;
            if (first == 0xF0) low = 0x90;
            if (first == 0xF4) high = 0x8F;
        }
        if (byte < low || byte > high) return {Sequence::broken, i};
    }
    return {Sequence::valid, size};
}

bool valid_utf8(std::string_view bytes) {
    const char *p = bytes.data(), *end = p + bytes.size();
    while ((p = skip_ascii(p, end)) < end) {
        const SeenSequence seen = look_utf8(p, end);
        if (seen.kind != Sequence::valid) return false;
        p += seen.size;
    }
    return true;
}

std::string lossy_utf8(std::string_view bytes) {
    std::string out;
    out.reserve(bytes.size());
    Utf8Tail tail;
    tail.feed(bytes, out);
    tail.finish(out);
    return out;
}

std::string patched_utf8(std::string_view bytes) {
    std::string out;
    const char *p = bytes.data(), *end = p + bytes.size();
    while (p < end) {
        const SeenSequence seen = look_utf8(p, end);
        if (seen.kind == Sequence::valid) {
            out.append(p, seen.size);
            p += seen.size;
        } else {
            out += replacement_char;
            ++p;
        }
    }
    return out;
}

void Utf8Tail::feed(std::string_view bytes, std::string& out) {
    while (size_ && !bytes.empty()) {   // the sequence begun earlier goes on, or turns out to be broken
        char joined[4];
        std::memcpy(joined, bytes_.data(), size_);
        joined[size_] = bytes.front();
        const SeenSequence seen = look_utf8(joined, joined + size_ + 1);
        if (seen.kind == Sequence::broken) {
            out += replacement_char;
            size_ = 0;
            break;
        }
        bytes.remove_prefix(1);
        if (seen.kind == Sequence::valid) {
            out.append(joined, seen.size);
            size_ = 0;
        } else {
            bytes_[size_++] = joined[seen.size - 1];
        }
    }
    const char *p = bytes.data(), *end = p + bytes.size(), *kept = p;
    while ((p = skip_ascii(p, end)) < end) {
        const SeenSequence seen = look_utf8(p, end);
        if (seen.kind == Sequence::valid) {
            p += seen.size;
            continue;
        }
        out.append(kept, p);
        if (seen.kind == Sequence::unfinished) {
            std::memcpy(bytes_.data(), p, seen.size);
            size_ = seen.size;
            return;
        }
        out += replacement_char;
        kept = p += seen.size;
    }
    out.append(kept, end);
}

}  // namespace weir::tok
