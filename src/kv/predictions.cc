#include "kv/predictions.h"

#include <algorithm>
#include <utility>

#include "base/assert.h"

namespace weir::kv {
namespace {
constexpr uint32_t steps_per_ttl = 1'024, buckets = 2'048;
uint64_t key_of(Rank rank, uint32_t group) { return uint64_t{rank} << 32 | group; }
}  // namespace

Predictions::Predictions(KvIndex& index, PredictionSettings settings)
    : index_(index), settings_(settings), step_ns_(std::max<uint64_t>(1, settings.ttl_ms * ns_per_ms / steps_per_ttl)),
      buckets_(buckets, 0), entries_(1) {
    ASSERT(settings.ttl_ms > 0 && settings.prune_target_ratio > 0 && settings.prune_target_ratio <= 1);
}

void Predictions::predict(Rank rank, std::span<const uint64_t> local, Instant now) {
    if (start_ == 0) start_ = now;
    expire(now);
    // The index makes room by evicting; what it holds for us is touched group by group.
    const uint32_t until = step_of(now) + steps_per_ttl;
    struct Touched { uint32_t group, from, to; };
    std::vector<Touched> touched;
    touched.reserve(local.size() / group_blocks + 2);
    index_.hold_path(rank, local, [&](uint32_t group, uint32_t from, uint32_t to) { touched.push_back({group, from, to}); });
    for (const Touched& t : touched) touch(rank, t.group, t.from, t.to, until);
    if (blocks_ > settings_.blocks_max) prune();
}

void Predictions::touch(Rank rank, uint32_t group, uint32_t from, uint32_t to, uint32_t until) {
    uint32_t& number = by_key_[key_of(rank, group)];
    const bool is_new = number == 0;
    if (is_new) {
        if (free_ != 0) {
            number = free_;
            free_ = entries_[number].next;
        } else {
            number = static_cast<uint32_t>(entries_.size());
            entries_.emplace_back();
        }
        entries_[number] = {};
        entries_[number].key = key_of(rank, group);
    }
    Entry& e = entries_[number];
    for (uint32_t i = from; i <= to; ++i) {
        blocks_ += e.until[i] == 0;
        e.until[i] = until;
    }
    if (is_new) file(number);
}

// Into the bucket of its earliest end. An entry that was touched since is filed again when that comes.
void Predictions::file(uint32_t number) {
    Entry& e = entries_[number];
    uint32_t first = UINT32_MAX;
    for (uint32_t until : e.until) if (until != 0) first = std::min(first, until);
    uint32_t& head = buckets_[first % buckets];
    e.next = head;
    head = number;
}

void Predictions::drop_due(uint32_t number, uint32_t step, bool prune) {
    Entry& e = entries_[number];
    uint32_t places = 0, left = 0, n = 0;
    for (uint32_t i = 0; i < group_blocks; ++i) {
        if (e.until[i] == 0) continue;
        if (e.until[i] <= step) places |= 1u << i, e.until[i] = 0, ++n;
        else ++left;
    }
    if (places) index_.release_places(static_cast<Rank>(e.key >> 32), static_cast<uint32_t>(e.key), places);
    blocks_ -= n;
    (prune ? pruned_ : expired_) += n;
    if (left) return file(number);
    by_key_.erase(e.key);
    e.next = free_;
    free_ = number;
}

void Predictions::expire(Instant now) {
    if (start_ == 0) return;
    const uint32_t step = step_of(now);
    if (step - done_ > buckets) done_ = step - buckets;       // a long silence: every bucket once is enough
    while (done_ < step) {
        ++done_;
        uint32_t number = std::exchange(buckets_[done_ % buckets], 0);
        while (number != 0) {
            const uint32_t next = entries_[number].next;
            drop_due(number, step, false);
            number = next;
        }
    }
}

// The oldest first: those that would end first.
void Predictions::prune() {
    const auto target = static_cast<uint64_t>(static_cast<double>(settings_.blocks_max) * settings_.prune_target_ratio);
    for (uint32_t ahead = 1; ahead <= steps_per_ttl + 1 && blocks_ > target; ++ahead) {
        uint32_t number = std::exchange(buckets_[(done_ + ahead) % buckets], 0);
        while (number != 0) {
            const uint32_t next = entries_[number].next;
            if (blocks_ > target) drop_due(number, done_ + ahead, true);
            else file(number);
            number = next;
        }
    }
}

}  // namespace weir::kv
