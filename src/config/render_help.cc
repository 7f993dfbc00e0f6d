#include <charconv>

#include "config/render.h"
#include "config/spelling.h"
#include "config/tools.h"
#include "config/value.h"

namespace weir::config {
namespace {

constexpr size_t column = 30, width = 110;

void wrap(std::string& out, Str text, size_t indent) {   // the cursor is at `indent`
    size_t at = indent;
    for (bool first = true; Str word : words(text)) {
        if (!first && at + 1 + word.size() > width) {
            out += "\n" + std::string(indent, ' ');
            at = indent;
            first = true;
        }
        if (!first) out += ' ', at++;
        out += word;
        at += word.size();
        first = false;
    }
    out += '\n';
}

struct Shown { std::string title; const Spelling* spelling = nullptr; };   // spelling null: not this command's
Shown title(const Row& row, Command command) {
    const Spelling& own = row.of(command);
    std::string flags;
    const Spelling* shown = nullptr;
    for (const Spelling* s : {&own, &row.any}) {
        if (s == &row.any && !has_any(row, command)) break;
        for (Str word : words(s->flags)) {
            if (word[0] == '~' || word[0] == '!') continue;
            flags += (flags.empty() ? "" : ", ") + std::string(word);
            if (!shown) shown = s;
        }
    }
    if (shown) return {flags + (row.check.kind == Check::boolean ? "" : " " + metavar(row, command)), shown};
    if (own.env.empty()) return {};
    return {std::string(words(own.env)[0]), &own};
}

void entry(std::string& out, const Row& row, Command command, const Shown& shown) {
    out += "  " + shown.title;
    if (shown.title.size() + 4 > column) out += "\n" + std::string(column, ' ');
    else out += std::string(column - 2 - shown.title.size(), ' ');
    std::string text(row.help), extra;
    if (const std::string value = default_text(row, command, shown.spelling->scale); !value.empty() && value != "false") extra = "default " + value;
    const Str flag = shown_flag(row, command), env = row.of(command).env;
    if (extra == "default true" && !flag.empty()) extra += ", --no-" + std::string(flag.substr(2));
    if (!env.empty() && shown.title != words(env)[0]) extra += (extra.empty() ? "" : "; ") + std::string(words(env)[0]);
    if (const Str list = choices(row, command); row.check.kind == Check::choice && list.find('|') != Str::npos) {
        extra += extra.empty() ? "not yet:" : "; not yet:";
        for (Str word : words(list.substr(list.find('|') + 1))) extra += " " + std::string(word);
    }
    if (!extra.empty()) text += " (" + extra + ")";
    wrap(out, text, column);
}

constexpr Str about(Command c) {
    switch (c) {
    case Command::frontend: return "Serves the OpenAI API in the habits of the Dynamo frontend.";
    case Command::launch: return "Serves the OpenAI API in the habits of the SMG router.";
    case Command::epp: return "Picks endpoints for a Gateway API gateway over ext_proc. Not supported yet.";
    case Command::mocker: return "Simulated engines behind the OpenAI API, for tests and demonstrations.";
    }
    return {};
}
}  // namespace

std::string join(const std::vector<std::string>& list, Str between) {
    std::string out;
    for (const std::string& word : list) out += (out.empty() ? std::string() : std::string(between)) + word;
    return out;
}

std::string default_text(const Row& row, Command command, double scale) {
    Words value = default_words(row, command, false);
    if (row.check.secret && !value.empty()) return "***";
    if (scale != 1)
        for (std::string& word : value) {
            double number = 0;
            std::from_chars(word.data(), word.data() + word.size(), number);
            word = number_text(number / scale);
        }
    return join(value, " ");
}

std::string metavar(const Row& row, Command command) {
    switch (row.check.kind) {
    case Check::boolean: return "";
    case Check::integer: case Check::real: return "N";
    case Check::size: return "BYTES";
    case Check::reals: case Check::integers: return "N...";
    case Check::urls: return "URL...";
    case Check::url_port: return "URL [PORT]";
    case Check::list: return "TEXT...";
    case Check::unix_socket: return "unix:/PATH";
    case Check::choice: {
        std::string out;
        for (Str word : words(choices(row, command).substr(0, choices(row, command).find('|')))) out += (out.empty() ? "{" : ",") + std::string(word);
        return out.empty() ? "WORD" : out + "}";
    }
    default: return "TEXT";
    }
}

std::string help_text(Command command) {
    std::string out = "usage: weir " + std::string(name(command)) + " [flags]\n\n" + std::string(about(command)) +
                      "\nEvery setting is also read from WEIR_<KEY> and from the --config file, see docs/flags.md.\n";
    for (const Area& area : areas()) {
        std::string built, missing;
        for (const Row& row : area.rows) {
            const Shown shown = title(row, command);
            if (!shown.spelling) continue;
            if (row.state == State::done || row.state == State::noop_warn) entry(built, row, command, shown);
            else if (row.state == State::refused) {
                const Str flag = shown_flag(row, command);
                missing += (missing.empty() ? "" : " ") + (flag.empty() ? shown.title : std::string(flag));
            }
        }
        if (built.empty() && missing.empty()) continue;
        out += "\n" + std::string(area.title) + ":\n" + built;
        if (missing.empty()) continue;
        out += "  not supported yet:\n    ";
        wrap(out, missing, 4);
    }
    return out + "\nOther:\n  -h, --help                  this text\n  -V, --version               the version\n";
}

std::string overview_text() {
    std::string out = "usage: weir COMMAND [flags]\n\nOne gateway in front of LLM engines.\n\n";
    for (Command c : {Command::frontend, Command::launch, Command::epp, Command::mocker}) {
        out += "  weir " + std::string(name(c)) + std::string(14 - name(c).size(), ' ');
        out += std::string(about(c)) + "\n";
    }
    for (const Tool& tool : tools()) out += "  weir " + std::string(tool.name) + std::string(14 - tool.name.size(), ' ') + std::string(tool.about) + "\n";
    return out + "  weir check-config  COMMAND [flags]: what would be set, and from where.\n"
                 "  weir completion    bash, zsh or fish: a completion script.\n"
                 "\n`weir COMMAND --help` lists the flags; `weir --worker-urls ...` is `weir launch --worker-urls ...`.\n";
}

}  // namespace weir::config
