#include "tokenizer/charsmap.h"

#include <cstring>

#include "tokenizer/detokenizer_utf8.h"

namespace weir::tok {
namespace {

// The array's units: bit 8 says that the node has a value, bits 0-7 and 31 are the label, the rest is the way to the children.
constexpr uint32_t offset_of(uint32_t unit) { return (unit >> 10) << ((unit & (1u << 9)) >> 6); }
constexpr uint32_t label_of(uint32_t unit) { return unit & (1u << 31 | 0xFF); }
constexpr bool has_value(uint32_t unit) { return unit >> 8 & 1; }
constexpr uint32_t value_of(uint32_t unit) { return unit & 0x7FFFFFFF; }

}  // namespace

bool Charsmap::well_formed(std::string_view blob) {
    uint32_t size = 0;
    if (blob.size() < sizeof size) return false;
    std::memcpy(&size, blob.data(), sizeof size);
    size -= size % 4;
    return size <= blob.size() - sizeof size && valid_utf8(blob.substr(sizeof size + size));
}

Result<Charsmap> Charsmap::read(std::string_view blob) {
    if (blob.empty()) return Charsmap();
    uint32_t size = 0;
    if (blob.size() > sizeof size) std::memcpy(&size, blob.data(), sizeof size);
    if (blob.size() <= sizeof size || size >= blob.size() - sizeof size || size < 1'024 || size % 1'024 != 0)
        return Failure(Code::bad_field, "precompiled_charsmap is broken", "precompiled_charsmap");
    return Charsmap(blob);
}

Charsmap::Charsmap(std::string_view blob) {
    if (!well_formed(blob)) return;
    uint32_t size = 0;
    std::memcpy(&size, blob.data(), sizeof size);
    units_.resize(size / 4);
    std::memcpy(units_.data(), blob.data() + sizeof size, units_.size() * 4);
    texts_ = blob.substr(sizeof size + units_.size() * 4);
}

std::string_view Charsmap::replacement(uint32_t at) const {
    return std::string_view(texts_).substr(at, texts_.find('\0', at) - at);
}

template <class Found>
void Charsmap::search(std::string_view text, Found&& found) const {
    if (units_.empty()) return;
    uint32_t at = offset_of(units_[0]);
    for (size_t i = 0; i < text.size(); ++i) {
        const auto byte = static_cast<uint8_t>(text[i]);
        if (byte == 0) return;   // a label zero is a value's
        at ^= byte;
        if (at >= units_.size() || label_of(units_[at]) != byte) return;
        const bool leaf = has_value(units_[at]);
        at ^= offset_of(units_[at]);
        if (at >= units_.size()) return;
        if (leaf && value_of(units_[at]) < texts_.size()) found(i + 1, value_of(units_[at]));
    }
}

Charsmap::Match Charsmap::longest(std::string_view text) const {
    size_t size = 0;
    uint32_t value = 0;
    search(text, [&](size_t n, uint32_t v) { size = n, value = v; });
    return size ? Match{size, replacement(value)} : Match{};
}

std::optional<std::string_view> Charsmap::replace(std::string_view text) const {
    std::optional<std::string_view> by;
    search(text, [&](size_t, uint32_t value) {
        if (!by) by = replacement(value);
    });
    return by;
}

std::string Charsmap::normalize(std::string_view text) const {
    std::string out;
    while (!text.empty()) {
        const Match match = longest(text);
        size_t size = match.size;
        if (!size) {
            size = 1;
            while (size < text.size() && (static_cast<uint8_t>(text[size]) & 0xC0) == 0x80) ++size;
            out += text.substr(0, size);
        }
        out += match.by;
        text.remove_prefix(size);
    }
    return out;
}

}  // namespace weir::tok
