#include "tokenizer/trie.h"

#include <algorithm>

namespace weir::tok {
namespace {

struct Key {
    uint64_t head = 0;                                     // its first eight bytes, first one highest: most comparisons end here
    std::string_view text;
    uint32_t value = 0, order = 0;
};

uint64_t head_of(std::string_view text) {
    uint64_t out = 0;
    for (size_t i = 0; i < 8; i++) out = out << 8 | (i < text.size() ? static_cast<uint8_t>(text[i]) : 0);
    return out;
}

bool before(const Key& a, const Key& b) {
    if (a.head != b.head) return a.head < b.head;
    const int order = a.text.compare(b.text);              // by unsigned bytes
    return order != 0 ? order < 0 : a.order < b.order;
}

}  // namespace

void Trie::build(std::vector<std::pair<std::string_view, uint32_t>> pairs) {
    std::vector<Key> keys;
    keys.reserve(pairs.size());
    for (const auto& [text, value] : pairs)
        if (!text.empty()) keys.push_back({head_of(text), text, value, static_cast<uint32_t>(keys.size())});
    std::sort(keys.begin(), keys.end(), before);

    // A node is the range of keys that share its bytes; ranges are worked off in the order in which nodes are numbered.
    struct Open {
        uint32_t begin = 0, end = 0, depth = 0;
    };
    std::vector<Open> open{{0, static_cast<uint32_t>(keys.size()), 0}};
    first_.clear();
    labels_.assign(1, 0);
    values_.clear();
    for (size_t node = 0; node < open.size(); node++) {
        auto [begin, end, depth] = open[node];
        uint32_t value = none;
        for (; begin < end && keys[begin].text.size() == depth; begin++) value = keys[begin].value;
        values_.push_back(value);
        first_.push_back(static_cast<uint32_t>(open.size()));
        while (begin < end) {
            const auto label = static_cast<uint8_t>(keys[begin].text[depth]);
            uint32_t next = begin + 1;
            while (next < end && static_cast<uint8_t>(keys[next].text[depth]) == label) next++;
            open.push_back({begin, next, depth + 1});
            labels_.push_back(label);
            begin = next;
        }
    }
    first_.push_back(static_cast<uint32_t>(open.size()));
    std::fill(std::begin(top_), std::end(top_), none);
    for (uint32_t child = first_[0]; child < first_[1]; child++) top_[labels_[child]] = child;
}

}  // namespace weir::tok
