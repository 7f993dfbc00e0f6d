// A small JSON value: the components of a tokenizer.json (normalizers, decoders ...), which are few and short.
// Vocabulary and merges never become one of these, see hf_json.cc.
#pragma once
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace weir::tok {

struct HfValue {
    enum class Kind : uint8_t { null, boolean, integer, real, string, array, object };
    Kind kind = Kind::null;
    bool flag = false;
    uint64_t integer = 0;                                     // integer: not negative, else it is a real
    double real = 0;
    std::string text;
    std::vector<HfValue> items;
    std::vector<std::pair<std::string, HfValue>> members;

    bool is(Kind k) const { return kind == k; }
    // The member of this name; the last one counts, as in serde_json. Null when there is none.
    const HfValue* find(std::string_view name) const {
        for (size_t i = members.size(); i-- > 0;)
            if (members[i].first == name) return &members[i].second;
        return nullptr;
    }
};

}  // namespace weir::tok
