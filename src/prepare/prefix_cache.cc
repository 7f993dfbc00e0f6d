#include "prepare/prefix_cache.h"

#include <algorithm>

#include "base/assert.h"

namespace weir::prepare {
namespace {

constexpr uint64_t node_overhead = 256, key_overhead = 96;   // heads and map nodes
constexpr unsigned evictions_per_insert = 4'096;

}  // namespace

PrefixCache::NodeRef PrefixCache::at(const TextKey& key) {
    Shard& s = shard(key);
    std::lock_guard lock(s.mutex);
    auto at = s.nodes.find(key);
    return at == s.nodes.end() ? nullptr : at->second;
}

void PrefixCache::touch(const Node& node) {
    uint64_t now = tick_.fetch_add(1, std::memory_order_relaxed);
    for (const Node* at = &node; at; at = at->parent.get()) at->used.store(now, std::memory_order_relaxed);
}

PrefixCache::Hit PrefixCache::find(std::span<const TextKey> keys) {
    for (size_t n = keys.size(); n > 0; n--) {
        NodeRef found = at(keys[n - 1]);
        if (!found) continue;
        touch(*found);
        return {std::move(found), n * TextHash::block_bytes};
    }
    return {};
}

PrefixCache::NodeRef PrefixCache::find_cut(const TextKey& key) {
    NodeRef found = at(key);
    if (found) touch(*found);
    return found;
}

bool PrefixCache::next_cut(NodeRef& at, uint64_t limit, Cut& cut) {
    while (at) {
        auto behind = std::ranges::upper_bound(at->cuts, limit, {}, &Cut::bytes);
        if (behind != at->cuts.begin()) {
            cut = behind[-1];
            return true;
        }
        limit = std::min(limit, at->from.bytes);   // farther on, the parent is another text
        NodeRef parent = at->parent;
        at = std::move(parent);
    }
    return false;
}

void PrefixCache::ids_before(const Node& node, const Cut& cut, std::vector<uint32_t>& out) {
    std::array<const Node*, depth_max + 1> path;
    size_t n = 0;
    for (const Node* at = &node; at; at = at->parent.get()) {
        ASSERT(n < path.size());
        path[n++] = at;
    }
    for (uint32_t have = 0; n-- > 0;) {
        uint32_t until = n ? std::min(path[n - 1]->from.ids, cut.ids) : cut.ids;
        out.insert(out.end(), path[n]->ids.begin() + (have - path[n]->from.ids), path[n]->ids.begin() + (until - path[n]->from.ids));
        have = until;
        if (have == cut.ids) break;
    }
}

void PrefixCache::forget(const NodeRef& node) {
    for (auto& key : node->keys) {
        Shard& s = shard(key);
        std::lock_guard lock(s.mutex);
        auto at = s.nodes.find(key);
        if (at != s.nodes.end() && at->second == node) s.nodes.erase(at);
    }
}

// Of a few nodes of one shard the one unused for longest. Its bytes come back when nothing stands behind it any more.
bool PrefixCache::evict_one() {
    size_t from = hand_.fetch_add(1, std::memory_order_relaxed);
    for (size_t i = 0; i < shards; i++) {
        Shard& s = shards_[(from + i) % shards];
        NodeRef oldest;
        {
            std::lock_guard lock(s.mutex);
            size_t seen = 0, buckets = s.nodes.bucket_count();
            if (s.nodes.empty()) continue;
            for (size_t k = 0; k < buckets && seen < sampled; k++, s.hand++)
                for (auto at = s.nodes.cbegin(s.hand % buckets); at != s.nodes.cend(s.hand % buckets); ++at, seen++)
                    if (!oldest || at->second->used.load(std::memory_order_relaxed) < oldest->used.load(std::memory_order_relaxed)) oldest = at->second;
        }
        forget(oldest);
        evictions_.fetch_add(1, std::memory_order_relaxed);
        return true;
    }
    return false;
}

// A chain that grew long becomes one node: what `parent` has before `from` is copied.
void PrefixCache::join(const NodeRef& parent, const Cut& from, Node& out) {
    std::vector<const Node*> path;
    for (const Node* at = parent.get(); at; at = at->parent.get()) path.push_back(at);
    for (size_t i = path.size(); i-- > 0;) {
        uint64_t until = i ? std::min(path[i - 1]->from.bytes, from.bytes) : from.bytes;
        for (auto& cut : path[i]->cuts)
            if (cut.bytes <= until) out.cuts.push_back(cut);
    }
    ids_before(*parent, from, out.ids);
    out.from = {};
}

void PrefixCache::insert(std::span<const TextKey> keys, std::span<const TextKey> cut_keys, const NodeRef& parent, const Cut& from,
                         std::span<const uint32_t> ids, std::span<const Cut> cuts) {
    if (keys.empty() || cuts.empty()) return;
    auto node = std::make_shared<Node>();
    node->from = from;
    if (parent && parent->depth + 1 >= depth_max) {
        join(parent, from, *node);
    } else {
        node->parent = parent;
        node->depth = parent ? parent->depth + 1 : 0;
    }
    node->ids.insert(node->ids.end(), ids.begin(), ids.end());
    node->cuts.insert(node->cuts.end(), cuts.begin(), cuts.end());
    // The keys before ours lead to the nodes before us.
    size_t known = node->parent ? std::min<size_t>(keys.size(), node->from.bytes / TextHash::block_bytes) : 0;
    node->keys.reserve(keys.size() - known + cut_keys.size());
    node->keys.assign(keys.begin() + static_cast<std::ptrdiff_t>(known), keys.end());
    node->keys.insert(node->keys.end(), cut_keys.begin(), cut_keys.end());
    node->ids.shrink_to_fit();
    uint64_t cost = node_overhead + node->ids.size() * sizeof(uint32_t) + node->cuts.size() * sizeof(Cut) +
                    node->keys.size() * (sizeof(TextKey) + key_overhead);
    if (cost > budget_.limit()) return;
    for (unsigned tries = 0; !node->charge.grow(budget_, cost); tries++)
        if (tries == evictions_per_insert || !evict_one()) return;
    node->used.store(tick_.fetch_add(1, std::memory_order_relaxed), std::memory_order_relaxed);
    for (auto& key : node->keys) {
        Shard& s = shard(key);
        NodeRef before;                          // dies outside the lock
        std::lock_guard lock(s.mutex);
        NodeRef& place = s.nodes[key];
        before = std::move(place);
        place = node;
    }
}

}  // namespace weir::prepare
