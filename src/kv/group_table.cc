#include "kv/group_table.h"

#include <sys/random.h>

#include <new>

#include "base/assert.h"
#include "base/clock.h"

namespace weir::kv {
namespace {
constexpr uint32_t buckets_min = 256, grow_slice = 64, ahead_steps = 6, close_every = 64;
}

Digest::Digest() {
    if (getrandom(key_, sizeof key_, GRND_NONBLOCK) == static_cast<ssize_t>(sizeof key_)) return;
    for (uint64_t& key : key_) key = mix64(reinterpret_cast<uintptr_t>(&key) ^ system_clock().now());   // early at boot: rather that than wait
}

GroupTable::GroupTable(Region groups, Region places, uint32_t groups_max, Bytes& bytes, Epochs& epochs, HolderSets& sets)
    : memory_(std::move(groups)), place_memory_(std::move(places)), groups_(memory_.as<Group>()), places_(place_memory_.as<Places>()),
      bytes_(bytes), epochs_(epochs), sets_(sets), present_(make_buckets(buckets_min, 0)), groups_max_(groups_max) {
    bytes_.take(buckets_min * sizeof(uint32_t));
    buckets_.store(present_.get(), std::memory_order_release);
}

std::unique_ptr<GroupTable::Buckets> GroupTable::make_buckets(uint32_t n, uint32_t link) {
    auto* heads = new (std::nothrow) std::atomic<uint32_t>[n]();
    if (!heads) return nullptr;
    return std::unique_ptr<Buckets>(new Buckets{n - 1, link, std::unique_ptr<std::atomic<uint32_t>[]>(heads)});
}

uint32_t GroupTable::find_child(BlockId parent, uint64_t local) const {
    const Buckets* b = buckets_.load(std::memory_order_acquire);
    uint32_t g = b->heads[hash(parent, local) & b->mask].load(std::memory_order_acquire);
    while (g != 0) {
        const Group& group = groups_[g];
        if (group.first == local && group.parent.load(std::memory_order_relaxed) == parent) return g;
        g = group.chain[b->link].load(std::memory_order_acquire);
    }
    return 0;
}

void GroupTable::link(Buckets& b, uint32_t group) {
    Group& g = groups_[group];
    std::atomic<uint32_t>& head = b.heads[hash(g.parent.load(std::memory_order_relaxed), g.first) & b.mask];
    g.chain[b.link].store(head.load(std::memory_order_relaxed), std::memory_order_relaxed);
    head.store(group, std::memory_order_release);
}

void GroupTable::unlink(Buckets& b, uint32_t group) {
    Group& g = groups_[group];
    std::atomic<uint32_t>* at = &b.heads[hash(g.parent.load(std::memory_order_relaxed), g.first) & b.mask];
    for (uint32_t here; (here = at->load(std::memory_order_relaxed)) != group;) {
        ASSERT(here != 0);
        at = &groups_[here].chain[b.link];
    }
    at->store(g.chain[b.link].load(std::memory_order_relaxed), std::memory_order_release);   // g keeps its own: a reader may stand on it
}

uint32_t GroupTable::make(BlockId parent, uint64_t local, uint32_t age) {
    if (free_.empty() && (retired_groups_ != 0 && !can_grow())) {
        epochs_.close();
        reclaim();
    }
    uint32_t number;
    if (!free_.empty()) {
        number = free_.back();
        free_.pop_back();
    } else {
        if (!can_grow()) return 0;
        bytes_.take(group_bytes);
        number = high_++;
    }
    const uint32_t coming = free_.empty() ? high_ : free_.back();        // the one after: cold memory, needed 16 blocks from now
    if (coming < groups_max_) {
        prefetch_head(coming);
        prefetch_bytes(&places_[coming], sizeof(Places));
    }
    Group& g = groups_[number];
    g.parent.store(parent, std::memory_order_relaxed);
    g.next.store(0, std::memory_order_relaxed);
    g.ahead.store(0, std::memory_order_relaxed);
    g.age.store(age, std::memory_order_relaxed);
    g.kids = g.live = g.named = 0;
    g.in_use = 1;
    g.first = places_[number].local[0] = local;
    places_[number].set[0].store(0, std::memory_order_relaxed);
    g.uniform.store(no_set, std::memory_order_relaxed);
    g.count.store(1, std::memory_order_relaxed);
    g.depth = 0;
    link(*present_, number);
    if (coming_ && number < cursor_) link(*coming_, number);
    ++live_;
    if (parent != 0) {
        Group& above = of(parent);
        g.depth = above.depth + parent % group_blocks + 1;
        ++above.kids;
        if (parent % group_blocks == group_blocks - 1) above.next.store(number, std::memory_order_release);
        Group* far = &above;
        for (uint32_t i = 1; i < ahead_steps && far; ++i) {
            const BlockId up = far->parent.load(std::memory_order_relaxed);
            far = up ? &of(up) : nullptr;
        }
        if (far) far->ahead.store(number, std::memory_order_relaxed);
    }
    return number;
}

void GroupTable::drop_if_unused(uint32_t number) {
    while (number != 0) {
        Group& g = groups_[number];
        if (!g.in_use || g.live != 0 || g.kids != 0) return;
        unlink(*present_, number);
        if (coming_ && number < cursor_) unlink(*coming_, number);
        g.in_use = 0;
        --live_;
        const BlockId parent = g.parent.load(std::memory_order_relaxed);
        if (parent != 0) {
            Group& above = of(parent);
            --above.kids;
            if (above.next.load(std::memory_order_relaxed) == number) above.next.store(0, std::memory_order_relaxed);
        }
        retire(number, false);
        ++retired_groups_;
        number = parent / group_blocks;
    }
}

void GroupTable::retire(uint32_t id, bool is_set) {
    retired_.push_back({epochs_.now(), id, is_set});
    if (++retired_since_ < close_every) return;
    retired_since_ = 0;
    epochs_.close();
    reclaim();
}

void GroupTable::reclaim() {
    const uint64_t quiet = epochs_.quiet();
    while (!retired_.empty() && retired_.front().epoch < quiet) {
        const Retired r = retired_.front();
        retired_.pop_front();
        if (r.is_set) {
            sets_.reclaim(r.id);
        } else {
            free_.push_back(r.id);
            --retired_groups_;
        }
    }
    if (former_ && former_epoch_ < quiet) {
        bytes_.give((former_->mask + 1) * sizeof(uint32_t));
        former_.reset();
    }
}

void GroupTable::tend() {
    if (coming_) return grow_step();
    if (live_ <= present_->mask / 2) return;
    if (former_) {
        epochs_.close();
        reclaim();
        if (former_) return;
    }
    const uint32_t n = (present_->mask + 1) * 2;
    if (!bytes_.take(n * sizeof(uint32_t))) return;
    coming_ = make_buckets(n, present_->link ^ 1);
    if (!coming_) bytes_.give(n * sizeof(uint32_t));
    cursor_ = 1;
}

// Both arrays have their own chains, so a reader follows one of them from end to end while the other is being built.
void GroupTable::grow_step() {
    for (uint32_t i = 0; i < grow_slice && cursor_ < high_; ++i, ++cursor_)
        if (groups_[cursor_].in_use) link(*coming_, cursor_);
    if (cursor_ < high_) return;
    buckets_.store(coming_.get(), std::memory_order_release);
    former_ = std::move(present_);
    present_ = std::move(coming_);
    former_epoch_ = epochs_.now();
}

}  // namespace weir::kv
