// The option table: one row per thing that can be set, whatever its spellings. Parsing, help, docs, dump and completion read it.
#pragma once
#include <cstddef>
#include <cstdint>
#include <limits>
#include <span>
#include <string_view>
#include <type_traits>

#include "config/config.h"

namespace weir::config {

using Str = std::string_view;

// Where a value goes. Rows whose feature does not exist yet have none.
struct Field {
    enum Type : uint8_t { none, boolean, u16, u32, u64, f64, optional_f64, text, texts, f64s, u16s, debug_path } type = none;
    uint16_t offset = 0;   // in Config
};
template <class T>
constexpr Field::Type field_type() {
    if constexpr (std::is_same_v<T, bool>) return Field::boolean;
    else if constexpr (std::is_same_v<T, uint16_t>) return Field::u16;
    else if constexpr (std::is_same_v<T, uint32_t>) return Field::u32;
    else if constexpr (std::is_same_v<T, uint64_t>) return Field::u64;
    else if constexpr (std::is_same_v<T, double>) return Field::f64;
    else if constexpr (std::is_same_v<T, std::optional<double>>) return Field::optional_f64;
    else if constexpr (std::is_same_v<T, std::string>) return Field::text;
    else if constexpr (std::is_same_v<T, std::vector<std::string>>) return Field::texts;
    else if constexpr (std::is_same_v<T, std::vector<double>>) return Field::f64s;
    else if constexpr (std::is_same_v<T, std::vector<uint16_t>>) return Field::u16s;
    else if constexpr (std::is_same_v<T, ApiConfig::Path>) return Field::debug_path;
}
static_assert(std::is_standard_layout_v<Config> && sizeof(Config) < 65'536);
#define WEIR_FIELD(path) \
    ::weir::config::Field { ::weir::config::field_type<std::remove_reference_t<decltype((std::declval<::weir::Config&>().path))>>(), \
                            offsetof(::weir::Config, path) }

// What a value may be. Bounds are in the row's own unit.
struct Check {
    enum Kind : uint8_t { boolean, integer, size, real, text, choice, list, urls, reals, integers, url_port, unix_socket, path };
    Kind kind = text;         // path: of a URL, not of a file
    bool none_ok = false;     // "None" means unset
    bool secret = false;      // never printed
    double lo = 0, hi = 0;
    Str choices;              // words; those after '|' are known but not built
};
inline constexpr double any_max = 9007199254740992.0;   // 2^53: integers beyond are refused
constexpr Check flag() { return {.kind = Check::boolean}; }
constexpr Check integer(double lo = 0, double hi = any_max) { return {.kind = Check::integer, .lo = lo, .hi = hi}; }
constexpr Check port() { return integer(0, 65'535); }
constexpr Check size(double lo = 0, double hi = any_max) { return {.kind = Check::size, .lo = lo, .hi = hi}; }   // bytes; 64K, 2M, 1G
constexpr Check real(double lo = 0, double hi = any_max) { return {.kind = Check::real, .lo = lo, .hi = hi}; }
constexpr Check text() { return {.kind = Check::text}; }
constexpr Check secret() { return {.kind = Check::text, .secret = true}; }
constexpr Check file() { return {.kind = Check::text}; }
constexpr Check choice(Str words) { return {.kind = Check::choice, .choices = words}; }
constexpr Check list() { return {.kind = Check::list}; }
constexpr Check secrets() { return {.kind = Check::list, .secret = true}; }
constexpr Check urls() { return {.kind = Check::urls}; }
constexpr Check url_port() { return {.kind = Check::url_port}; }          // URL [PORT|none], may be repeated
constexpr Check or_none(Check c) { c.none_ok = true; return c; }
constexpr bool is_list(const Check& c) {
    return c.kind == Check::list || c.kind == Check::urls || c.kind == Check::reals || c.kind == Check::integers || c.kind == Check::url_port;
}

// How one command spells a row. Words are separated by spaces; the first flag is the one shown.
struct Spelling {
    Str flags;          // a word may begin with '!': sets the opposite; '~': an old name, warns
    Str env;            // read in this order
    Str def;            // default in this spelling's unit; empty: the row's; "-": unset
    double scale = 1;   // one unit here is so many of the row's unit
};

enum class Reload : uint8_t { live, new_connections, new_requests, restart };
enum class State : uint8_t {
    done,
    refused,       // known; "not supported yet" when given at another value than its default or off value
    dormant,       // environment that deployments set for a feature chosen by another row; accepted, nothing reads it yet
    noop_warn,     // accepted, warns that it has no effect
};

struct Row {
    Str key;            // native name: YAML path, and WEIR_* environment name
    Field field;
    Check check;
    Str def;            // native default; empty: unset
    Str help;
    Str feature;        // refused: what does not exist yet; choice: what its values are
    State state = State::done;
    Reload reload = Reload::restart;
    Str off;            // values (words) that ask for nothing that is missing
    Str stand_in;       // what runs where the default is a choice that is not built
    Str compat;         // frontend's default with --compat-defaults 1.6.1, in its unit; "-": unset
    Str frontend_choices;   // instead of check.choices
    Str deprecated;     // Dynamo's advice; the frontend's flags warn with it
    bool every = false; // the flags of `any` are also those of epp and mocker
    Spelling any;       // flags valid with frontend and launch
    Spelling frontend, launch, epp, mocker;

    constexpr Row both(Str flags, double scale = 1) const { Row r = *this; r.any = {.flags = flags, .scale = scale}; return r; }
    constexpr Row everywhere(Str flags) const { Row r = both(flags); r.every = true; return r; }
    constexpr Row fe(Spelling s) const { Row r = *this; r.frontend = s; return r; }
    constexpr Row fe(Str flags, Str env, Str def = {}) const { return fe(Spelling{.flags = flags, .env = env, .def = def}); }
    constexpr Row la(Spelling s) const { Row r = *this; r.launch = s; return r; }
    constexpr Row la(Str flags, Str env = {}, Str def = {}) const { return la(Spelling{.flags = flags, .env = env, .def = def}); }
    constexpr Row ep(Str flags, Str env = {}, Str def = {}) const { Row r = *this; r.epp = {.flags = flags, .env = env, .def = def}; return r; }
    constexpr Row mo(Str flags, Str env = {}, Str def = {}) const { Row r = *this; r.mocker = {.flags = flags, .env = env, .def = def}; return r; }
    constexpr Row off_at(Str words) const { Row r = *this; r.off = words; return r; }
    constexpr Row compat_is(Str value) const { Row r = *this; r.compat = value; return r; }
    constexpr Row old(Str advice) const { Row r = *this; r.deprecated = advice; return r; }
    constexpr Row at(Reload when) const { Row r = *this; r.reload = when; return r; }
    constexpr const Spelling& of(Command c) const {
        return c == Command::frontend ? frontend : c == Command::launch ? launch : c == Command::epp ? epp : mocker;
    }
};
constexpr Row row(Str key, Field field, Check check, Str def, Str help) {
    return {.key = key, .field = field, .check = check, .def = def, .help = help};
}
constexpr Row later(Str key, Check check, Str def, Str feature, Str help) {
    return {.key = key, .check = check, .def = def, .help = help, .feature = feature, .state = State::refused};
}
constexpr Row dormant(Str key, Check check, Str env, Str help) {
    return Row{.key = key, .check = check, .help = help, .state = State::dormant}.fe("", env);
}

struct Area { Str name, title; std::span<const Row> rows; };   // a key is "<area>.<name>"
std::span<const Area> areas();                                 // config/table.cc
size_t row_count();
const Row& row_at(size_t index);                               // index below row_count(), in table order
const Row* find_key(Str key);                                  // null: unknown
size_t index_of(const Row&);

}  // namespace weir::config
