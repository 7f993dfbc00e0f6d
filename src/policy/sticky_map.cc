#include "policy/sticky_map.h"

#define XXH_INLINE_ALL
#include <xxhash.h>

#include <algorithm>
#include <mutex>

namespace weir {

StickyMap::StickyMap(size_t entries_max, uint64_t idle_ms)
    : shard_max_(static_cast<uint32_t>(std::max<size_t>(1, entries_max / shards))), idle_ns_(idle_ms * ns_per_ms) {}

StickyMap::Key StickyMap::key_of(std::string_view routing_key) {
    XXH128_hash_t hash = XXH3_128bits(routing_key.data(), routing_key.size());
    return {hash.high64, hash.low64};
}

uint64_t StickyMap::id_of(const RankRef& rank) { return mix64(rank.worker->key + rank.rank * 0x9e3779b97f4a7c15ull + 1) | 1; }

uint32_t StickyMap::place(const Pin& pin, const Slate& slate) {
    if (!pin.id) return none;
    auto is = [&](uint32_t i) { return id_of(slate.ranks[i]) == pin.id; };
    if (pin.index < slate.ranks.size() && is(pin.index)) return slate.may(pin.index) ? pin.index : none;
    for (uint32_t i = 0; i < slate.ranks.size(); i++)
        if (is(i)) return slate.may(i) ? i : none;
    return none;
}

StickyMap::Pins StickyMap::find(Key key, Instant now) {
    Shard& s = shard(key);
    std::lock_guard hold(s.lock);
    expire(s, key, now);
    uint32_t i = s.search(key);
    if (i == none) return {};
    s.touch(i, now);
    Entry& e = s.at(i);
    return {Pin{e.id[0], e.index[0]}, Pin{e.id[1], e.index[1]}};
}

StickyMap::Pins StickyMap::put(Key key, Pin pin, Where where, const Pins& seen, Instant now) {
    Shard& s = shard(key);
    std::lock_guard hold(s.lock);
    expire(s, key, now);
    uint32_t i = s.search(key);
    Pins pins{};
    if (i != none) pins = {Pin{s.at(i).id[0], s.at(i).index[0]}, Pin{s.at(i).id[1], s.at(i).index[1]}};
    if (pins != seen) return pins;
    if (i == none) i = s.add(key, shard_max_);
    if (where == first) {
        if (!(pins[0] == pin)) pins = {pin, pins[0]};
    } else if (!pins[0].id) {
        pins[0] = pin;
    } else {
        if (pins[1].id) pins[0] = pins[1];
        pins[1] = pin;
    }
    Entry& e = s.at(i);
    for (size_t k = 0; k < 2; k++) e.id[k] = pins[k].id, e.index[k] = pins[k].index;
    s.touch(i, now);
    return pins;
}

void StickyMap::forget(Key key) {
    Shard& s = shard(key);
    std::lock_guard hold(s.lock);
    if (uint32_t i = s.search(key); i != none) s.drop(i);
}

template <class Of>
uint64_t StickyMap::sum(Of of) const {
    uint64_t n = 0;
    for (Shard& s : shards_) {
        std::lock_guard hold(s.lock);
        n += of(s);
    }
    return n;
}

size_t StickyMap::size() const {
    return sum([](const Shard& s) { return s.size; });
}

uint64_t StickyMap::evicted() const {
    return sum([](const Shard& s) { return s.evicted; });
}

// The key's own entry if its time is up, so that it is not found; and two of the oldest: more leave than can come, in short holds.
void StickyMap::expire(Shard& s, Key key, Instant now) {
    if (!idle_ns_) return;
    auto idle = [&](uint32_t i) { return i != none && now > s.at(i).used && now - s.at(i).used >= idle_ns_; };
    if (uint32_t i = s.search(key); idle(i)) s.drop(i);
    for (int k = 0; k < 2 && idle(s.oldest); k++) s.drop(s.oldest);
}

uint32_t StickyMap::Shard::search(Key key) {
    if (buckets.empty()) return none;
    for (uint32_t i = bucket(key); i != none; i = at(i).next)
        if (at(i).key.hi == key.hi && at(i).key.lo == key.lo) return i;
    return none;
}

void StickyMap::Shard::unlink(uint32_t i) {
    Entry& e = at(i);
    (e.newer == none ? newest : at(e.newer).older) = e.older;
    (e.older == none ? oldest : at(e.older).newer) = e.newer;
}

void StickyMap::Shard::touch(uint32_t i, Instant now) {
    at(i).used = now;
    if (newest == i) return;
    unlink(i);
    at(i).newer = none, at(i).older = newest;
    (newest == none ? oldest : at(newest).newer) = i;
    newest = i;
}

void StickyMap::Shard::drop(uint32_t i) {
    unlink(i);
    uint32_t* link = &bucket(at(i).key);
    while (*link != i) link = &at(*link).next;
    *link = at(i).next;
    at(i).next = free;
    free = i;
    size--;
}

uint32_t StickyMap::Shard::add(Key key, uint32_t max) {
    if (size >= max) {
        drop(oldest);
        evicted++;
    }
    if (size >= buckets.size()) grow();
    uint32_t i = free;
    if (i != none) {
        free = at(i).next;
    } else {
        i = made++;
        if (i / chunk >= chunks.size()) chunks.push_back(std::make_unique<Entry[]>(chunk));
    }
    uint32_t& head = bucket(key);
    at(i) = {.key = key, .id = {}, .index = {}, .used = 0, .newer = none, .older = newest, .next = head};
    head = i;
    (newest == none ? oldest : at(newest).newer) = i;
    newest = i;
    size++;
    return i;
}

void StickyMap::Shard::grow() {
    buckets.assign(std::max<size_t>(64, buckets.size() * 2), none);
    for (uint32_t i = newest; i != none; i = at(i).older) {
        uint32_t& head = bucket(at(i).key);
        at(i).next = head;
        head = i;
    }
}

}  // namespace weir
