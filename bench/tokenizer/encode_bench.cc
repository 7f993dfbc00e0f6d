// One measurement of weir's encoder: `encode_bench TOKENIZER TEXT [PASSES [fresh]]` prints JSON: the load, a cold pass over the text in documents of
// 100 KB (tables built, caches empty), the best warm pass, and a hash of the ids, in process CPU time. bench/tokenizer/run drives it.
// `fresh`: every pass with empty caches, for profiles of the cold way.
#include <time.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <sstream>

#include "tokenizer/load.h"

namespace {

double cpu_s() {
    timespec t{};
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return static_cast<double>(t.tv_sec) + static_cast<double>(t.tv_nsec) * 1e-9;
}

std::string file(const char* path) {
    std::ifstream in(path, std::ios::binary);
    std::stringstream out;
    out << in.rdbuf();
    return out.str();
}

std::vector<std::string_view> documents(std::string_view text) {
    std::vector<std::string_view> out;
    while (!text.empty()) {
        size_t size = std::min<size_t>(text.size(), 100'000);
        while (size < text.size() && (static_cast<uint8_t>(text[size]) & 0xC0) == 0x80) size--;
        out.push_back(text.substr(0, size));
        text.remove_prefix(size);
    }
    return out;
}

}  // namespace

int main(int argc, char** argv) {
    if (argc < 3) return std::fprintf(stderr, "usage: encode_bench TOKENIZER TEXT [PASSES]\n"), 2;
    const int passes = argc > 3 ? std::max(2, std::atoi(argv[3])) : 4;
    const double before = cpu_s();
    auto loaded = weir::load_tokenizer(argv[1]);
    if (!loaded) return std::fprintf(stderr, "%s\n", loaded.error()->message.c_str()), 1;
    const double load = cpu_s() - before;
    const weir::Tokenizer& tokenizer = **loaded;
    const std::string text = file(argv[2]);
    const auto docs = documents(text);
    auto scratch = tokenizer.scratch();
    const bool fresh = argc > 4;
    double cold = 0, warm = 1e9;
    uint64_t hash = 0, count = 0;
    std::vector<uint32_t> ids;
    for (int pass = 0; pass < passes; pass++) {
        double spent = 0;
        if (fresh) scratch = tokenizer.scratch();
        hash = 14695981039346656037u, count = 0;
        for (const std::string_view doc : docs) {
            ids.clear();
            const double start = cpu_s();
            if (auto done = tokenizer.encode(doc, {}, *scratch, ids); !done) return std::fprintf(stderr, "%s\n", done.error()->message.c_str()), 1;
            spent += cpu_s() - start;
            for (const uint32_t id : ids) hash = (hash ^ id) * 1099511628211u;
            count += ids.size();
        }
        if (pass == 0) cold = spent;
        else warm = std::min(warm, spent);
    }
    std::printf("{\"load_ms\": %.1f, \"memory\": %zu, \"cold\": %.2f, \"warm\": %.2f, \"tokens\": %llu, \"hash\": \"%016llx\"}\n", load * 1e3,
                tokenizer.memory_bytes(), static_cast<double>(text.size()) / cold / 1e6, static_cast<double>(text.size()) / warm / 1e6,
                static_cast<unsigned long long>(count), static_cast<unsigned long long>(hash));
    return 0;
}
