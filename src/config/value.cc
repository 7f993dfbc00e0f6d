#include "config/value.h"

#include <charconv>
#include <cmath>

#include "base/assert.h"
#include "config/spelling.h"

namespace weir::config {
namespace {

bool as_number(Str text, double& out) {
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), out);
    return error == std::errc{} && end == text.data() + text.size() && std::isfinite(out);
}
bool as_integer(Str text, double& out) {
    int64_t n = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), n);
    out = static_cast<double>(n);
    return error == std::errc{} && end == text.data() + text.size() && std::abs(out) <= any_max;
}
bool as_size(Str text, double& out) {
    double unit = 1;
    if (!text.empty() && (text.back() == 'B' || text.back() == 'b')) text.remove_suffix(1);
    if (!text.empty() && text.back() == 'i') text.remove_suffix(1);
    if (const size_t at = text.empty() ? Str::npos : Str("kKmMgG").find(text.back()); at != Str::npos) {
        unit = at < 2 ? 1024.0 : at < 4 ? 1024.0 * 1024 : 1024.0 * 1024 * 1024;
        text.remove_suffix(1);
    }
    if (!as_integer(text, out)) return false;
    out *= unit;
    return out <= any_max;
}

std::string lower(Str text) {
    std::string out(text);
    for (char& c : out)
        if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
    return out;
}
bool any_of(Str word, std::initializer_list<Str> list) {
    for (Str each : list)
        if (each == word) return true;
    return false;
}

Failure bad(const Reading& r, Str value, const std::string& why) {
    return Failure(Code::bad_field, r.from + ": " + (r.row->check.secret ? "the value" : "'" + printable(value) + "'") + " " + why);
}

Result<std::string> number(const Reading& r, Str text) {
    const Check& check = r.row->check;
    double value = 0;
    const bool whole = check.kind != Check::real && check.kind != Check::reals;
    if (!(check.kind == Check::size ? as_size(text, value) : whole ? as_integer(text, value) : as_number(text, value)))
        return bad(r, text, check.kind == Check::size ? "is not a number of bytes" : whole ? "is not a whole number" : "is not a number");
    const double scaled = value * r.scale;
    if (scaled < check.lo || scaled > check.hi) {
        const double lo = whole ? std::ceil(check.lo / r.scale) : check.lo / r.scale;
        const double hi = whole ? std::floor(check.hi / r.scale) : check.hi / r.scale;
        return bad(r, text, check.hi >= any_max ? "is below " + number_text(lo) : "is not in " + number_text(lo) + ".." + number_text(hi));
    }
    return number_text(scaled);
}

Result<std::string> one(const Reading& r, Str text) {
    const Check& check = r.row->check;
    switch (check.kind) {
    case Check::boolean: {
        const std::string word = lower(text);
        if (any_of(word, {"1", "true", "yes", "on"})) return std::string("true");
        if (r.lenient_bool || any_of(word, {"0", "false", "no", "off"})) return std::string("false");
        return bad(r, text, "is not true or false");
    }
    case Check::integer: case Check::size: case Check::real: case Check::reals: case Check::integers: return number(r, text);
    case Check::choice: {
        const Str list = choices(*r.row, r.command);
        const Chosen chosen = choose(list, text);
        if (chosen.built != Built::unknown) return std::string(chosen.word);
        std::string all;
        for (Str word : words(list, " |")) all += (all.empty() ? "" : ", ") + std::string(word);
        return bad(r, text, "is not one of " + all);
    }
    case Check::path:
        if (text.empty() || text[0] != '/' || text.size() > 1'024 || text.find_first_of(" ?#\t\r\n%") != Str::npos)
            return bad(r, text, "is not a path: it begins with / and has no blanks, ?, # or %");
        return std::string(text);
    case Check::unix_socket:
        if (!text.starts_with("unix:") || text.size() < 7 || text.size() > 5 + 107 || text[5] != '/')
            return bad(r, text, "is not unix:/path with a path of at most 107 bytes");
        return std::string(text);
    case Check::urls: case Check::url_port:
        if (text.starts_with("grpc://") || text.starts_with("grpcs://") || text.starts_with("ipc://"))
            return Failure(Code::not_supported,
                           "not supported yet: gRPC and ZeroMQ workers (" + r.from + " " + printable(text) + ")");
        [[fallthrough]];
    default:
        for (char c : text)
            if (static_cast<unsigned char>(c) < 0x20 && !(c == '\t' && !is_list(check))) return bad(r, text, "has a control character");
        return std::string(text);
    }
}
}  // namespace

bool same_choice(Str a, Str b) {
    if (a.size() != b.size()) return false;
    for (size_t i = 0; i < a.size(); i++)
        if ((a[i] == '-' ? '_' : a[i]) != (b[i] == '-' ? '_' : b[i])) return false;
    return true;
}

Chosen choose(Str list, Str given) {
    Built built = Built::yes;
    for (Str word : words(list)) {
        if (word == "|") built = Built::no;
        else if (same_choice(word, given)) return {built, word};
    }
    return {};
}

