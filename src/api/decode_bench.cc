// What a request body costs on the forward path: light decoding of about 30 KB, many messages; and full decoding beside it.
//   g++ -O2 -std=c++20 -Isrc src/api/decode_bench.cc <api, wire, types, base objects>
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <vector>

#include "api/decode.h"
#include "api/test_calls.h"

using namespace weir;

template <class F>
static double best_us(F run) {
    double best = 1e9;
    for (int round = 0; round < 30; ++round) {
        auto from = std::chrono::steady_clock::now();
        for (int i = 0; i < 100; ++i) run();
        best = std::min(best, std::chrono::duration<double, std::micro>(std::chrono::steady_clock::now() - from).count() / 100);
    }
    return best;
}

int main() {
    for (int messages : {1, 20, 200}) {
        std::string body = R"({"model":"m","stream":true,"temperature":0.7,"max_tokens":100,"messages":[)";
        size_t each = 30'000 / static_cast<size_t>(messages);
        for (int i = 0; i < messages; ++i) {
            std::string text;
            while (text.size() < each) text += "Lorem ipsum dolor sit amet, consectetur\\n";
            body += std::string(i ? "," : "") + R"({"role":")" + (i % 2 ? "assistant" : "user") + R"(","content":")" + text + "\"}";
        }
        body += "]}";
        for (Dialect d : {Dialect::frontend, Dialect::launch}) {
            api::Options o = api::testing::options_of(d);
            Arena arena;
            auto once = [&](bool full) {
                arena.reset();
                Call call;
                call.api = Api::chat;
                call.doc.body = body;
                if (!api::decode_light(o, "application/json", call, arena)) abort();
                if (full && !api::decode_full(o, call, arena)) abort();
            };
            double light = best_us([&] { once(false); }), full = best_us([&] { once(true); });
            std::printf("%zu bytes, %3d messages, %-8s light %5.1f us, light and full %5.1f us\n", body.size(), messages, d == Dialect::frontend ? "frontend" : "launch", light, full);
        }
    }
}
