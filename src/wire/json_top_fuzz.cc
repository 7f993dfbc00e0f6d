// The strict scan against a library's opinion of what JSON is, and its members against themselves.
#include <nlohmann/json.hpp>

#include <cstdlib>
#include <vector>

#include "wire/json_top.cc"
#include "wire/json_write.cc"
#include "wire/utf8.cc"

namespace {

using namespace weir;

void require(bool holds) {
    if (!holds) abort();
}

void check_members(std::string_view text) {
    std::vector<Member> out(16);
    auto found = scan_top(text, out);
    if (!found) return;
    std::string scratch;
    uint32_t behind = 0;
    for (uint32_t i = 0; i < found->members; ++i) {
        const Member& m = out[i];
        require(m.key.off > behind && m.value.off > m.key.off + m.key.len && m.value.off + m.value.len < text.size());
        behind = m.value.off + m.value.len;
        require(text[m.key.off - 1] == '"' && text[m.key.off + m.key.len] == '"');
        require(static_cast<bool>(check_json(text.substr(m.value.off, m.value.len))));
        require(json_unescape(text.substr(m.key.off, m.key.len), scratch));
        std::string again;
        append_json_string(again, scratch);
        require(static_cast<bool>(check_json(again)));
    }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
    const std::string_view text(reinterpret_cast<const char*>(data), size);
    const auto checked = check_json(text);
    const bool too_deep = !checked && checked.error()->message.starts_with("recursion limit");
    // The library ends at NUL and skips a byte order mark.
    const bool differs = text.find('\0') != std::string_view::npos || text.starts_with("\xef\xbb\xbf");
    if (!too_deep && !differs) require(static_cast<bool>(checked) == nlohmann::json::accept(text));
    require(utf8_valid(text) == (utf8_valid_prefix(text) == text.size()));
    check_members(text);
    return 0;
}