std::string printable(Str text, size_t bytes_max) {
    std::string out;
    for (char c : text.substr(0, bytes_max)) out += static_cast<unsigned char>(c) < 0x20 || c == 0x7f ? '?' : c;
    return text.size() > bytes_max ? out + "..." : out;
}

std::string number_text(double value) {
    char text[40];
    const bool whole = value == std::floor(value) && std::abs(value) <= any_max;
    const auto end = whole ? std::to_chars(text, text + sizeof text, static_cast<int64_t>(value)) : std::to_chars(text, text + sizeof text, value);
    return std::string(text, end.ptr);
}

Result<Words> read_value(const Reading& r, const Words& given) {
    const Check& check = r.row->check;
    Words out;
    for (const std::string& text : given) {
        if (check.none_ok && lower(text) == "none") return Words{};
        TRY(std::string word, one(r, text));
        out.push_back(std::move(word));
    }
    if (!is_list(check) && out.size() > 1) return Failure(Code::bad_field, r.from + ": takes one value");
    if (!is_list(check) && out.size() == 1 && out[0].empty()) out.clear();
    if (check.kind == Check::reals)
        for (size_t i = 1; i < out.size(); i++) {
            double a = 0, b = 0;
            as_number(out[i - 1], a), as_number(out[i], b);
            if (a >= b) return Failure(Code::bad_field, r.from + ": " + out[i] + " does not come after " + out[i - 1] + "; the bounds must ascend");
        }
    return out;
}

namespace {
template <class T>
T whole(const std::string& word) {
    double value = 0;
    ASSERT(as_number(word, value) && value >= 0 && value <= static_cast<double>(std::numeric_limits<T>::max()));   // the row's bounds fit its field
    return static_cast<T>(value);
}
}  // namespace

void store(Config& config, const Field& field, const Words& value) {
    void* at = reinterpret_cast<char*>(&config) + field.offset;
    const bool set = !value.empty();
    double real = 0;
    switch (field.type) {
    case Field::none: return;
    case Field::boolean: *static_cast<bool*>(at) = set && value[0] == "true"; return;
    case Field::u16: *static_cast<uint16_t*>(at) = set ? whole<uint16_t>(value[0]) : 0; return;
    case Field::u32: *static_cast<uint32_t*>(at) = set ? whole<uint32_t>(value[0]) : 0; return;
    case Field::u64: *static_cast<uint64_t*>(at) = set ? whole<uint64_t>(value[0]) : 0; return;
    case Field::f64: *static_cast<double*>(at) = set && as_number(value[0], real) ? real : 0; return;
    case Field::optional_f64:
        *static_cast<std::optional<double>*>(at) = set && as_number(value[0], real) ? std::optional(real) : std::nullopt;
        return;
    case Field::text: *static_cast<std::string*>(at) = set ? value[0] : ""; return;
    case Field::texts: *static_cast<std::vector<std::string>*>(at) = value; return;
    case Field::f64s: {
        auto& list = *static_cast<std::vector<double>*>(at);
        list.clear();
        for (const std::string& word : value) list.push_back(as_number(word, real) ? real : 0);
        return;
    }
    case Field::u16s: {
        auto& list = *static_cast<std::vector<uint16_t>*>(at);
        list.clear();
        for (const std::string& word : value) list.push_back(whole<uint16_t>(word));
        return;
    }
    case Field::debug_path:
        *static_cast<ApiConfig::Path*>(at) = !set || value[0] == "auto" ? ApiConfig::Path::automatic
                                             : value[0] == "forward"    ? ApiConfig::Path::forward
                                                                        : ApiConfig::Path::events;
        return;
    }
}

bool is_bootstrap_port(Str word) {
    return word == "none" || (!word.empty() && word.size() <= 5 && word.find_first_not_of("0123456789") == Str::npos);
}

Words words_of(const Row& row, Str text) {
    if (!is_list(row.check)) return {std::string(text)};
    Words out;
    for (Str word : words(text, " ,\t\n")) {   // "URL PORT, URL none" or "URL URL": a port belongs to the URL before it
        const bool port = row.check.kind == Check::url_port && is_bootstrap_port(word) && !out.empty() && out.back().find(' ') == std::string::npos;
        if (port) out.back() += " " + std::string(word);
        else out.emplace_back(word);
    }
    return out;
}

Words default_words(const Row& row, Command command, bool compat) {
    const Spelling& own = row.of(command);
    const bool changed = compat && command == Command::frontend && !row.compat.empty();
    const Str text = changed ? row.compat : own.def.empty() ? row.def : own.def;
    if (text.empty() || text == "-") return {};
    const Reading reading{&row, command, changed || !own.def.empty() ? own.scale : 1, false, std::string(row.key)};
    Result<Words> value = read_value(reading, words_of(row, text));
    ASSERT(value);   // the table's defaults fit its own bounds; table_test.cc looks at every one
    return std::move(*value);
}

}  // namespace weir::config
