#include "policy/ring.h"

#include <algorithm>
#include <cstring>
#include <mutex>
#include <unordered_map>

#include "base/assert.h"
#include "wire/blake3.h"

namespace weir {

uint64_t ring_position(std::string_view key) {
    Blake3 hash;
    hash.update(key);
    auto digest = hash.digest();
    uint64_t position;
    static_assert(std::endian::native == std::endian::little);
    std::memcpy(&position, digest.data(), sizeof position);
    return position;
}

Ring::Ring(const Slate& slate, const Ring* old) : version_(slate.fleet_version) {
    constexpr uint32_t gone = UINT32_MAX;
    std::unordered_map<std::string_view, uint32_t> known;
    if (old)
        for (uint32_t i = 0; i < old->names_.size(); i++) known.emplace(old->names_[i], i);
    std::vector<uint32_t> moved(known.size(), gone);   // old rank -> new
    std::vector<Point> fresh;
    for (uint32_t i = 0; i < slate.ranks.size(); i++) {
        auto& worker = *slate.ranks[i].worker;
        std::string name(worker.url);
        if (worker.ranks > 1) name += "@" + std::to_string(slate.ranks[i].rank);
        if (auto was = known.find(name); was != known.end() && moved[was->second] == gone)
            moved[was->second] = i;
        else
            for (uint32_t k = 0; k < points_per_rank; k++) fresh.push_back({ring_position(name + "#" + std::to_string(k)), i});
        names_.push_back(std::move(name));
    }
    std::sort(fresh.begin(), fresh.end());
    std::vector<Point> kept;
    if (old)
        for (auto& point : old->points_)
            if (moved[point.rank] != gone) kept.push_back({point.at, moved[point.rank]});
    points_.resize(fresh.size() + kept.size());
    std::merge(fresh.begin(), fresh.end(), kept.begin(), kept.end(), points_.begin());
}

uint32_t Ring::find(uint64_t position, const Slate& slate) const {
    size_t start = static_cast<size_t>(std::lower_bound(points_.begin(), points_.end(), Point{position, 0}) - points_.begin());
    for (size_t k = 0; k < points_.size(); k++) {
        uint32_t rank = points_[start + k < points_.size() ? start + k : start + k - points_.size()].rank;
        if (slate.may(rank)) return rank;
    }
    ASSERT(!"no eligible rank on the ring");
}

std::shared_ptr<const Ring> Rings::of(const Slate& slate) {
    std::shared_ptr<const Ring> base;
    {
        std::lock_guard hold(lock_);
        if (newest_ && newest_->version() == slate.fleet_version) return newest_;
        if (other_ && other_->version() == slate.fleet_version) return other_;
        base = newest_;
    }
    auto made = std::make_shared<const Ring>(slate, base.get());
    std::shared_ptr<const Ring> dropped;         // freed outside the lock
    std::lock_guard hold(lock_);
    if (newest_ && newest_->version() == made->version()) return newest_;
    bool newer = !newest_ || made->version() > newest_->version();
    dropped = std::move(other_);
    other_ = newer ? std::move(newest_) : made;
    if (newer) newest_ = made;
    return made;
}

}  // namespace weir
