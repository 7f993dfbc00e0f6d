// Command line, environment and file from bytes. Input: three parts split by NUL: words of the command line, one a line (the first
// chooses the command), "NAME=VALUE" lines, YAML. "#17" stands for the flag (or variable) of row 17, so that mutations find names.
#pragma GCC optimize("O1")   // the table is long, and debug builds fuzz too
#include <cstdlib>

#include "config/argv.cc"
#include "config/load.cc"
#include "config/value.cc"
#include "config/yaml.cc"

#include "config/render.h"

namespace {

using namespace weir;
using namespace weir::config;

void require(bool holds) {
    if (!holds) abort();
}
const Row* numbered(Str word) {
    if (word.size() < 2 || word[0] != '#') return nullptr;
    size_t n = 0;
    for (char c : word.substr(1)) {
        if (c < '0' || c > '9' || n > 10'000) return nullptr;
        n = n * 10 + static_cast<size_t>(c - '0');
    }
    return &row_at(n % row_count());
}
std::vector<std::string> lines(Str text) {
    std::vector<std::string> out;
    for (size_t at = 0; at < text.size();) {
        const size_t end = std::min(text.find('\n', at), text.size());
        out.emplace_back(text.substr(at, end - at));
        at = end + 1;
    }
    return out;
}
bool plain(const std::vector<std::string>& words) {
    for (const std::string& word : words)
        for (char c : word)
            if (c < 0x20 || c > 0x7e) return false;
    return true;
}

LoadInput input(Str text) {
    const size_t first = std::min(text.find('\0'), text.size());
    const Str rest = text.substr(std::min(first + 1, text.size()));
    const size_t second = std::min(rest.find('\0'), rest.size());
    LoadInput in;
    in.argv = lines(text.substr(0, first));
    const Str name = in.argv.empty() ? Str() : Str(in.argv[0]);
    in.command = name == "launch" ? Command::launch : name == "epp" ? Command::epp : name == "mocker" ? Command::mocker : Command::frontend;
    if (!in.argv.empty()) in.argv.erase(in.argv.begin());
    for (std::string& word : in.argv)
        if (const Row* row = numbered(word)) word = shown_flag(*row, in.command);
    for (const std::string& line : lines(rest.substr(0, second))) {
        const size_t equals = std::min(line.find('='), line.size());
        const Row* row = numbered(Str(line).substr(0, equals));
        in.environment[row ? native_env(*row) : line.substr(0, equals)] = line.substr(std::min(equals + 1, line.size()));
    }
    in.read_file = [file = std::string(rest.substr(std::min(second + 1, rest.size())))](const std::string&) { return Result<std::string>(file); };
    return in;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
    const LoadInput in = input(Str(reinterpret_cast<const char*>(data), size));
    const Result<Loaded> loaded = load(in);
    if (!loaded) {
        const std::string& message = loaded.error()->message;
        require(!message.empty() && message.find("\n\n") == std::string::npos && message.size() < 64 * 1024);
        return 0;
    }
    require(loaded->settings.size() == row_count());
    if (size % 4 != 0) return 0;   // the rest is slow
    check_text(*loaded);
    const std::string dump = dump_text(*loaded);
    for (const Setting& s : loaded->settings)
        if (!plain(s.words)) return 0;
    // What was accepted and dumped is accepted again, and means the same.
    const Result<Loaded> again = load({in.command, {"--config", "dump"}, {}, [&](const std::string&) { return Result<std::string>(dump); }});
    require(static_cast<bool>(again));
    for (size_t i = 0; i < row_count(); i++) {
        const Setting &a = loaded->settings[i], &b = again->settings[i];
        const bool written = a.row->state == State::done || a.origin > Origin::compat;
        require(!written || a.row->check.secret || a.row->key == "run.config" || a.words == b.words);
    }
    return 0;
}
