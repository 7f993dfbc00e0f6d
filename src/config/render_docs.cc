#include "config/render.h"
#include "config/spelling.h"
#include "config/tools.h"
#include "config/value.h"

namespace weir::config {
namespace {

constexpr Command commands[] = {Command::frontend, Command::launch, Command::epp, Command::mocker};

void add(std::string& out, const std::string& text, Str between) { out += (out.empty() ? std::string() : std::string(between)) + text; }

std::string quoted(Str spaced) {
    std::string out;
    for (Str word : words(spaced)) {
        const bool inverted = word[0] == '!', old = word[0] == '~';
        add(out, "`" + std::string(word.substr(inverted || old)) + "`" + (inverted ? " (off)" : old ? " (old)" : ""), ", ");
    }
    return out;
}

std::string spelled(const Row& row) {
    std::string out;
    if (!row.any.flags.empty()) add(out, (row.every ? "all: " : "frontend, launch: ") + quoted(row.any.flags), "<br>");
    for (Command c : commands) {
        const Spelling& s = row.of(c);
        std::string here = quoted(s.flags);
        if (!s.env.empty()) add(here, quoted(s.env), ", ");
        if (!here.empty()) add(out, std::string(name(c)) + ": " + here, "<br>");
    }
    return out.empty() ? "by key only" : out;
}

std::string defaults(const Row& row) {
    const std::string native = default_text(row, Command::mocker, 1);
    std::string out = native.empty() ? "" : "`" + native + "`";
    for (Command c : commands) {
        const std::string here = default_text(row, c, 1);
        if (here != native) add(out, std::string(name(c)) + " `" + (here.empty() ? "unset" : here) + "`", "; ");
    }
    if (!row.compat.empty()) {
        const Words changed = default_words(row, Command::frontend, true);
        add(out, "1.6.1 `" + (changed.empty() ? "unset" : join(changed, " ")) + "`", "; ");
    }
    return out;
}

std::string choice_list(const Row& row, Str list) {
    std::string out;
    bool built = true;
    for (Str word : words(list)) {
        if (word == "|") built = false;
        else add(out, std::string(word) + (built || row.state == State::refused ? "" : " (not yet)"), ", ");
    }
    return out;
}

std::string allowed(const Row& row) {
    const Check& check = row.check;
    switch (check.kind) {
    case Check::boolean: return "true, false";
    case Check::choice: {
        std::string out = choice_list(row, check.choices);
        if (!row.frontend_choices.empty()) out += "; frontend: " + choice_list(row, row.frontend_choices);
        return out;
    }
    case Check::integer: case Check::size: case Check::real:
        return (check.hi >= any_max ? "from " + number_text(check.lo) : number_text(check.lo) + " to " + number_text(check.hi)) +
               (check.none_ok ? ", none" : "");
    case Check::reals: case Check::integers: return "numbers";
    case Check::urls: return "URLs";
    case Check::url_port: return "URL [PORT or none], repeated";
    case Check::list: return "words";
    case Check::path: return "path";
    case Check::unix_socket: return "unix:/path";
    case Check::text: return check.secret ? "text, never shown" : "text";
    }
    return {};
}
}  // namespace

std::string flags_markdown() {
    std::string out =
        "# Settings\n\nMade by `weir --write-docs docs` from the option table; edit `src/config/options/`, not this file.\n\n"
        "Command line beats environment beats `--config FILE` beats default. Each setting has a key: `router.policy` is\n"
        "`WEIR_ROUTER_POLICY` in the environment and `router: {policy: ...}` in the file (which also takes the command's own flag\n"
        "names, without dashes in front). Flags take `--flag value` and `--flag=value`, booleans `--flag` and `--no-flag`. The peers'\n"
        "own variables are read as the peers read them: 1, true, yes and on are true, anything else is false.\n\n"
        "Defaults are in the key's unit. *Not yet*: known, refused with exit 2 when set to something that would need it.\n"
        "*Idle*: accepted, nothing reads it until the feature that it belongs to exists.\n";
    for (const Area& area : areas()) {
        out += "\n## " + std::string(area.title) + "\n\n| key | spelled | default | allowed | meaning |\n|---|---|---|---|---|\n";
        for (const Row& row : area.rows) {
            const Str state = row.state == State::refused     ? " *not yet*"
                              : row.state == State::dormant   ? " *idle*"
                              : row.state == State::noop_warn ? " *no effect*"
                                                              : "";
            std::string meaning(row.help);
            if (!row.deprecated.empty()) meaning += " Deprecated in Dynamo: " + std::string(row.deprecated) + ".";
            out += "| `" + std::string(row.key) + "`" + std::string(state) + " | " + spelled(row) + " | " + defaults(row) + " | " + allowed(row) +
                   " | " + meaning + " |\n";
        }
    }
    out += "\n## Other commands\n\n| command | flag | meaning |\n|---|---|---|\n";
    for (const Tool& tool : tools()) {
        out += "| `weir " + std::string(tool.name) + "` | | " + std::string(tool.about) + " |\n";
        for (const ToolFlag& flag : tool.flags)
            out += "| | `" + std::string(flag.flag) + (flag.metavar.empty() ? "" : " " + std::string(flag.metavar)) + "` | " + std::string(flag.help) + " |\n";
    }
    return out;
}

}  // namespace weir::config
