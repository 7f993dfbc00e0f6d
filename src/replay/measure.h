// What a run is measured by: percentiles of times, and how evenly load lies.
#pragma once
#include <array>
#include <cmath>
#include <cstdint>
#include <span>
#include <vector>

namespace weir::replay {

struct Percentiles { double p50 = 0, p90 = 0, p99 = 0; };

// Percentile of unsorted values: the smallest that at least `share` of them do not exceed. 0 without values. Reorders them.
double percentile(std::span<double> values, double share);
Percentiles percentiles(std::span<double> values);

// Counts of durations in buckets half a percent wide, for as many values as there are tokens. Bounded memory.
class Histogram {
public:
    void add(uint64_t ns, uint64_t times = 1);
    double ms(double share) const;                       // middle of the bucket; 0 without values
    Percentiles percentiles_ms() const { return {ms(0.5), ms(0.9), ms(0.99)}; }
    uint64_t count() const { return count_; }

private:
    static constexpr uint32_t sub = 128;                 // buckets an octave
    std::array<uint64_t, 64 * sub> buckets_{};
    uint64_t count_ = 0;
};

// Standard deviation over mean of values seen at one moment; 0 when all are 0.
double variation(std::span<const uint32_t> values);

}  // namespace weir::replay
