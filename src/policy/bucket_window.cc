#include "policy/bucket_window.h"

#include <algorithm>
#include <mutex>

namespace weir {

void BucketWindow::add(const RankRef& rank, uint64_t size, Instant now) {
    std::lock_guard hold(lock_);
    while (!requests_.empty() && (requests_.size() >= requests_max || (now > requests_.front().at && now - requests_.front().at > period_ns_))) leave();
    requests_.push_back({now, size, rank.number});
    sum_ += size;
    sizes_at_.at(rank.number).fetch_add(size, std::memory_order_relaxed);
}

void BucketWindow::leave() {
    Request& oldest = requests_.front();
    sum_ -= oldest.size;
    sizes_at_.at(oldest.rank).fetch_sub(oldest.size, std::memory_order_relaxed);
    requests_.pop_front();
}

std::shared_ptr<const BucketWindow::Bounds> BucketWindow::bounds(size_t buckets, Instant now) {
    std::vector<uint64_t> sizes;
    uint64_t each = 0;
    {
        std::lock_guard hold(lock_);
        if (!bounds_ || bounds_->size() != buckets) {
            Bounds even;
            for (size_t i = 1; i <= buckets; i++) even.push_back(i == buckets ? UINT64_MAX : std::max<uint64_t>(i, size_first / buckets * i) - 1);
            bounds_ = std::make_shared<const Bounds>(std::move(even));
            if (!looked_) looked_ = now;
            each_ = 0;
        }
        if (now < looked_ + period_ns_) return bounds_;
        looked_ = now;                           // the others use the old bounds meanwhile
        each = sum_ / buckets;
        if (requests_.empty() || (each_ && each <= 2 * each_ && each_ <= 2 * each)) return bounds_;
        for (auto& request : requests_) sizes.push_back(request.size);
    }
    auto made = std::make_shared<const Bounds>(share_out(std::move(sizes), buckets, each));
    std::lock_guard hold(lock_);
    each_ = each;
    return bounds_ = made;
}

// Ascending sizes are dealt until a bucket has its share; the size that fills it is its bound.
BucketWindow::Bounds BucketWindow::share_out(std::vector<uint64_t> sizes, size_t buckets, uint64_t each) {
    std::sort(sizes.begin(), sizes.end());
    Bounds bounds;
    uint64_t low = 0;
    size_t next = 0;
    while (bounds.size() + 1 < buckets) {
        uint64_t dealt = 0, high = low + each;
        while (next < sizes.size()) {
            uint64_t size = sizes[next++];
            dealt += size;
            if (dealt < each) continue;
            if (size > low) high = size;
            break;
        }
        bounds.push_back(high);
        low = high + 1;
    }
    bounds.push_back(UINT64_MAX);
    return bounds;
}

}  // namespace weir
