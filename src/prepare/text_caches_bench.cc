// What a turn costs: a conversation of 40 turns and about 100 KB grows by 1 KB a turn; its whole text goes to ids each time.
//   text_caches_bench [TOKENIZER]      a tokenizer file or folder; without one a toy, which shows the caches alone
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <string>
#include <vector>

#include "prepare/text_caches.h"
#include "prepare/toy_tokenizer_test.h"
#include "tokenizer/load.h"

using namespace weir;

namespace {

constexpr const char* words[] = {"the ",   "gateway ", "that ",  "tokenizes ", "a ",  "conversation ", "has ", "seen ", "most ",    "of ",
                                 "it ",    "before, ", "so ",    "only ",      "the ", "last ",        "turn ", "costs ", "anything. ", "return x[i] + 1;\n"};

std::string prose(Random& random, size_t bytes) {
    std::string out;
    while (out.size() < bytes) out += words[random.below(std::size(words))];
    return out;
}

struct Dialogue {
    std::string open, close;
    std::string turn(Random& random, size_t bytes, const char* role) const { return open + role + "\n" + prose(random, bytes) + close + "\n"; }
};

double us_of(std::chrono::steady_clock::time_point from) {
    return std::chrono::duration<double, std::micro>(std::chrono::steady_clock::now() - from).count();
}

}  // namespace

int main(int argc, char** argv) {
    TokenizerRef tokenizer = std::make_shared<testing::ToyTokenizer>();
    Dialogue says{std::string(testing::ToyTokenizer::mark), std::string(testing::ToyTokenizer::mark)};
    if (argc > 1) {
        auto loaded = load_tokenizer(argv[1]);
        if (!loaded) return std::fprintf(stderr, "%s %s\n", loaded.error()->message.c_str(), loaded.error()->detail.c_str()), 1;
        tokenizer = *loaded;
        uint32_t id;
        for (Dialogue d : {Dialogue{"<|im_start|>", "<|im_end|>"}, Dialogue{"<|start_header_id|>", "<|eot_id|>"}, Dialogue{"<｜User｜>", "<｜end▁of▁sentence｜>"}})
            if (tokenizer->find(d.open, id) && tokenizer->find(d.close, id)) says = d;
    }
    auto scratch = tokenizer->scratch();
    std::vector<double> cold, warm;
    size_t text_bytes = 0, ids = 0;
    for (int conversation = 0; conversation < 8; conversation++) {
        prepare::TextCaches caches({0, 0, 256u << 20});
        Random random(static_cast<uint64_t>(conversation));
        std::string text;
        for (int turn = 0; turn < 40; turn++) text += says.turn(random, 2'500, turn % 2 ? "assistant" : "user");
        for (int turn = 0; turn < 40; turn++) {
            auto from = std::chrono::steady_clock::now();
            auto got = prepare::encode_text(&caches, *tokenizer, text, {}, *scratch);
            double us = us_of(from);
            if (!got) return std::fprintf(stderr, "%s\n", got.error()->message.c_str()), 1;
            (turn ? warm : cold).push_back(us);
            text_bytes = text.size();
            ids = (*got)->size();
            std::vector<uint32_t> plain;
            if (!tokenizer->encode(text, {}, *scratch, plain) || plain != **got) return std::fprintf(stderr, "other ids than without caches\n"), 1;
            text += says.turn(random, 1'000, turn % 2 ? "assistant" : "user");
        }
    }
    std::ranges::sort(cold);
    std::ranges::sort(warm);
    std::printf("%zu bytes, %zu ids at the end; first time %.0f us, a further turn %.1f us (median), %.1f us (p90)\n", text_bytes, ids, cold[cold.size() / 2],
                warm[warm.size() / 2], warm[warm.size() * 9 / 10]);
}
