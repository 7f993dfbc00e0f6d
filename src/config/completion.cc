#include <algorithm>

#include "config/render.h"
#include "config/spelling.h"
#include "config/tools.h"

namespace weir::config {
namespace {

constexpr Command commands[] = {Command::frontend, Command::launch, Command::epp, Command::mocker};
std::string subcommands() { return "frontend launch epp mocker check-config completion " + tool_names(); }

// Flags worth offering: built ones, by their first spelling; sorted.
std::vector<std::pair<std::string, const Row*>> offered(Command command) {
    std::vector<std::pair<std::string, const Row*>> out;
    for (const Area& area : areas())
        for (const Row& row : area.rows)
            if (const Str flag = shown_flag(row, command); !flag.empty() && row.state == State::done) out.emplace_back(flag, &row);
    std::sort(out.begin(), out.end());
    return out;
}
std::string built_choices(const Row& row, Command command) {
    if (row.check.kind != Check::choice) return {};
    std::string out;
    for (Str word : words(choices(row, command))) {
        if (word == "|") break;
        out += (out.empty() ? "" : " ") + std::string(word);
    }
    return out;
}
std::string escaped(Str text) {   // inside single quotes of fish
    std::string out;
    for (char c : text) out += c == '\'' ? "\\'" : std::string(1, c);
    return out;
}

std::string bash() {
    std::string out = "# bash completion for weir; source it, or put it into ~/.local/share/bash-completion/completions/weir\n"
                      "_weir() {\n    local word=${COMP_WORDS[COMP_CWORD]} before=${COMP_WORDS[COMP_CWORD-1]} command=${COMP_WORDS[1]}\n"
                      "    local flags= values=\n"
                      "    if ((COMP_CWORD == 1)); then\n        COMPREPLY=($(compgen -W \"" + subcommands() +
                      " --help --version\" -- \"$word\"))\n        return\n    fi\n"
                      "    [[ $command == check-config ]] && ((COMP_CWORD > 2)) && command=${COMP_WORDS[2]}\n    case $command in\n";
    for (Command c : commands) {
        std::string flags, values;
        for (const auto& [flag, row] : offered(c)) {
            flags += " " + flag;
            if (const std::string list = built_choices(*row, c); !list.empty()) values += "            " + flag + ") values=\"" + list + "\" ;;\n";
        }
        out += "    " + std::string(name(c)) + ")\n        flags=\"--help" + flags + "\"\n        case $before in\n" + values + "        esac ;;\n";
    }
    for (const Tool& tool : tools()) {
        out += "    " + std::string(tool.name) + ") flags=\"--help";
        for (const ToolFlag& flag : tool.flags) out += " " + std::string(flag.flag);
        out += "\" ;;\n";
    }
    out += "    check-config) values=\"frontend launch epp mocker\" ;;\n    completion) values=\"bash zsh fish\" ;;\n    esac\n"
           "    if [[ -n $values ]]; then\n        COMPREPLY=($(compgen -W \"$values\" -- \"$word\"))\n"
           "    elif [[ $word == -* ]]; then\n        COMPREPLY=($(compgen -W \"$flags\" -- \"$word\"))\n"
           "    else\n        COMPREPLY=($(compgen -f -- \"$word\"))\n    fi\n}\n";
    return out;
}

std::string fish() {
    std::string out = "# fish completion for weir; put it into ~/.config/fish/completions/weir.fish\n"
                      "complete -c weir -n __fish_use_subcommand -f -a '" + subcommands() + "'\n"
                      "complete -c weir -n '__fish_seen_subcommand_from check-config' -f -a 'frontend launch epp mocker'\n"
                      "complete -c weir -n '__fish_seen_subcommand_from completion' -f -a 'bash zsh fish'\n";
    for (Command c : commands)
        for (const auto& [flag, row] : offered(c)) {
            out += "complete -c weir -n '__fish_seen_subcommand_from " + std::string(name(c)) + "' -l " + flag.substr(2);
            if (row->check.kind != Check::boolean) out += " -r";
            if (const std::string list = built_choices(*row, c); !list.empty()) out += " -f -a '" + list + "'";
            out += " -d '" + escaped(row->help) + "'\n";
        }
    for (const Tool& tool : tools())
        for (const ToolFlag& flag : tool.flags)
            out += "complete -c weir -n '__fish_seen_subcommand_from " + std::string(tool.name) + "' -l " + std::string(flag.flag.substr(2)) +
                   (flag.metavar.empty() ? "" : " -r") + " -d '" + escaped(flag.help) + "'\n";
    return out;
}
}  // namespace

Result<std::string> completion_text(Str shell) {
    if (shell == "bash") return bash() + "complete -o filenames -F _weir weir\n";
    if (shell == "zsh") return "#compdef weir\nautoload -Uz bashcompinit && bashcompinit\n" + bash() + "complete -o filenames -F _weir weir\n";
    if (shell == "fish") return fish();
    return Failure(Code::bad_field, "completion: bash, zsh or fish");
}

}  // namespace weir::config
