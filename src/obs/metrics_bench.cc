// Cost of one request's metrics and access record, by hand:
// g++ -O2 -std=c++20 -Isrc src/obs/{metrics_bench,metrics,metric_buckets,metrics_render,request_metrics,error_types,escape,access_log,log*,progress}.cc
//     src/base/{clock,assert,result}.cc && ./a.out
#include <chrono>
#include <cstdio>
#include <string>

#include "obs/access_log.h"
#include "obs/log.h"
#include "obs/request_metrics.h"

namespace {

template <class F>
void measure(const char* what, int rounds, F&& f) {
    for (int rep = 0; rep < 3; ++rep) {
        const auto t0 = std::chrono::steady_clock::now();
        for (int i = 0; i < rounds; ++i) f(i);
        const double ns = std::chrono::duration<double, std::nano>(std::chrono::steady_clock::now() - t0).count() / rounds;
        std::printf("%-28s %7.1f ns\n", what, ns);
    }
}

}  // namespace

int main() {
    using namespace weir;
    Metrics metrics(2);
    RequestMetrics requests(metrics, 0);
    CoreMetrics& core = metrics.core(0);
    const Series count = metrics.series(Metric::core_stalls, {}), time = metrics.series(Metric::request_seconds, {"m"});
    measure("add", 10'000'000, [&](int) { core.add(count); });
    measure("observe, 10 buckets", 10'000'000, [&](int i) { core.observe(time, static_cast<uint64_t>(i) * 4'096); });

    const std::string model = "meta-llama/Llama-3.1-8B-Instruct";
    Outcome outcome;
    outcome.status = 200;
    outcome.prompt_tokens = 120;
    outcome.out_tokens = 64;
    measure("a whole request", 1'000'000, [&](int i) {
        const Instant now = static_cast<uint64_t>(i) * 1'000'000;
        auto* http = requests.http_begin("POST", "/v1/chat/completions");
        auto mark = requests.begin(Api::chat, model, ModelIs::served, true, now);
        requests.picked(mark, "round_robin");
        requests.sent(mark, static_cast<uint64_t>(i % 3), "http://10.0.0.1:8000");
        requests.upstream_answer(200);
        requests.first_byte(mark, now + 30'000'000);
        requests.end(mark, outcome, now + 900'000'000);
        requests.overhead("forward", 40'000);
        requests.http_end(http, 200, "", 900'000'000);
    });
    auto mark = requests.begin(Api::chat, model, ModelIs::served, true, 1);
    requests.first_byte(mark, 2);
    measure("one token", 10'000'000, [&](int i) { requests.tokens(mark, 1, static_cast<uint64_t>(i) * 10'000); });

    LogOptions options;
    options.dir = "/tmp";
    if (!log_start(options)) return 1;
    {
        AccessLog access(1, false);
        double ns = 0;
        for (int batch = 0; batch < 200; ++batch) {
            const auto t0 = std::chrono::steady_clock::now();
            for (int i = 0; i < 1'000; ++i) {
                AccessRecord r;
                r.total_us = static_cast<uint64_t>(i);
                r.method = "POST";
                r.route = "/v1/chat/completions";
                r.request_id = "chatcmpl-0b9f6a3c-2f0a-4f43-9a40-3a9b0a6f6f11";
                r.model = model;
                r.worker = "10.0.0.1:8000";
                r.client = "127.0.0.1:53412";
                access.push(0, r);
            }
            ns += std::chrono::duration<double, std::nano>(std::chrono::steady_clock::now() - t0).count();
            log_flush();
        }
        std::printf("%-28s %7.1f ns\n", "access record", ns / 200'000);
        std::printf("dropped %llu\n", static_cast<unsigned long long>(access.dropped()));
    }
    std::string page;
    measure("render", 200, [&](int) {
        page.clear();
        metrics.render(page);
    });
    std::printf("page of %zu bytes\n", page.size());
    log_stop();
}
