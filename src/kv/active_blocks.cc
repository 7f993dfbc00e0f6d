#include "kv/active_blocks.h"

#include <algorithm>
#include <mutex>

#include "base/assert.h"
#include "base/clock.h"
#include "kv/rank_counts.h"

namespace weir::kv {
namespace {

constexpr size_t allocation_overhead = 16, buckets_first = 16;
using Lock = std::lock_guard<Spinlock>;

// How many of the first n agree.
uint32_t agree(const uint64_t* a, const uint64_t* b, uint32_t n) {
    uint32_t i = 0;
    for (; i + 8 <= n; i += 8) {
        uint64_t differ = 0;
        for (uint32_t j = i; j < i + 8; ++j) differ |= a[j] ^ b[j];
        if (differ) break;
    }
    while (i < n && a[i] == b[i]) ++i;
    return i;
}

}  // namespace

// The blocks behind those of its parent. Who ends here or passes here is counted; a node nobody passes does not exist.
struct ActiveBlocks::Node {
    Node* parent = nullptr;
    Node* chain = nullptr;                       // next in its bucket
    Shard* shard = nullptr;
    std::unique_ptr<uint64_t[]> local;
    uint32_t length = 0, kids = 0, passing = 0;
    uintptr_t kids_xor = 0;                      // of their addresses: with one kid left, it
    RankCounts ranks;
    size_t bytes() const { return sizeof(Node) + length * sizeof(uint64_t) + 2 * allocation_overhead + ranks.bytes(); }
};

struct alignas(64) ActiveBlocks::Shard {
    mutable Spinlock lock;
    std::unique_ptr<Node*[]> buckets{new Node*[buckets_first]()};
    size_t buckets_n = buckets_first, nodes = 0;

