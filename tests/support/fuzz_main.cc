// Drives an LLVMFuzzerTestOneInput under gcc: runs the seed corpus, then mutations of it, keeping inputs that reach new code.
//   <fuzzer> [-seconds N] [-runs N] [-seed S] [-max_len N] [corpus directories and files...]
// Without a corpus argument it takes tests/fuzz/<name without _fuzz>. Ends with "N runs, 0 findings" and exit 0; a crash, a sanitizer
// report, a trap or a hang writes the input to ./finding-<name>-<hash> and exits 1. Given only files and -runs 0 it replays them.
// Coverage comes from -fsanitize-coverage=trace-pc, which cmake/weir.cmake sets for the *_fuzz.cc: those include the code under test.
#include <signal.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <memory>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size);

namespace {

constexpr size_t map_size = 1 << 16, corpus_max = 4'096, tokens_max = 2'000;
std::array<uint8_t, map_size> hits, reached;   // this run's counts; buckets seen in any run, one bit each
std::array<uint32_t, map_size> touched;
uint32_t touched_n = 0;
bool watching = false;

std::string name;                // of this fuzzer
const char* current = nullptr;   // the input being run
size_t current_size = 0;
uint64_t runs = 0;

}  // namespace

extern "C" {
__attribute__((no_sanitize_coverage)) void __sanitizer_cov_trace_pc() {
    if (!watching) return;
    const auto pc = reinterpret_cast<uintptr_t>(__builtin_return_address(0));
    const size_t slot = (pc ^ pc >> 16) & (map_size - 1);
    if (hits[slot] == 0) touched[touched_n++] = static_cast<uint32_t>(slot);
    if (hits[slot] < 255) ++hits[slot];
}
const char* __asan_default_options() { return "abort_on_error=1:allocator_may_return_null=1"; }
const char* __ubsan_default_options() { return "halt_on_error=1:abort_on_error=1:print_stacktrace=1"; }
}

namespace {

uint64_t hash(const char* data, size_t size) {
    uint64_t h = 14695981039346656037ull;
    for (size_t i = 0; i < size; ++i) h = (h ^ static_cast<unsigned char>(data[i])) * 1099511628211ull;
    return h;
}

void on_signal(int signal) {   // the process is lost anyway: plain stdio will do
    alarm(0);
    char path[300];
    std::snprintf(path, sizeof path, "finding-%s-%016llx", name.c_str(), static_cast<unsigned long long>(hash(current, current_size)));
    if (FILE* file = std::fopen(path, "wb")) {
        std::fwrite(current, 1, current_size, file);
        std::fclose(file);
    }
    std::fprintf(stderr, "%s: %s with %zu bytes of input; it is in %s, run the fuzzer with that file\n", name.c_str(),
                 signal == SIGALRM ? "no end" : strsignal(signal), current_size, path);
    std::printf("%s: %llu runs, 1 findings\n", name.c_str(), static_cast<unsigned long long>(runs));
    std::fflush(stdout);
    _exit(1);
}

bool run(const std::string& input) {   // true: reached something new
    // A block of its own, so that sanitizers see its end.
    const std::unique_ptr<char[]> exact(new char[input.size() + (input.empty() ? 1 : 0)]);
    std::copy(input.begin(), input.end(), exact.get());
    current = exact.get();
    current_size = input.size();
    touched_n = 0;
    watching = true;
    LLVMFuzzerTestOneInput(reinterpret_cast<const uint8_t*>(exact.get()), input.size());
    watching = false;
    ++runs;
    bool fresh = false;
    for (uint32_t i = 0; i < touched_n; ++i) {
        uint8_t& count = hits[touched[i]];
        const uint8_t bucket = count < 4 ? 1u << (count - 1) : count < 8 ? 8 : count < 32 ? 16 : count < 128 ? 32 : 64;
        fresh |= (reached[touched[i]] & bucket) == 0;
        reached[touched[i]] |= bucket;
        count = 0;
    }
    return fresh;
}

class Mutator {
public:
    Mutator(uint64_t seed, size_t len_max) : random_(seed), len_max_(len_max) {}

