#include "config/render.h"
#include "config/spelling.h"
#include "config/value.h"

namespace weir::config {
namespace {

std::string quoted(Str text) {   // a YAML double-quoted scalar
    std::string out = "\"";
    for (char c : text) {
        if (c == '"' || c == '\\') out += '\\';
        if (c == '\t') out += "\\t";
        else out += c;
    }
    return out + '"';
}
bool bare(const Row& row) {
    return row.check.kind == Check::boolean || row.check.kind == Check::integer || row.check.kind == Check::size || row.check.kind == Check::real ||
           row.check.kind == Check::reals || row.check.kind == Check::integers;
}
bool can_unset(const Row& row) { return is_list(row.check) || row.check.none_ok; }
std::string value_text(const Setting& s) {
    if (s.words.empty()) return is_list(s.row->check) ? "[]" : "None";
    const auto one = [&](const std::string& word) { return bare(*s.row) ? word : quoted(word); };
    if (!is_list(s.row->check)) return one(s.words[0]);
    std::string out;
    for (const std::string& word : s.words) out += (out.empty() ? "[" : ", ") + one(word);
    return out + "]";
}
std::string origin_text(const Setting& s) {
    switch (s.origin) {
    case Origin::fallback: return s.from.empty() ? "default" : "default, " + s.from;
    case Origin::compat: return "default of 1.6.1";
    default: return s.from;
    }
}
bool concerns(const Area& area, const Config& config) {
    if (area.name == "mocker") return config.command == Command::mocker || config.discovery.demo_engines > 0;
    if (area.name == "epp") return config.command == Command::epp;
    return config.command != Command::mocker || area.name == "log" || area.name == "run" || area.name == "listen";
}
}  // namespace

std::string dump_text(const Loaded& loaded) {
    std::string out = "# weir " + std::string(name(loaded.config.command)) + "\n";
    for (const std::string& note : loaded.notes) out += "# note: " + note + "\n";
    for (const Area& area : areas()) {
        if (!concerns(area, loaded.config)) continue;
        std::string lines;
        bool any = false;
        for (const Row& row : area.rows) {
            const Setting& s = loaded.settings[index_of(row)];
            if (row.state != State::done && s.origin <= Origin::compat) continue;   // not built and not asked for
            const std::string key(row.key.substr(row.key.find('.') + 1));
            const bool unset = s.words.empty() && s.origin <= Origin::compat;
            const bool comment = unset || row.check.secret || row.key == "run.config" || (s.words.empty() && !can_unset(row));
            any = any || !comment;
            const std::string value = comment && s.words.empty() ? "unset" : row.check.secret ? "***" : value_text(s);
            lines += (comment ? "  # " : "  ") + key + ": " + value + "   # " + origin_text(s) + "\n";
        }
        if (!lines.empty()) out += (any ? "" : "# ") + std::string(area.name) + ":\n" + lines;
    }
    return out;
}

std::string check_text(const Loaded& loaded) {
    std::string out;
    for (const Setting& s : loaded.settings) {
        if (s.origin == Origin::fallback) continue;
        const std::string value = s.words.empty() ? "unset" : s.row->check.secret ? "***" : join(s.words, " ");
        out += std::string(s.row->key) + " = " + value + "   (" + origin_text(s) + ")\n";
    }
    if (out.empty()) out = "nothing differs from the defaults\n";
    for (const std::string& note : loaded.notes) out += "note: " + note + "\n";
    for (const std::string& warning : loaded.warnings) out += "warning: " + warning + "\n";
    const uint64_t memory = loaded.config.limits.memory;
    out += "memory: " + (memory ? std::to_string(memory) + " bytes" : std::string("what the machine or container has")) +
           ", request bodies take at most a fifth\n";
    return out + "ok\n";
}

}  // namespace weir::config
