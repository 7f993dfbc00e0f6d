// How long one step of an encoding keeps its core: `steps_bench TOKENIZER CJK_TEXT [PASSES]` encodes texts of 1 MB of several kinds in the steps
// that the gateway takes (32 KB; what cannot be cut below 16 KB goes to a thread of its own) and prints a line for each: pieces, the longest
// step in us (the least of the passes for each step, so that other processes count little), and what went elsewhere. Ids are compared with
// those of one call.
#include <time.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <sstream>

#include "prepare/text_caches.h"
#include "tokenizer/load.h"

namespace {

constexpr size_t size = 1'000'000, slice = 32 * 1024, pool = 16 * 1024;

double cpu_us() {
    timespec t{};
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return static_cast<double>(t.tv_sec) * 1e6 + static_cast<double>(t.tv_nsec) * 1e-3;
}

std::string repeated(std::string_view part, size_t bytes = size) {
    std::string out;
    while (out.size() + part.size() <= bytes) out += part;
    return out;
}

std::string without_blanks(const std::string& text) {
    std::string out;
    for (const char c : text)
        if (c != ' ' && c != '\n' && c != '\r' && c != '\t') out += c;
    return out;
}

struct Steps {
    std::vector<double> us;
    size_t elsewhere = 0, pieces = 0;
};

bool run(const weir::Tokenizer& tokenizer, std::string_view text, Steps& steps) {
    const auto scratch = tokenizer.scratch();
    std::vector<uint32_t> whole;
    if (!tokenizer.encode(text, {}, *scratch, whole)) return false;
    const auto fresh = tokenizer.scratch();
    weir::prepare::EncodeJob job(nullptr, tokenizer, text, {}, *fresh);
    for (size_t at = 0;; at++) {
        const size_t piece = job.next_bytes();
        const double start = cpu_us();
        auto done = job.step(slice);
        const double spent = cpu_us() - start;
        if (!done) return false;
        if (piece > pool) {
            steps.elsewhere = std::max(steps.elsewhere, piece);
        } else if (at >= steps.us.size()) {
            steps.us.push_back(spent);
        } else {
            steps.us[at] = std::min(steps.us[at], spent);
        }
        steps.pieces = at + 1;
        if (*done) break;
    }
    return *job.take() == whole;
}

}  // namespace

int main(int argc, char** argv) {
    if (argc < 3) return std::fprintf(stderr, "usage: steps_bench TOKENIZER CJK_TEXT [PASSES]\n"), 2;
    auto loaded = weir::load_tokenizer(argv[1]);
    if (!loaded) return std::fprintf(stderr, "%s\n", loaded.error()->message.c_str()), 1;
    std::ifstream in(argv[2], std::ios::binary);
    std::stringstream cjk;
    cjk << in.rdbuf();
    const std::pair<const char*, std::string> texts[] = {
        {"words", repeated("The quick brown fox jumps over the lazy dog, and so do all of its friends.\n")},
        {"one letter", repeated("a")},
        {"spaces", repeated(" ")},
        {"digits", repeated("1234567")},
        {"cjk", cjk.str()},
        {"cjk, no blanks", without_blanks(cjk.str())},
        {"cjk, no signs", repeated("\u6a21\u578b\u7684\u8bad\u7ec3\u6570\u636e\u4e0e\u63a8\u7406")},
        {"60 KB one letter", repeated("a", 60'000)},
        {"60 KB two letters", repeated("ab", 60'000)},
        {"60 KB spaces", repeated(" ", 60'000)},
        {"60 KB digits", repeated("1234567", 60'000)},
        {"60 KB cjk", repeated("\u6a21\u578b\u7684\u8bad\u7ec3\u6570\u636e\u4e0e\u63a8\u7406", 60'000)},
        {"60 KB words", repeated("The quick brown fox jumps over the lazy dog, and so do all of its friends.\n", 60'000)},
    };
    for (const auto& [name, text] : texts) {
        Steps steps;
        bool good = true;
        for (int pass = 0; pass < (argc > 3 ? std::atoi(argv[3]) : 5) && good; pass++) good = run(**loaded, text, steps);
        std::printf("%-18s %5zu steps, longest %8.0f us, elsewhere %7zu bytes%s\n", name, steps.pieces,
                    steps.us.empty() ? 0.0 : *std::max_element(steps.us.begin(), steps.us.end()), steps.elsewhere, good ? "" : "  IDS DIFFER");
    }
    return 0;
}
