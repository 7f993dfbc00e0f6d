#include "config/cli.h"

#include <fcntl.h>
#include <unistd.h>

#include <cstdio>

#include "config/render.h"
#include "config/spelling.h"
#include "config/value.h"

namespace weir::config {
namespace {

std::optional<Command> command_named(Str word) {
    for (Command c : {Command::frontend, Command::launch, Command::epp, Command::mocker})
        if (word == name(c)) return c;
    return std::nullopt;
}

class Cli {
public:
    Cli(const CliInput& in, std::string& out, std::string& err) : in_(in), out_(out), err_(err) {}

    CliOutcome run() {
        const std::string program = in_.argv.empty() ? "weir" : in_.argv[0].substr(in_.argv[0].rfind('/') + 1);
        if (program == "smg" && !(in_.argv.size() > 1 && in_.argv[1] == "launch")) return serve(Command::launch, 1);
        if (in_.argv.size() < 2) return print(overview_text());
        const std::string& first = in_.argv[1];
        if (first == "-h" || first == "--help" || first == "help") return print(overview_text());
        if (first == "-V" || first == "--version" || first == "version") return print("weir " + in_.version + "\n");
        if (first == "--write-docs") return write_docs();
        if (first == "completion") return completion();
        if (first == "check-config") return check();
        if (first.size() > 1 && first[0] == '-') return serve(Command::launch, 1);
        if (const auto command = command_named(first)) return serve(*command, 2);
        if (const Tool* found = tool_named(first)) return tool(*found);
        return fail("", "'" + printable(first) + "' is not a command; there are frontend, launch, epp, mocker, check-config, completion and " + tool_names());
    }

private:
    CliOutcome print(const std::string& text) {
        out_ += text;
        return {.exit = 0};
    }
    CliOutcome fail(Str command, const std::string& lines) {
        for (Str line : words(lines, "\n")) err_ += "weir" + (command.empty() ? "" : " " + std::string(command)) + ": " + std::string(line) + "\n";
        return {.exit = 2};
    }
    LoadInput input(Command command, size_t from) const {
        return {command, {in_.argv.begin() + static_cast<long>(std::min(from, in_.argv.size())), in_.argv.end()}, in_.environment, {}};
    }
    // Help and version win over everything else on the line, mistakes included.
    std::optional<CliOutcome> answered(Command command, size_t from) {
        for (size_t i = from; i < in_.argv.size(); i++) {
            if (in_.argv[i] == "-h" || in_.argv[i] == "--help") return print(help_text(command));
            if (in_.argv[i] == "-V" || in_.argv[i] == "--version") return print("weir " + in_.version + "\n");
        }
        return std::nullopt;
    }
    CliOutcome serve(Command command, size_t from) {
        if (auto done = answered(command, from)) return std::move(*done);
        Result<Loaded> loaded = load(input(command, from));
        if (!loaded) return fail(name(command), loaded.error()->message);
        if (command == Command::epp) return fail("epp", "not supported yet: the endpoint picker");
        if (const std::string& path = loaded->config.run.dump_to; !path.empty()) {
            Result<void> written = write_whole_file(path, dump_text(*loaded));
            if (!written) return fail(name(command), "--dump-config-to: " + written.error()->message);
        }
        CliOutcome outcome;
        outcome.loaded = std::move(*loaded);
        return outcome;
    }
    CliOutcome tool(const Tool& found) {
        const std::span<const std::string> args(in_.argv.begin() + 2, in_.argv.end());
        for (const std::string& arg : args)
            if (arg == "-h" || arg == "--help") return print(tool_help(found));
        Result<ToolCall> call = parse_tool(found, args);
        if (!call) return fail(found.name, call.error()->message);
        CliOutcome outcome;
        outcome.tool = std::move(*call);
        return outcome;
    }
    CliOutcome check() {
        const auto command = in_.argv.size() > 2 ? command_named(in_.argv[2]) : std::nullopt;
        if (!command) return fail("check-config", "say for which command: weir check-config frontend|launch|epp|mocker [flags]");
        if (auto done = answered(*command, 3)) return std::move(*done);
        Result<Loaded> loaded = load(input(*command, 3));
        if (!loaded) return fail("check-config", loaded.error()->message);
        if (*command == Command::epp) return fail("check-config", "not supported yet: the endpoint picker");
        return print(check_text(*loaded));
    }
    CliOutcome completion() {
        Result<std::string> text = completion_text(in_.argv.size() == 3 ? Str(in_.argv[2]) : Str());
        return text ? print(*text) : fail("", text.error()->message);
    }
    CliOutcome write_docs() {
        if (in_.argv.size() != 3) return fail("", "--write-docs: needs a folder");
        Result<void> written = write_whole_file(in_.argv[2] + "/flags.md", flags_markdown());
        if (!written) return fail("", "--write-docs: " + written.error()->message);
        return {.exit = 0, .docs_dir = in_.argv[2]};
    }
    const CliInput& in_;
    std::string& out_;
    std::string& err_;
};
}  // namespace

CliOutcome run_cli(const CliInput& in, std::string& out, std::string& err) { return Cli(in, out, err).run(); }

Result<void> write_whole_file(const std::string& path, const std::string& text) {
    const std::string part = path + ".part";
    const int fd = ::open(part.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0640);
    if (fd < 0) return Failure(Code::bad_field, "cannot write '" + path + "'");
    size_t at = 0;
    ssize_t n = 0;
    while (at < text.size() && (n = ::write(fd, text.data() + at, text.size() - at)) > 0) at += static_cast<size_t>(n);
    const bool closed = ::close(fd) == 0;
    if (at == text.size() && closed && ::rename(part.c_str(), path.c_str()) == 0) return {};
    ::unlink(part.c_str());
    return Failure(Code::bad_field, "cannot write '" + path + "'");
}

}  // namespace weir::config
