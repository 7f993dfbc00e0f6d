// A trie of byte strings, built once: nodes in breadth-first order, so that a node's children lie together.
#pragma once
#include <cstdint>
#include <cstring>
#include <string_view>
#include <utility>
#include <vector>

namespace weir::tok {

class Trie {
public:
    static constexpr uint32_t none = ~0u, root = 0;

    // `keys` with their values; of equal keys the last one counts. Empty keys are passed over.
    Trie() { std::memset(top_, 0xFF, sizeof top_); }
    void build(std::vector<std::pair<std::string_view, uint32_t>> keys);
    bool empty() const { return first_.size() <= 2; }
    // The node one byte on, or none.
    uint32_t step(uint32_t node, uint8_t byte) const {
        if (node == root) return top_[byte];
        const uint32_t begin = first_[node], count = first_[node + 1] - begin;
        const uint8_t* labels = labels_.data() + begin;
        if (count <= 4) {
            for (uint32_t i = 0; i < count; i++)
                if (labels[i] == byte) return begin + i;
            return none;
        }
        const void* at = std::memchr(labels, byte, count);
        return at ? begin + static_cast<uint32_t>(static_cast<const uint8_t*>(at) - labels) : none;
    }
    uint32_t value(uint32_t node) const { return values_[node]; }
    uint32_t walk(uint32_t node, std::string_view bytes) const {
        for (size_t i = 0; node != none && i < bytes.size(); i++) node = step(node, static_cast<uint8_t>(bytes[i]));
        return node;
    }
    size_t memory_bytes() const { return first_.capacity() * 4 + labels_.capacity() + values_.capacity() * 4 + sizeof top_; }

private:
    std::vector<uint32_t> first_{1, 1};                    // children of node i: [first_[i], first_[i + 1])
    std::vector<uint8_t> labels_{0};
    std::vector<uint32_t> values_{none};
    uint32_t top_[256] = {};
};

}  // namespace weir::tok
