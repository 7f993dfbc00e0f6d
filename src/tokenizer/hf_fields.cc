#include "tokenizer/hf_fields.h"

namespace weir::tok {
namespace {

constexpr std::string_view name_of(HfValue::Kind kind) {
    switch (kind) {
    case HfValue::Kind::null: return "null";
    case HfValue::Kind::boolean: return "true or false";
    case HfValue::Kind::integer: case HfValue::Kind::real: return "a number";
    case HfValue::Kind::string: return "a string";
    case HfValue::Kind::array: return "a list";
    case HfValue::Kind::object: return "an object";
    }
    return {};
}

}  // namespace

std::string_view HfFields::type() const {
    const HfValue* v = value_.find("type");
    return v && v->is(HfValue::Kind::string) ? std::string_view(v->text) : std::string_view();
}

Failure HfFields::bad(std::string_view name, std::string_view what) const {
    return Failure(Code::bad_field, where_ + (name.empty() ? "" : "." + std::string(name)) + ": " + std::string(what));
}

Result<const HfValue*> HfFields::any(std::string_view name, HfValue::Kind kind) const {
    const HfValue* v = value_.find(name);
    if (!v) return bad(name, "is missing");
    if (!v->is(kind)) return bad(name, "is not " + std::string(name_of(kind)));
    return v;
}

Result<bool> HfFields::boolean(std::string_view name) const {
    TRY(const HfValue* v, any(name, HfValue::Kind::boolean));
    return v->flag;
}

Result<bool> HfFields::boolean_or(std::string_view name, bool otherwise) const {
    if (!value_.find(name)) return otherwise;
    return boolean(name);
}

Result<std::optional<bool>> HfFields::optional_boolean(std::string_view name) const {
    const HfValue* v = value_.find(name);
    if (!v || v->is(HfValue::Kind::null)) return std::optional<bool>();
    TRY(const bool flag, boolean(name));
    return std::optional<bool>(flag);
}

Result<std::string> HfFields::text(std::string_view name) const {
    TRY(const HfValue* v, any(name, HfValue::Kind::string));
    return v->text;
}

Result<std::string> HfFields::character(std::string_view name) const {
    TRY(const HfValue* v, any(name, HfValue::Kind::string));
    size_t characters = 0;
    for (const char c : v->text) characters += (c & 0xC0) != 0x80;
    if (characters != 1) return bad(name, "is not one character");
    return v->text;
}

Result<uint32_t> HfFields::number(std::string_view name) const {
    TRY(const HfValue* v, any(name, HfValue::Kind::integer));
    if (v->integer > std::numeric_limits<uint32_t>::max()) return bad(name, "is too large");
    return static_cast<uint32_t>(v->integer);
}

Result<Pattern> HfFields::pattern(std::string_view name) const {
    TRY(const HfValue* v, any(name, HfValue::Kind::object));
    if (v->members.size() == 1 && v->members[0].second.is(HfValue::Kind::string)) {
        const auto& [kind, text] = v->members[0];
        if (kind == "String" || kind == "Regex") return Pattern{text.text, kind == "Regex"};
    }
    return bad(name, R"(is neither {"String": text} nor {"Regex": text})");
}

}  // namespace weir::tok
