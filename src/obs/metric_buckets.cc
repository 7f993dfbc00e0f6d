#include "obs/metric_buckets.h"

#include "base/assert.h"

namespace weir {
namespace {

constexpr uint64_t us = 1'000, ms = 1'000'000, s = 1'000'000'000;

// Dynamo's frontend.
constexpr uint64_t request_s[] = {0, 2 * s, 4 * s, 8 * s, 16 * s, 32 * s, 64 * s, 130 * s, 260 * s, 510 * s};
constexpr uint64_t ttft_s[] = {0, 2200 * us, 4700 * us, 10 * ms, 22 * ms, 47 * ms, 100 * ms, 220 * ms, 470 * ms, 1 * s,
                               2200 * ms, 4700 * ms, 10 * s, 22 * s, 48 * s, 100 * s, 220 * s, 480 * s};
constexpr uint64_t itl_s[] = {0, 1800 * us, 3300 * us, 5900 * us, 11 * ms, 20 * ms, 35 * ms, 64 * ms, 120 * ms, 210 * ms,
                              380 * ms, 690 * ms, 1200 * ms, 2300 * ms, 4100 * ms, 7400 * ms, 13 * s, 24 * s, 44 * s, 80 * s};
constexpr uint64_t input_tokens[] = {0, 100, 210, 430, 870, 1'800, 3'600, 7'400, 15'000, 31'000, 63'000, 130'000};
constexpr uint64_t output_tokens[] = {0, 100, 210, 430, 880, 1'800, 3'700, 7'600, 16'000, 32'000};

// SMG.
constexpr uint64_t duration_s[] = {1 * ms, 5 * ms, 10 * ms, 25 * ms, 50 * ms, 100 * ms, 250 * ms, 500 * ms, 1 * s, 2500 * ms,
                                   5 * s, 10 * s, 15 * s, 30 * s, 45 * s, 60 * s, 90 * s, 120 * s, 180 * s, 240 * s,
                                   300 * s, 480 * s, 900 * s, 1200 * s, 1800 * s, 2700 * s, 3600 * s, 5400 * s, 7200 * s};
constexpr uint64_t backoff_s[] = {10 * ms, 25 * ms, 50 * ms, 100 * ms, 250 * ms, 500 * ms, 1 * s, 2500 * ms, 5 * s, 10 * s, 30 * s, 60 * s};

// Ours.
constexpr uint64_t overhead_s[] = {5 * us, 10 * us, 20 * us, 30 * us, 50 * us, 75 * us, 100 * us, 150 * us, 200 * us, 300 * us,
                                   500 * us, 1 * ms, 2 * ms, 5 * ms, 10 * ms, 50 * ms, 100 * ms, 1 * s};
constexpr uint64_t tick_s[] = {10 * us, 25 * us, 50 * us, 100 * us, 250 * us, 500 * us, 1 * ms, 2500 * us, 5 * ms, 10 * ms, 25 * ms, 100 * ms};

constexpr uint64_t place_s[] = {1 * us, 2 * us, 5 * us, 10 * us, 20 * us, 50 * us, 100 * us, 200 * us, 500 * us, 1 * ms, 5 * ms};

// Shares, kept in units of 1e-9 as times are.
constexpr uint64_t share[] = {0, 100 * ms, 200 * ms, 300 * ms, 400 * ms, 500 * ms, 600 * ms, 700 * ms, 800 * ms, 900 * ms, 1 * s};
constexpr uint64_t share20[] = {0, 50 * ms, 100 * ms, 150 * ms, 200 * ms, 250 * ms, 300 * ms, 350 * ms, 400 * ms, 450 * ms, 500 * ms,
                                550 * ms, 600 * ms, 650 * ms, 700 * ms, 750 * ms, 800 * ms, 850 * ms, 900 * ms, 950 * ms, 1 * s};

struct Named { std::string_view name; std::span<const uint64_t> bounds; };
constexpr Named bucket_list[] = {
    {"none", {}}, {"request_s", request_s}, {"ttft_s", ttft_s}, {"itl_s", itl_s}, {"input_tokens", input_tokens},
    {"output_tokens", output_tokens}, {"duration_s", duration_s}, {"backoff_s", backoff_s}, {"overhead_s", overhead_s}, {"tick_s", tick_s},
    {"place_s", place_s}, {"share", share}, {"share20", share20},
};

}  // namespace

std::span<const uint64_t> metric_buckets(std::string_view name) {
    for (const Named& row : bucket_list)
        if (row.name == name) return row.bounds;
    ASSERT(!"a bucket list that metric_buckets.cc does not have");
    return {};
}

}  // namespace weir
