// Every token as its file spells it, by id, in one block of memory. Filled once, then shared by encoder and decoders.
#pragma once
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace weir::tok {

class TokenTable {
public:
    static constexpr uint8_t present = 1, special = 2;

    void reserve(size_t tokens, size_t bytes) { begins_.reserve(tokens + 1), flags_.reserve(tokens), bytes_.reserve(bytes); }
    // The next id's token. One that is absent (flags 0) has no text.
    void push(std::string_view text, uint8_t flags) {
        bytes_.append(text);
        begins_.push_back(static_cast<uint32_t>(bytes_.size()));
        flags_.push_back(flags);
    }
    uint32_t size() const { return static_cast<uint32_t>(flags_.size()); }
    uint8_t flags(uint32_t id) const { return id < flags_.size() ? flags_[id] : 0; }
    std::string_view text(uint32_t id) const {
        if (id >= flags_.size()) return {};
        return std::string_view(bytes_).substr(begins_[id], begins_[id + 1] - begins_[id]);
    }
    size_t memory_bytes() const { return bytes_.capacity() + 4 * begins_.capacity() + flags_.capacity(); }

private:
    std::string bytes_;
    std::vector<uint32_t> begins_{0};
    std::vector<uint8_t> flags_;
};

}  // namespace weir::tok
