// Cost of the model per token, per prompt and per reading of a text, by hand:
//   g++ -O2 -std=c++20 -Isrc src/sim/engine_model_bench.cc src/sim/{engine_model,block_pool,block_hash,text}.cc \
//       src/base/{assert,clock,result}.cc && ./a.out
#include <cstdio>
#include <ctime>
#include <numeric>

#include "sim/engine_model.h"
#include "sim/text.h"

namespace {

struct Count final : weir::sim::EngineSink {
    uint64_t tokens = 0;
    void on_token(const weir::sim::TokenEvent&) override { ++tokens; }
};

double seconds_of(auto run) {
    const std::clock_t t0 = std::clock();   // of this process: the machine is shared
    run();
    return static_cast<double>(std::clock() - t0) / CLOCKS_PER_SEC;
}

// `requests` at one a millisecond, each with a prompt of its own behind a shared beginning.
void serve(const char* what, uint64_t requests, uint32_t prompt, uint32_t answer) {
    weir::sim::EngineParams p;
    p.block_size = 16;
    p.num_blocks = 65'536;
    weir::sim::EngineModel engine(p);
    Count count;
    const double s = seconds_of([&] {
        for (uint64_t i = 0; i < requests; ++i) {
            weir::sim::RequestSpec r;
            r.id = i, r.seed = i, r.max_tokens = answer;
            r.tokens.resize(prompt);
            std::iota(r.tokens.begin(), r.tokens.end(), 0u);
            r.tokens[prompt / 2] = static_cast<uint32_t>(~i);
            (void)engine.submit(std::move(r), i * weir::ns_per_ms);
            engine.advance(i * weir::ns_per_ms, count);
        }
        while (engine.next_event_time() != weir::sim::never) engine.advance(engine.next_event_time(), count);
    });
    std::printf("  %-36s %7.1f ns a token, %8.1f us a request, %llu steps\n", what, s * 1e9 / static_cast<double>(count.tokens),
                s * 1e6 / static_cast<double>(requests), static_cast<unsigned long long>(engine.totals().steps));
}

}  // namespace

int main() {
    serve("20,000 x (64 in, 500 out)", 20'000, 64, 500);
    serve("5,000 x (8,192 in, 100 out)", 5'000, 8'192, 100);
    const std::string text = weir::sim::words(1, 200'000);
    std::vector<uint32_t> tokens;
    weir::sim::append_tokens(text, tokens);
    const double s = seconds_of([&] {
        for (int i = 0; i < 20; ++i) tokens.clear(), weir::sim::append_tokens(text, tokens);
    }) / 20;
    std::printf("  %-36s %7.2f ns a byte\n", "pseudo-tokens", s * 1e9 / static_cast<double>(text.size()));
}
