// Request sizes of the last seconds, by rank, and the bounds that share them out: the state of the `bucket` policy. All cores.
#pragma once
#include <deque>
#include <memory>
#include <vector>

#include "base/spinlock.h"
#include "policy/per_rank.h"
#include "types/worker.h"

namespace weir {

class BucketWindow {
public:
    static constexpr size_t requests_max = 4'096;    // remembered; beyond, the oldest leave before their time
    static constexpr uint64_t size_first = 4'096;    // the first bounds divide this evenly
    using Bounds = std::vector<uint64_t>;            // the largest size of each bucket, ascending; the last has none

    explicit BucketWindow(uint64_t period_ms) : period_ns_(period_ms * ns_per_ms) {}
    void add(const RankRef& rank, uint64_t size, Instant now);
    uint64_t sizes(const RankRef& rank) const { return sizes_at_.read(rank.number); }
    // Bounds of so many buckets; worked out anew once in a period, if the sum of sizes has more than doubled or halved since.
    std::shared_ptr<const Bounds> bounds(size_t buckets, Instant now);

private:
    struct Request { Instant at; uint64_t size; uint32_t rank; };
    void leave();
    static Bounds share_out(std::vector<uint64_t> sizes, size_t buckets, uint64_t each);

    uint64_t period_ns_;
    PerRank<uint64_t> sizes_at_;
    Spinlock lock_;
    std::deque<Request> requests_;
    uint64_t sum_ = 0, each_ = 0;                // each: size of a bucket when the bounds were made
    Instant looked_ = 0;
    std::shared_ptr<const Bounds> bounds_;
};

}  // namespace weir
