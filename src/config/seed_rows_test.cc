// tests/seed_rows against the option table, and (with WEIR_REFERENCE_DIR) against the documents themselves.
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <map>
#include <set>

#include "config/spelling.h"
#include "tests/support/golden.h"

namespace weir::config {
namespace {

struct Line { std::string kind, name, document, state; };

std::vector<Line> listed() {
    std::vector<Line> out;
    const std::string text = golden::slurp(WEIR_SOURCE_DIR "/tests/seed_rows");
    for (Str row : words(text, "\n")) {
        if (row[0] == '#') continue;
        const std::vector<Str> parts = words(row);
        const size_t name_parts = parts[0] == "route" ? 2 : 1;
        if (parts.size() < name_parts + 3) {
            ADD_FAILURE() << row;
            continue;
        }
        Line line{std::string(parts[0]), std::string(parts[1]), std::string(parts[name_parts + 1]), std::string(parts[name_parts + 2])};
        if (name_parts == 2) line.name += " " + std::string(parts[2]);
        out.push_back(std::move(line));
    }
    return out;
}

Command command_of(const Line& line) {
    return line.document == "004" ? Command::launch : line.document == "003" && line.kind == "variable" ? Command::epp : Command::frontend;
}
const Row* row_of(const Line& line) {
    const Command command = command_of(line);
    if (line.kind == "flag") {
        const FlagRef* ref = Flags::of(command).find(line.name);
        return ref ? ref->row : nullptr;
    }
    for (const Area& area : areas())
        for (const Row& row : area.rows)
            for (Str variable : words(row.of(command).env))
                if (variable == line.name) return &row;
    return nullptr;
}
bool part_of_name(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '_'; }
bool names(const std::string& text, Str name) {   // as a whole word
    for (size_t at = 0; (at = text.find(name, at)) != std::string::npos; at++) {
        const size_t end = at + name.size();
        if ((at == 0 || !part_of_name(text[at - 1])) && (end == text.size() || !part_of_name(text[end]))) return true;
    }
    return false;
}

TEST(SeedRows, AgreeWithTheTable) {
    size_t checked = 0;
    for (const Line& line : listed()) {
        if ((line.kind != "flag" && line.kind != "variable") || line.state == "foreign") continue;
        SCOPED_TRACE(line.kind + " " + line.name + " " + line.document);
        const Row* row = row_of(line);
        ASSERT_NE(row, nullptr) << "not in the table";
        EXPECT_EQ(row->state == State::refused, line.state == "refused");
        checked++;
    }
    EXPECT_GT(checked, 200u);
}

TEST(SeedRows, EveryProofNamesWhatItProves) {
    std::map<std::string, std::string> files;
    std::set<std::string> seen;
    for (const Line& line : listed()) {
        SCOPED_TRACE(line.kind + " " + line.name + " " + line.document);
        EXPECT_TRUE(seen.insert(line.kind + " " + line.name + " " + line.document).second) << "twice";
        if (line.state == "refused" || line.state == "foreign") continue;
        const auto [file, fresh] = files.try_emplace(line.state);
        if (fresh) file->second = golden::slurp(WEIR_SOURCE_DIR "/" + line.state);
        EXPECT_FALSE(file->second.empty()) << line.state;
        EXPECT_TRUE(names(file->second, Str(line.name).substr(line.kind == "route" ? line.name.find(' ') + 1 : 0))) << line.state;
    }
}

// Words of the text that begin with one of `starts` and go on with `more`.
std::set<std::string> scan(const std::string& text, std::initializer_list<Str> starts, bool (*more)(char)) {
    std::set<std::string> out;
    for (Str start : starts)
        for (size_t at = 0; (at = text.find(start, at)) != std::string::npos;) {
            size_t end = at + start.size();
            while (end < text.size() && more(text[end])) end++;
            std::string word = text.substr(at, end - at);
            while (word.size() > 1 && (word.back() == '-' || word.back() == '_')) word.pop_back();
            if (word.size() > start.size() || start.back() != '_') out.insert(word);
            at = end;
        }
    return out;
}

TEST(SeedRows, NothingInTheDocumentsIsMissing) {
    const char* reference = std::getenv("WEIR_REFERENCE_DIR");
    if (!reference) GTEST_SKIP() << "WEIR_REFERENCE_DIR is not set";
    const std::vector<Line> lines = listed();
    size_t documents = 0;
    for (const auto& file : std::filesystem::directory_iterator(std::string(reference) + "/seeds")) {
        const std::string document = file.path().filename().string().substr(0, 3), text = golden::slurp(file.path());
        documents++;
        const auto has = [&](Str kind, Str name) {
            return std::any_of(lines.begin(), lines.end(), [&](const Line& l) { return l.kind == kind && l.name == name && l.document == document; });
        };
        for (const std::string& flag : scan(text, {"--"}, [](char c) { return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-'; })) {
            if (flag.size() < 4 || flag[2] < 'a' || flag[2] > 'z') continue;   // the rule of a table
            EXPECT_TRUE(has("flag", flag)) << document << " " << flag;
        }
        for (const std::string& variable : scan(text, {"DYN_", "ATP_", "POSTGRES_", "REDIS_", "JWT_", "NATS_", "ETCD_", "SMG_", "CONTROL_PLANE_", "RUST_LOG"},
                                                [](char c) { return (c >= 'A' && c <= 'Z') || c == '_'; })) {
            // In one document the words after a name are glued to it.
            const bool found = has("variable", variable) || std::any_of(lines.begin(), lines.end(), [&](const Line& l) {
                return l.kind == "variable" && l.document == document && variable.starts_with(l.name) && variable.size() - l.name.size() <= 4;
            });
            EXPECT_TRUE(found) << document << " " << variable;
        }
        for (const Line& line : lines) {
            const Str name = Str(line.name).substr(line.kind == "route" ? line.name.find(' ') + 1 : 0);
            EXPECT_TRUE(line.document != document || text.find(name) != std::string::npos) << line.name << " is not in " << document;
        }
    }
    EXPECT_EQ(documents, 5u);
}

// Flags in the help texts of the peers' present releases.
TEST(SeedRows, PresentReleasesParse) {
    const char* reference = std::getenv("WEIR_REFERENCE_DIR");
    if (!reference) GTEST_SKIP() << "WEIR_REFERENCE_DIR is not set";
    const std::pair<Command, Str> texts[] = {{Command::frontend, "/captures/dynamo/frontend_help.txt"}, {Command::launch, "/captures/smg/smg-launch-help.txt"}};
    for (const auto& [command, file] : texts) {
        const std::string text = golden::slurp(reference + std::string(file));
        ASSERT_FALSE(text.empty()) << file;
        size_t flags = 0;
        for (Str line : words(text, "\n")) {
            if (!line.starts_with("  -")) continue;
            for (const std::string& flag : scan(std::string(line), {"--"}, [](char c) { return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-'; })) {
                if (flag == "--help" || flag == "--version") continue;
                EXPECT_NE(Flags::of(command).find(flag), nullptr) << file << " " << flag;
                flags++;
            }
        }
        EXPECT_GT(flags, 80u) << file;
    }
}

}  // namespace
}  // namespace weir::config
