#include "config/spelling.h"

#include <algorithm>

namespace weir::config {

std::vector<Str> words(Str text, Str separators) {
    std::vector<Str> out;
    for (size_t at = 0; (at = text.find_first_not_of(separators, at)) != Str::npos;) {
        const size_t end = std::min(text.find_first_of(separators, at), text.size());
        out.push_back(text.substr(at, end - at));
        at = end;
    }
    return out;
}

Str name(Command c) {
    return c == Command::frontend ? "frontend" : c == Command::launch ? "launch" : c == Command::epp ? "epp" : "mocker";
}

std::string native_env(const Row& row) {
    std::string out = "WEIR_";
    for (char c : row.key) out += c == '.' ? '_' : c >= 'a' && c <= 'z' ? static_cast<char>(c - 'a' + 'A') : c;
    return out;
}

std::string_view choices(const Row& row, Command c) {
    return c == Command::frontend && !row.frontend_choices.empty() ? row.frontend_choices : row.check.choices;
}

bool has_any(const Row& row, Command c) { return row.every || c == Command::frontend || c == Command::launch; }

Flags::Flags(Command command) {
    const auto add = [&](const Row& row, const Spelling& spelling) {
        for (Str word : words(spelling.flags)) {
            FlagRef ref{&row, &spelling};
            if (word[0] == '!') ref.inverted = true, word.remove_prefix(1);
            if (word[0] == '~') ref.old_name = true, word.remove_prefix(1);
            flags_.emplace(word, ref);
            if (row.check.kind == Check::boolean && word.starts_with("--")) {
                ref.inverted = !ref.inverted;
                flags_.emplace("--no-" + std::string(word.substr(2)), ref);
            }
        }
    };
    for (const Area& area : areas())
        for (const Row& row : area.rows) {
            if (has_any(row, command)) add(row, row.any);
            add(row, row.of(command));
        }
}

const Flags& Flags::of(Command command) {
    static const Flags all[] = {Flags(Command::frontend), Flags(Command::launch), Flags(Command::epp), Flags(Command::mocker)};
    return all[static_cast<size_t>(command)];
}

const FlagRef* Flags::find(Str flag) const {
    const auto at = flags_.find(std::string(flag));
    return at == flags_.end() ? nullptr : &at->second;
}

std::vector<Str> Flags::nearest(Str flag, size_t n) const {
    std::vector<Str> known;
    for (const auto& [text, ref] : flags_)
        if (!ref.old_name && (!text.starts_with("--no-") || flag.starts_with("--no-"))) known.push_back(text);
    return nearest_words(flag, std::move(known), n);
}

Str shown_flag(const Row& row, Command command) {
    for (const Spelling* s : {&row.of(command), &row.any}) {
        if (s == &row.any && !has_any(row, command)) break;
        for (Str word : words(s->flags))
            if (word.starts_with("--")) return word;
    }
    return {};
}

size_t edit_distance(Str a, Str b) {
    a = a.substr(0, name_max), b = b.substr(0, name_max);
    size_t rows[3][name_max + 1];
    size_t *older = rows[0], *old = rows[1], *now = rows[2];
    for (size_t j = 0; j <= b.size(); j++) old[j] = j;
    for (size_t i = 1; i <= a.size(); i++) {
        now[0] = i;
        for (size_t j = 1; j <= b.size(); j++) {
            now[j] = std::min({old[j] + 1, now[j - 1] + 1, old[j - 1] + (a[i - 1] != b[j - 1])});
            if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1]) now[j] = std::min(now[j], older[j - 2] + 1);
        }
        std::swap(older, old), std::swap(old, now);
    }
    return old[b.size()];
}

std::vector<Str> nearest_words(Str given, std::vector<Str> candidates, size_t n) {
    std::vector<std::pair<size_t, Str>> by_distance;
    for (Str word : candidates) {
        const bool cut_short = given.size() > 3 && word.starts_with(given);
        const size_t longer = std::max(given.size(), word.size()), shorter = std::min(given.size(), word.size());
        if (longer - shorter > 8 && !cut_short && by_distance.size() >= n) continue;   // cannot be near
        by_distance.emplace_back(cut_short ? 1 : edit_distance(given, word), word);
    }
    std::sort(by_distance.begin(), by_distance.end());
    std::vector<Str> out;
    for (const auto& [distance, word] : by_distance)
        if (out.size() < n) out.push_back(word);
    return out;
}

}  // namespace weir::config