    // Words, numbers and line ends of the seeds become tokens to insert.
    void learn(std::string_view text) {
        const auto wordy = [](char c) { return std::isalnum(static_cast<unsigned char>(c)) || c == '-' || c == '_' || c == '/'; };
        for (size_t i = 0; i < text.size() && seen_.size() < tokens_max;) {
            size_t j = i;
            const bool word = wordy(text[i]);
            while (j < text.size() && j - i < 24 && wordy(text[j]) == word) ++j;
            if (std::string token(text.substr(i, j - i)); seen_.insert(token).second) tokens_.push_back(std::move(token));
            i = j;
        }
    }
    std::string make(const std::vector<std::string>& corpus) {
        std::string text = pick(corpus);
        for (uint64_t n = 1 + random_.below(6); n > 0; --n) change(text, corpus);
        if (text.size() > len_max_) text.resize(len_max_);
        return text;
    }
    uint64_t below(uint64_t n) { return random_.below(n); }

private:
    const std::string& pick(const std::vector<std::string>& corpus) { return corpus[random_.below(corpus.size())]; }
    std::string token() {
        static constexpr std::string_view fixed[] = {
            "\r\n", "\n", "\r", "\r\n\r\n", std::string_view("\0", 1), "\xff", " ", "\t", ":", ",", ";", "\"", "\\", "{", "}", "[", "]", "0", "-1",
            "18446744073709551616", "ffffffffffffffff", "\xed\xa0\x80", "\xef\xbb\xbf", "\\ud800"};
        if (tokens_.empty() || random_.below(3) == 0) return std::string(fixed[random_.below(std::size(fixed))]);
        return tokens_[random_.below(tokens_.size())];
    }
    char any_byte() { return static_cast<char>(random_.below(256)); }
    void change(std::string& text, const std::vector<std::string>& corpus) {
        const size_t at = random_.below(text.size() + 1);
        const size_t len = 1 + random_.below(1 + random_.below(64));   // substr and erase stop at the end by themselves
        const bool inside = at < text.size();
        const std::string& other = pick(corpus);
        const std::string word = token();
        switch (random_.below(9)) {
            case 0: if (inside) text[at] = static_cast<char>(text[at] ^ 1 << random_.below(8)); break;
            case 1: if (inside) text[at] = any_byte(); break;
            case 2: text.insert(at, 1, any_byte()); break;
            case 3: text.erase(at, len); break;
            case 4: text.insert(random_.below(text.size() + 1), text.substr(at, len)); break;
            case 5: text.insert(at, word); break;
            case 6: text.replace(at, word.size(), word); break;
            case 7: text = text.substr(0, at) + other.substr(random_.below(other.size() + 1)); break;
            default: text.insert(at, other, random_.below(other.size() + 1), len);
        }
    }

    weir::Random random_;
    size_t len_max_;
    std::vector<std::string> tokens_;
    std::set<std::string> seen_;
};

std::string slurp(const std::filesystem::path& path) {
    std::ifstream file(path, std::ios::binary);
    return {std::istreambuf_iterator<char>(file), {}};
}

struct Options {
    double seconds = 5;
    uint64_t runs_max = ~uint64_t{0}, seed = 1;
    size_t len_max = 8'192;
    std::vector<std::string> paths;
};

Options read_options(int argc, char** argv) {
    Options o;
    for (int i = 1; i < argc; ++i) {
        const std::string arg = argv[i];
        if (arg[0] != '-') {
            o.paths.push_back(arg);
        } else if (i + 1 < argc && (arg == "-seconds" || arg == "-runs" || arg == "-seed" || arg == "-max_len")) {
            const double value = std::atof(argv[++i]);
            if (arg == "-seconds") o.seconds = value;
            if (arg == "-runs") o.runs_max = static_cast<uint64_t>(value);
            if (arg == "-seed") o.seed = static_cast<uint64_t>(value);
            if (arg == "-max_len") o.len_max = static_cast<size_t>(value);
        } else {
            std::fprintf(stderr, "usage: %s [-seconds N] [-runs N] [-seed S] [-max_len N] [corpus...]\n", argv[0]);
            std::exit(2);
        }
    }
    return o;
}

std::vector<std::string> read_corpus(const Options& o) {
    std::vector<std::string> paths = o.paths, corpus;
    if (paths.empty()) paths.push_back(std::string(WEIR_SOURCE_DIR "/tests/fuzz/") + name.substr(0, name.rfind("_fuzz")));
    for (const std::string& path : paths) {
        if (std::filesystem::is_directory(path)) {
            std::vector<std::filesystem::path> files;
            for (const auto& entry : std::filesystem::recursive_directory_iterator(path))
                if (entry.is_regular_file()) files.push_back(entry.path());
            std::sort(files.begin(), files.end());   // the same order, so the same seed gives the same run
            for (const auto& file : files) corpus.push_back(slurp(file));
        } else if (std::filesystem::exists(path)) {
            corpus.push_back(slurp(path));
        } else if (!o.paths.empty()) {
            std::fprintf(stderr, "%s: no such file or directory: %s\n", name.c_str(), path.c_str());
            std::exit(2);
        }
    }
    return corpus;
}

}  // namespace

int main(int argc, char** argv) {
    name = std::filesystem::path(argv[0]).filename();
    const Options o = read_options(argc, argv);
    for (int signal : {SIGABRT, SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTRAP, SIGALRM}) ::signal(signal, on_signal);
    std::vector<std::string> corpus = read_corpus(o);
    const size_t seeds = corpus.size();
    corpus.emplace_back();
    Mutator mutator(o.seed, o.len_max);
    for (const std::string& text : corpus) {
        alarm(20);
        run(text);
        mutator.learn(text);
    }
    const auto until = std::chrono::steady_clock::now() + std::chrono::duration<double>(o.seconds);
    while (runs < o.runs_max) {
        if (runs % 256 == 0) {
            if (std::chrono::steady_clock::now() >= until) break;
            alarm(20);   // no 256 inputs take that long
        }
        std::string input = mutator.make(corpus);
        if (!run(input)) continue;
        if (corpus.size() < corpus_max) corpus.push_back(std::move(input));
        else corpus[seeds + 1 + mutator.below(corpus_max - seeds - 1)] = std::move(input);
    }
    alarm(0);
    const auto blocks = std::count_if(reached.begin(), reached.end(), [](uint8_t bits) { return bits != 0; });
    std::printf("%s: %llu runs, 0 findings (%zu seeds, %zu inputs kept, %ld code blocks reached)\n", name.c_str(),
                static_cast<unsigned long long>(runs), seeds, corpus.size() - seeds - 1, static_cast<long>(blocks));
    return 0;
}
