// scan_top against simdjson on-demand for the light decode of a chat request, by hand:
//   g++ -O2 -std=c++20 -Isrc src/wire/json_top_bench.cc src/wire/json_top.cc src/wire/utf8.cc src/base/result.cc -lsimdjson && ./a.out
#include <simdjson.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <string>
#include <vector>

#include "base/limits.h"
#include "wire/json_top.h"

namespace {

size_t sink = 0;

template <class F>
void measure(const char* what, size_t bytes, F run) {   // best of several rounds: the machine is shared
    double best = 1e18;
    for (int rep = 0; rep < 15; ++rep) {
        const int n = 200;
        const auto t0 = std::chrono::steady_clock::now();
        for (int i = 0; i < n; ++i) run();
        best = std::min(best, std::chrono::duration<double, std::nano>(std::chrono::steady_clock::now() - t0).count() / n);
    }
    std::printf("  %-44s %8.0f ns  %6.2f GB/s\n", what, best, static_cast<double>(bytes) / best);
}

std::string chat(size_t turns, std::initializer_list<const char*> words) {
    std::string body = R"({"model":"meta-llama/Llama-3.1-8B-Instruct","messages":[)";
    size_t k = 0;
    for (size_t i = 0; i < turns; ++i) {
        body += std::string(i ? "," : "") + R"({"role":")" + (i % 2 ? "assistant" : "user") + R"(","content":")";
        for (const size_t start = body.size(); body.size() - start < 1'900;) body += words.begin()[(k += 7) % words.size()];
        body += "\"}";
    }
    return body + R"(],"temperature":0.7,"top_p":0.95,"max_tokens":512,"stream":true,"stream_options":{"include_usage":true},"user":"u-1"})";
}

void compare(const char* name, const std::string& body) {
    std::printf("%s, %zu bytes\n", name, body.size());
    std::vector<weir::Member> out(weir::limits::json_members_max);
    measure("scan_top (all of it checked)", body.size(), [&] { sink += weir::scan_top(body, out)->members; });
    simdjson::padded_string padded(body);
    simdjson::ondemand::parser parser;
    measure("simdjson: top members, values skipped", body.size(), [&] {
        auto doc = parser.iterate(padded);
        for (auto field : doc.get_object()) {
            const std::string_view key = field.unescaped_key();
            const std::string_view raw = field.value().raw_json_token();
            sink += key.size() + raw.size();
        }
    });
    measure("simdjson: model and stream only", body.size(), [&] {
        auto doc = parser.iterate(padded);
        std::string_view model;
        bool stream = false;
        if (!doc["model"].get(model)) sink += model.size();
        if (!doc["stream"].get(stream)) sink += stream;
    });
    measure("simdjson: copy to a padded buffer first", body.size(), [&] {
        simdjson::padded_string copy(body);
        auto doc = parser.iterate(copy);
        std::string_view model;
        if (!doc["model"].get(model)) sink += model.size();
    });
}

}  // namespace

int main() {
    std::printf("simdjson: %s\n", simdjson::get_active_implementation()->name().c_str());
    compare("short chat", R"({"model":"m","messages":[{"role":"user","content":"Say hello."}],"stream":true})");
    compare("chat, plain text", chat(16, {"the ", "model ", "answers ", "quickly, ", "routing ", "tokens ", "prefix ", "worker "}));
    compare("chat, escapes and some non-ASCII", chat(16, {"the ", "model ", "answers \\\"quoted\\\" ", "quickly\\n", "na\xc3\xafve ", "tokens ", "\xe4\xb8\xad\xe6\x96\x87 ", "gateway "}));
    compare("chat, Chinese", chat(16, {"\xe4\xb8\xad\xe6\x96\x87", "\xe4\xbd\xa0\xe5\xa5\xbd", "\xef\xbc\x8c"}));
    return sink == 0;
}
