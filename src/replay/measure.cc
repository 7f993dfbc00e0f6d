#include "replay/measure.h"

#include <algorithm>
#include <bit>

namespace weir::replay {

double percentile(std::span<double> values, double share) {
    if (values.empty()) return 0;
    const auto n = static_cast<double>(values.size());
    const auto place = static_cast<size_t>(std::clamp(std::ceil(share * n) - 1, 0.0, n - 1));
    std::nth_element(values.begin(), values.begin() + static_cast<ptrdiff_t>(place), values.end());
    return values[place];
}

Percentiles percentiles(std::span<double> values) {
    return {percentile(values, 0.5), percentile(values, 0.9), percentile(values, 0.99)};
}

void Histogram::add(uint64_t ns, uint64_t times) {
    const uint32_t octave = ns ? static_cast<uint32_t>(std::bit_width(ns) - 1) : 0;
    const uint64_t within = octave >= 7 ? ns >> (octave - 7) : ns << (7 - octave);   // 128..255; of 0: 0
    buckets_[octave * sub + (within & (sub - 1))] += times;
    count_ += times;
}

double Histogram::ms(double share) const {
    if (count_ == 0) return 0;
    const auto wanted = static_cast<uint64_t>(std::max(1.0, std::ceil(share * static_cast<double>(count_))));
    uint64_t seen = 0;
    for (size_t i = 0; i < buckets_.size(); ++i) {
        seen += buckets_[i];
        if (seen >= wanted) return std::ldexp(1 + (static_cast<double>(i % sub) + 0.5) / sub, static_cast<int>(i / sub)) / 1e6;
    }
    return 0;
}

double variation(std::span<const uint32_t> values) {
    double sum = 0, squares = 0;
    for (const uint32_t v : values) sum += v, squares += static_cast<double>(v) * v;
    if (sum == 0) return 0;
    const double n = static_cast<double>(values.size()), mean = sum / n;
    return std::sqrt(std::max(0.0, squares / n - mean * mean)) / mean;
}

}  // namespace weir::replay
