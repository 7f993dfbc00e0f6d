// Golden files: text in, text out, one file. A case begins with "### <input>" lines; what follows up to the next one is its output.
// WEIR_GOLDEN_UPDATE=1 rewrites the file from what the code says now; the diff is then read by a person.
#pragma once
#include <gtest/gtest.h>

#include <cstdlib>
#include <fstream>
#include <functional>
#include <sstream>
#include <string>
#include <vector>

namespace weir::golden {

inline std::string slurp(const std::string& path) {
    std::ifstream file(path, std::ios::binary);
    std::stringstream text;
    text << file.rdbuf();
    return text.str();
}

struct Case { std::string input, output; };   // input: the "### " lines without the mark, joined by '\n'

inline std::vector<Case> parse(const std::string& text) {
    std::vector<Case> cases;
    std::istringstream lines(text);
    bool in_input = false;
    for (std::string line; std::getline(lines, line);) {
        if (line.rfind("### ", 0) == 0) {
            if (in_input) cases.back().input += "\n" + line.substr(4);
            else cases.push_back({line.substr(4), {}});
            in_input = true;
        } else if (!cases.empty()) {
            in_input = false;
            cases.back().output += line + "\n";
        }
    }
    return cases;
}

// Runs every case of tests/golden/<name> and compares; `run` gives the output for an input.
inline void check(const std::string& name, const std::function<std::string(const std::string&)>& run) {
    const std::string path = std::string(WEIR_SOURCE_DIR) + "/tests/golden/" + name;
    const bool update = std::getenv("WEIR_GOLDEN_UPDATE") != nullptr;
    auto cases = parse(slurp(path));
    ASSERT_FALSE(cases.empty()) << path << " has no cases";
    std::string rewritten;
    for (const Case& c : cases) {
        std::string got = run(c.input);
        while (!got.empty() && got.back() == '\n') got.pop_back();
        got += "\n";
        if (!update) {
            EXPECT_EQ(got, c.output) << path << ": " << c.input;
        }
        std::istringstream lines(c.input);
        for (std::string line; std::getline(lines, line);) rewritten += "### " + line + "\n";
        rewritten += got;
    }
    if (update) std::ofstream(path, std::ios::binary) << rewritten;
}

}  // namespace weir::golden
