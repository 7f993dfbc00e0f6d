// What a token of a stream costs: detokenized, and checked against stop strings. A tokenizer file and a text to make ids of:
//   detokenize <tokenizer file or folder> <text file> [passes]
// Prints nanoseconds of CPU a token, the best of the passes, one line a measurement.
#include <time.h>

#include <algorithm>
#include <cstdio>
#include <fstream>
#include <iterator>

#include "tokenizer/load.h"
#include "tokenizer/stops.h"

namespace {

using namespace weir;

// CPU time: other programs' turns do not count.
double now_ns() {
    timespec t{};
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return static_cast<double>(t.tv_sec) * 1e9 + static_cast<double>(t.tv_nsec);
}

template <class F>
double best_ns(int passes, size_t tokens, F&& pass) {
    double best = 1e18;
    for (int i = 0; i < passes; ++i) {
        const double from = now_ns();
        pass();
        best = std::min(best, (now_ns() - from) / static_cast<double>(tokens));
    }
    return best;
}

}  // namespace

int main(int argc, char** argv) {
    if (argc < 3) {
        std::fprintf(stderr, "usage: detokenize <tokenizer> <text file> [passes]\n");
        return 2;
    }
    const auto tokenizer = load_tokenizer(argv[1]);
    if (!tokenizer) {
        std::fprintf(stderr, "%s\n", tokenizer.error()->message.c_str());
        return 1;
    }
    std::ifstream in(argv[2], std::ios::binary);
    const std::string text{std::istreambuf_iterator<char>(in), {}};
    const int passes = argc > 3 ? std::atoi(argv[3]) : 15;
    std::vector<uint32_t> ids;
    const auto scratch = (*tokenizer)->scratch();
    if (const auto done = (*tokenizer)->encode(text, {}, *scratch, ids); !done || ids.empty()) {
        std::fprintf(stderr, "%s has no tokens\n", argv[2]);
        return 1;
    }
    const auto stops = tok::StopSet::make({.strings = {"\n\nUser:", "<|im_end|>", "Observation:", "</answer>"}, .eos_ids = {(*tokenizer)->vocab_size()}});
    size_t bytes = 0;
    std::string out, part;
    // A stream's buffer is written out now and then, as by the encoders.
    const auto drain = [&] {
        if (out.size() > 16'384) bytes += out.size(), out.clear();
    };
    const double plain = best_ns(passes, ids.size(), [&] {
        const auto stream = (*tokenizer)->detokenizer(true);
        for (const uint32_t id : ids) stream->feed(id, out), drain();
        stream->flush(out);
    });
    bool stopped = false;
    const double checked = best_ns(passes, ids.size(), [&] {
        const auto stream = (*tokenizer)->detokenizer(true);
        tok::StopState state(**stops);
        for (const uint32_t id : ids) tok::feed_token(id, *stream, state, part, out), drain();
        stopped = state.stopped() != tok::Stopped::no;
    });
    const double whole = best_ns(passes, ids.size(), [&] { bytes += (*tokenizer)->decode(ids, true).size(); });
    if (stopped) std::printf("the text has a stop string: its figure is too low\n");
    std::printf("tokens %zu  stream %.1f ns/token  with 4 stop strings %.1f ns/token  full decode %.1f ns/token  (%zu bytes)\n", ids.size(), plain,
                checked, whole, bytes);
    return 0;
}
