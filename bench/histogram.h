// Log-linear histogram of tenths of microseconds, about 1.5 % wide buckets.
#pragma once
#include <algorithm>
#include <bit>
#include <cstdint>
#include <vector>

namespace weir::bench {

class Histogram {
public:
    void add_ns(int64_t ns) {
        auto v = static_cast<uint64_t>(std::max<int64_t>(ns, 0)) / 100;
        ++buckets_[std::min(bucket(v), buckets_.size() - 1)];
        ++count_;
    }
    // Microseconds below which the share `p` of all values lies; 0 without values.
    double quantile_us(double p) const {
        auto rank = static_cast<uint64_t>(p * static_cast<double>(count_));
        uint64_t seen = 0;
        for (size_t i = 0; i < buckets_.size(); ++i)
            if ((seen += buckets_[i]) > rank) return static_cast<double>(lowest(i)) / 10;
        return 0;
    }
    uint64_t count() const { return count_; }

private:
    static size_t bucket(uint64_t v) {
        if (v < 64) return v;
        unsigned e = static_cast<unsigned>(std::bit_width(v)) - 1;
        return (e - 5) * 64u + ((v >> (e - 6)) & 63);
    }
    static uint64_t lowest(size_t i) { return i < 64 ? i : (64 + (i & 63)) << (i / 64 - 1); }
    std::vector<uint32_t> buckets_ = std::vector<uint32_t>(40 * 64);
    uint64_t count_ = 0;
};

}  // namespace weir::bench