    Node*& bucket(const Node* parent, uint64_t first) const {
        return buckets[mix64(first ^ reinterpret_cast<uintptr_t>(parent) * 0x9E3779B97F4A7C15ull) & (buckets_n - 1)];
    }
    Node* find(const Node* parent, uint64_t first) const {
        Node* n = bucket(parent, first);
        while (n && (n->parent != parent || n->local[0] != first)) n = n->chain;
        return n;
    }
    void link(Node* n) {
        Node*& head = bucket(n->parent, n->local[0]);
        n->chain = std::exchange(head, n);
        if (n->parent) ++n->parent->kids, n->parent->kids_xor ^= reinterpret_cast<uintptr_t>(n);
    }
    bool full() const { return nodes >= buckets_n; }
    void grow() {
        auto old = std::move(buckets);
        const size_t n = std::exchange(buckets_n, buckets_n * 2);
        buckets.reset(new Node*[buckets_n]());
        for (size_t i = 0; i < n; ++i)
            for (Node* at = old[i]; at;) {
                Node* next = at->chain;
                Node*& head = bucket(at->parent, at->local[0]);
                at->chain = std::exchange(head, at);
                at = next;
            }
    }
};

// Where a sequence leaves what is known: `whole` is the last node it covers, `part` the next one, of which it covers `in_part` blocks.
struct ActiveBlocks::Walk { Node *whole = nullptr, *part = nullptr; uint32_t depth = 0, in_part = 0; };

Result<std::unique_ptr<ActiveBlocks>> ActiveBlocks::make(uint64_t bytes_max) {
    if (bytes_max < bytes_min) return Failure(Code::bad_field, "active blocks need at least " + std::to_string(bytes_min) + " bytes");
    return std::unique_ptr<ActiveBlocks>(new ActiveBlocks(bytes_max));
}

ActiveBlocks::ActiveBlocks(uint64_t bytes_max) : bytes_max_(bytes_max), shards_(new Shard[shards]) {
    charge(shards * static_cast<int64_t>(sizeof(Shard) + buckets_first * sizeof(Node*)));
}

ActiveBlocks::~ActiveBlocks() {
    for (uint32_t s = 0; s < shards; ++s)
        for (size_t b = 0; b < shards_[s].buckets_n; ++b)
            for (Node* n = shards_[s].buckets[b]; n;) delete std::exchange(n, n->chain);
}

ActiveBlocks::Shard& ActiveBlocks::shard_of(uint64_t first) const { return shards_[mix64(first) >> 60]; }

ActiveBlocks::Walk ActiveBlocks::walk(const Shard& shard, std::span<const uint64_t> local) const {
    Walk w;
    const auto n = static_cast<uint32_t>(local.size());
    while (w.depth < n) {
        Node* next = shard.find(w.whole, local[w.depth]);
        if (!next) break;
        const uint32_t same = agree(next->local.get(), local.data() + w.depth, std::min(next->length, n - w.depth));
        w.depth += same;
        if (same < next->length) {
            w.part = next;
            w.in_part = same;
            break;
        }
        w.whole = next;
    }
    return w;
}

// Bytes a hold may take at most.
uint64_t ActiveBlocks::cost(const Shard& shard, const Walk& w, Rank rank, size_t blocks) const {
    const size_t node = sizeof(Node) + 2 * allocation_overhead;
    uint64_t need = blocks - w.depth ? node + (blocks - w.depth) * sizeof(uint64_t) : 0;
    if (w.part) need += node + w.part->ranks.bytes_after_add(rank);
    if (shard.nodes + 2 >= shard.buckets_n) need += shard.buckets_n * sizeof(Node*);
    for (const Node* n = w.whole; n; n = n->parent) need += n->ranks.bytes_after_add(rank) - n->ranks.bytes();
    return need;
}

ActiveBlocks::Node* ActiveBlocks::make_node(Shard& shard, Node* parent, std::span<const uint64_t> local) {
    if (shard.full()) {
        charge(static_cast<int64_t>(shard.buckets_n * sizeof(Node*)));
        shard.grow();
    }
    auto* n = new Node;
    n->parent = parent;
    n->shard = &shard;
    n->length = static_cast<uint32_t>(local.size());
    n->local.reset(new uint64_t[local.size()]);
    std::copy(local.begin(), local.end(), n->local.get());
    ++shard.nodes;
    charge(static_cast<int64_t>(n->bytes()));
    shard.link(n);
    return n;
}

void ActiveBlocks::unlink(Shard& shard, Node* n) {
    Node** at = &shard.bucket(n->parent, n->local[0]);
    while (*at != n) at = &(*at)->chain;
    *at = n->chain;
    if (n->parent) --n->parent->kids, n->parent->kids_xor ^= reinterpret_cast<uintptr_t>(n);
}

void ActiveBlocks::remove(Shard& shard, Node* n) {
    unlink(shard, n);
    --shard.nodes;
    charge(-static_cast<int64_t>(n->bytes()));
    delete n;
}

// The lower part stays the node it was, since holds point at it; returns the new upper one, of `at` blocks.
ActiveBlocks::Node* ActiveBlocks::split(Shard& shard, Node* n, uint32_t at) {
    unlink(shard, n);
    Node* upper = make_node(shard, n->parent, {n->local.get(), at});
    const auto before = static_cast<int64_t>(upper->bytes());
    std::destroy_at(&upper->ranks);
    std::construct_at(&upper->ranks, n->ranks);
    upper->passing = n->passing;
    charge(static_cast<int64_t>(upper->bytes()) - before - static_cast<int64_t>(at * sizeof(uint64_t)));
    std::unique_ptr<uint64_t[]> rest(new uint64_t[n->length - at]);
    std::copy(n->local.get() + at, n->local.get() + n->length, rest.get());
    n->local = std::move(rest);
    n->length -= at;
    n->parent = upper;
    shard.link(n);
    return upper;
}

// A node where no sequence ends and that leads to one place only becomes part of that place.
void ActiveBlocks::join_only_kid(Shard& shard, Node* n) {
    if (n->kids != 1) return;
    Node* kid = reinterpret_cast<Node*>(n->kids_xor);
    if (kid->passing != n->passing) return;
    std::unique_ptr<uint64_t[]> both(new uint64_t[n->length + kid->length]);
    std::copy(n->local.get(), n->local.get() + n->length, both.get());
    std::copy(kid->local.get(), kid->local.get() + kid->length, both.get() + n->length);
    unlink(shard, kid);
    Node* parent = n->parent;
    charge(static_cast<int64_t>(n->length * sizeof(uint64_t)));
    kid->length += n->length;
    kid->local = std::move(both);
    remove(shard, n);
    kid->parent = parent;
    shard.link(kid);
}

uint32_t ActiveBlocks::count(Node* n, Rank rank) {
    const size_t before = n->ranks.bytes();
    const uint32_t now = n->ranks.add(rank);
    if (const size_t after = n->ranks.bytes(); after != before) charge(static_cast<int64_t>(after) - static_cast<int64_t>(before));
    return now == 1 ? n->length : 0;
}

uint32_t ActiveBlocks::discount(Node* n, Rank rank) {
    const size_t before = n->ranks.bytes();
    const uint32_t now = n->ranks.take(rank);
    if (const size_t after = n->ranks.bytes(); after != before) charge(static_cast<int64_t>(after) - static_cast<int64_t>(before));
    return now == 0 ? n->length : 0;
}

ActiveBlocks::Hold ActiveBlocks::hold(Rank rank, std::span<const uint64_t> local, uint32_t& fresh) {
    Hold hold;
    fresh = 0;
    if (local.empty()) return hold;
    Shard& shard = shard_of(local[0]);
    Lock lock(shard.lock);
    const Walk w = walk(shard, local);
    const uint64_t need = cost(shard, w, rank, local.size());
    if (bytes_.fetch_add(need, std::memory_order_relaxed) + need > bytes_max_) {
        bytes_.fetch_sub(need, std::memory_order_relaxed);
        refused_.fetch_add(1, std::memory_order_relaxed);
        fresh = static_cast<uint32_t>(local.size());
        return hold;
    }
    Node* end = w.part ? split(shard, w.part, w.in_part) : w.whole;
    if (w.depth < local.size()) end = make_node(shard, end, local.subspan(w.depth));
    for (Node* n = end; n; n = n->parent) {
        ++n->passing;
        fresh += count(n, rank);
    }
    bytes_.fetch_sub(need, std::memory_order_relaxed);       // what was really taken is charged by now
    hold.node_ = end;
    return hold;
}

uint32_t ActiveBlocks::release(Rank rank, Hold hold) {
    if (!hold) return 0;
    Node* end = hold.node_;
    Shard& shard = *end->shard;
    Lock lock(shard.lock);
    uint32_t left = 0;
    for (Node* n = end; n; n = n->parent) {
        --n->passing;
        left += discount(n, rank);
    }
    Node* n = end;
    while (n && n->passing == 0) remove(shard, std::exchange(n, n->parent));
    if (n) join_only_kid(shard, n);
    return left;
}

ActiveBlocks::Moved ActiveBlocks::move(Rank from, Rank to, Hold hold) {
    Moved moved{0, 0};
    if (!hold) return moved;
    Lock lock(hold.node_->shard->lock);
    for (Node* n = hold.node_; n; n = n->parent) {
        moved.left += discount(n, from);
        moved.fresh += count(n, to);
    }
    return moved;
}

uint32_t ActiveBlocks::alone(Rank rank, Hold hold) const {
    if (!hold) return 0;
    Lock lock(hold.node_->shard->lock);
    uint32_t blocks = 0;
    for (const Node* n = hold.node_; n && n->ranks.of(rank) == 1; n = n->parent) blocks += n->length;
    return blocks;
}

uint64_t ActiveBlocks::nodes() const {
    uint64_t n = 0;
    for (uint32_t s = 0; s < shards; ++s) {
        Lock lock(shards_[s].lock);
        n += shards_[s].nodes;
    }
    return n;
}

void ActiveBlocks::Lookup::add(const Node& node, uint32_t depth) {
    node.ranks.each([&](Rank rank, uint32_t) {
        if (rank >= out_of_.size()) out_of_.resize(rank + 1, 0);
        const uint32_t at = out_of_[rank];
        if (at < out_.size() && out_[at].rank == rank) {
            out_[at].blocks = depth;
        } else {
            out_of_[rank] = static_cast<uint32_t>(out_.size());
            out_.push_back({rank, depth});
        }
    });
}

// Ranks of a node are among those of the node above: one is looked at only where the next has fewer.
std::span<const ActiveBlocks::Match> ActiveBlocks::Lookup::match(std::span<const uint64_t> local) {
    out_.clear();
    if (local.empty()) return out_;
    const Shard& shard = blocks_.shard_of(local[0]);
    Lock lock(shard.lock);
    const auto n = static_cast<uint32_t>(local.size());
    const Node* above = nullptr;
    uint32_t depth = 0;
    while (depth < n) {
        const Node* next = shard.find(above, local[depth]);
        if (!next) break;
        if (above && next->ranks.size() < above->ranks.size()) add(*above, depth);
        const uint32_t same = agree(next->local.get(), local.data() + depth, std::min(next->length, n - depth));
        depth += same;
        above = next;
        if (same < next->length) break;
    }
    if (above) add(*above, depth);
    return out_;
}

}  // namespace weir::kv
