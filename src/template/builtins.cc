#include "template/builtins.h"

#include <iterator>

namespace weir::jinja {

const FilterRow* find_filter(Str name) {
    for (const auto rows : {text_filters(), list_filters(), select_filters(), number_filters(), layout_filters()})
        for (const FilterRow& row : rows)
            if (row.name == name) return &row;
    return nullptr;
}

namespace {

enum class Owner : uint8_t { string, search, list, tuple, dict, number, other };
constexpr MethodId per_owner = 64;

std::span<const MethodRow> rows_of(Owner owner) {
    switch (owner) {
        case Owner::string: return string_methods();
        case Owner::search: return search_methods();
        case Owner::list: return list_methods();
        case Owner::tuple: return tuple_methods();
        case Owner::dict: return dict_methods();
        case Owner::number: return number_methods();
        case Owner::other: return object_methods();
    }
    return {};
}
MethodId find_in(Owner owner, Str name, Kind kind) {
    const auto rows = rows_of(owner);
    for (size_t k = 0; k < rows.size(); ++k)
        if (rows[k].name == name && (rows[k].only == Kind::missing || rows[k].only == kind))
            return static_cast<MethodId>(static_cast<size_t>(owner) * per_owner + k + 1);
    return 0;
}

}  // namespace

MethodId find_method(Kind kind, Str name) {
    switch (kind) {
        case Kind::string: {
            const MethodId id = find_in(Owner::string, name, kind);
            return id ? id : find_in(Owner::search, name, kind);
        }
        case Kind::list: return find_in(Owner::list, name, kind);
        case Kind::tuple:
        case Kind::range: return find_in(Owner::tuple, name, kind);
        case Kind::dict: return find_in(Owner::dict, name, kind);
        case Kind::boolean:
        case Kind::integer:
        case Kind::real: return find_in(Owner::number, name, kind);
        case Kind::loop:
        case Kind::cycler:
        case Kind::dict_class: return find_in(Owner::other, name, kind);
        default: return 0;
    }
}

const MethodRow* method_row(MethodId id) { return &rows_of(static_cast<Owner>((id - 1) / per_owner))[(id - 1) % per_owner]; }

}  // namespace weir::jinja
