// Reading the fields of one component; every miss names the component and the field. Private to the readers of tokenizer.json.
#pragma once
#include <limits>
#include <optional>

#include "base/limits.h"
#include "base/result.h"
#include "tokenizer/hf_value.h"
#include "tokenizer/spec.h"

namespace weir::tok {

class HfFields {
public:
    HfFields(const HfValue& value, const std::string& where) : value_(value), where_(where) {}
    const std::string& where() const { return where_; }
    const HfValue* find(std::string_view name) const { return value_.find(name); }
    std::string_view type() const;                                   // empty: none, or not a string

    Failure bad(std::string_view name, std::string_view what) const;
    Result<const HfValue*> any(std::string_view name, HfValue::Kind kind) const;
    Result<bool> boolean(std::string_view name) const;
    Result<bool> boolean_or(std::string_view name, bool otherwise) const;
    Result<std::optional<bool>> optional_boolean(std::string_view name) const;
    Result<std::string> text(std::string_view name) const;
    Result<std::string> character(std::string_view name) const;      // a string of exactly one character
    Result<uint32_t> number(std::string_view name) const;
    Result<Pattern> pattern(std::string_view name) const;            // {"String": ...} or {"Regex": ...}

private:
    const HfValue& value_;
    const std::string& where_;
};

// One row a component. `legacy`: its fields alone tell it, whatever the type says (in the reference's order of trying).
template <class Spec>
struct HfRow {
    std::string_view type;
    typename Spec::Kind kind;
    Result<void> (*read)(const HfFields&, Spec&);
    bool legacy = false;
};

template <class Spec>
Result<void> no_fields(const HfFields&, Spec&) { return {}; }

// Children of a Sequence. Depth is bounded by the reader of the JSON text.
template <class Spec>
Result<void> read_children(const HfFields& fields, Spec& spec, std::string_view name, Result<Spec> (*read)(const HfValue&, const std::string&)) {
    TRY(const HfValue* list, fields.any(name, HfValue::Kind::array));
    if (list->items.size() > limits::tokenizer_components_max) return fields.bad(name, "has too many entries");
    for (size_t i = 0; i < list->items.size(); i++) {
        TRY(Spec one, read(list->items[i], fields.where() + "." + std::string(name) + "[" + std::to_string(i) + "]"));
        spec.children.push_back(std::move(one));
    }
    return {};
}

template <class Spec, size_t N>
Result<Spec> read_by(const HfRow<Spec> (&rows)[N], const HfValue& value, const std::string& where) {
    const HfFields fields(value, where);
    if (!value.is(HfValue::Kind::object)) return fields.bad("", "is not an object");
    const std::string_view type = fields.type();
    for (const auto& row : rows)
        if (!type.empty() && row.type == type) {
            Spec spec;
            spec.kind = row.kind;
            TRY_OK(row.read(fields, spec));
            return spec;
        }
    for (const auto& row : rows)
        if (row.legacy) {
            Spec spec;
            spec.kind = row.kind;
            if (row.read(fields, spec)) return spec;
        }
    return fields.bad("type", type.empty() ? std::string("is missing, and the fields do not tell it") : "'" + std::string(type) + "' is unknown");
}

// Metaspace and ByteLevel stand in several lists with the same fields.
template <class Spec>
Result<void> read_metaspace(const HfFields& fields, Spec& spec) {
    TRY(spec.replacement, fields.character("replacement"));
    if (fields.find("prepend_scheme")) {
        TRY(const std::string scheme, fields.text("prepend_scheme"));
        if (scheme == "always") spec.prepend_scheme = PrependScheme::always;
        else if (scheme == "never") spec.prepend_scheme = PrependScheme::never;
        else if (scheme == "first") spec.prepend_scheme = PrependScheme::first;
        else return fields.bad("prepend_scheme", "'" + scheme + "' is unknown");
    }
    TRY(const auto add, fields.optional_boolean("add_prefix_space"));
    if (add && !*add && spec.prepend_scheme != PrependScheme::never) return fields.bad("add_prefix_space", "does not match prepend_scheme");
    TRY(const auto cut, fields.optional_boolean("split"));
    if constexpr (requires { spec.metaspace_split; }) spec.metaspace_split = cut.value_or(true);
    return {};
}

template <class Spec>
Result<void> read_byte_level(const HfFields& fields, Spec& spec) {
    TRY(const bool add_prefix_space, fields.boolean("add_prefix_space"));
    TRY(const bool trim_offsets, fields.boolean("trim_offsets"));
    TRY(const bool use_regex, fields.boolean_or("use_regex", true));
    if constexpr (requires { spec.trim_offsets; }) spec.add_prefix_space = add_prefix_space, spec.trim_offsets = trim_offsets;
    if constexpr (requires { spec.use_regex; }) spec.use_regex = use_regex;
    return {};
}

}  // namespace weir::tok
