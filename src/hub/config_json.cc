#include "hub/config_json.h"

#include <cmath>

#include "wire/json_top.h"
#include "wire/json_walk.h"
#include "wire/json_write.h"

namespace weir::hub {
namespace {

constexpr std::string_view constants[] = {"-Infinity", "Infinity", "NaN"};   // what Python's json writes and JSON does not know

// The text with those words replaced; empty when there are none.
std::string without_constants(std::string_view text) {
    if (text.find("Infinity") == text.npos && text.find("NaN") == text.npos) return {};
    std::string out;
    for (size_t at = 0; at < text.size();) {
        if (text[at] == '"') {
            size_t end = at + 1;
            while (end < text.size() && text[end] != '"') end += text[end] == '\\' ? 2 : 1;
            end = std::min(end + 1, text.size());
            out.append(text.substr(at, end - at));
            at = end;
            continue;
        }
        bool replaced = false;
        for (auto word : constants) {
            if (replaced || text.substr(at, word.size()) != word) continue;
            out.append("null");
            at += word.size();
            replaced = true;
        }
        if (!replaced) out.push_back(text[at++]);
    }
    return out;
}

}  // namespace

Result<ConfigJson> ConfigJson::parse(std::string_view text) {
    ConfigJson out;
    out.copy_ = without_constants(text);
    if (out.copy_.empty()) out.copy_ = text;
    if (auto valid = check_json(out.copy_); !valid) return Failure(Code::bad_request, valid.error()->message);
    size_t first = out.copy_.find_first_not_of(" \t\r\n"), last = out.copy_.find_last_not_of(" \t\r\n");
    std::string trimmed = out.copy_.substr(first, last - first + 1);
    out.copy_ = std::move(trimmed);
    if (json_kind(out.copy_) != JsonKind::object) return Failure(Code::bad_request, "not a JSON object");
    return out;
}

Str ConfigJson::member(Str key) const {
    Str value = json_member(copy_, key);
    return value.empty() || json_kind(value) == JsonKind::null ? Str{} : value;
}

std::string ConfigJson::unescaped(Str string_value) const {
    std::string out;
    json_unescape(json_inside(string_value), out);
    return out;
}

std::optional<std::string> ConfigJson::text(Str key) const {
    Str value = member(key);
    if (value.empty() || json_kind(value) != JsonKind::string) return std::nullopt;
    return unescaped(value);
}

std::optional<std::string> ConfigJson::token(Str key) const {
    Str value = member(key);
    if (!value.empty() && json_kind(value) == JsonKind::object) value = json_member(value, "content");
    if (value.empty() || json_kind(value) != JsonKind::string) return std::nullopt;
    return unescaped(value);
}

std::optional<bool> ConfigJson::boolean(Str key) const {
    Str value = member(key);
    if (value.empty() || json_kind(value) != JsonKind::boolean) return std::nullopt;
    return value == "true";
}

std::optional<uint64_t> ConfigJson::number(Str key) const {
    Str value = member(key);
    if (value.empty() || json_kind(value) != JsonKind::number) return std::nullopt;
    if (json_is_integer(value)) return json_uint(value);
    auto real = json_double(value);
    if (!real || *real < 0 || *real >= 9.0e18 || *real != std::floor(*real)) return std::nullopt;
    return static_cast<uint64_t>(*real);
}

}  // namespace weir::hub
