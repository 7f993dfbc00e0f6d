// Which ranks a routing key was given, for all cores: up to two a key, forgotten when idle or, least recently used first, for room.
#pragma once
#include <array>
#include <memory>
#include <string_view>
#include <vector>

#include "base/spinlock.h"
#include "types/worker.h"

namespace weir {

class StickyMap {
public:
    struct Key { uint64_t hi, lo; };
    struct Pin {
        uint64_t id = 0;                         // of a rank (id_of), 0: none
        uint32_t index = 0;                      // where it stood in the slate; a hint
        bool operator==(const Pin& o) const { return id == o.id; }
    };
    using Pins = std::array<Pin, 2>;             // the first is preferred
    static constexpr size_t shards = 64;

    // idle_ms 0: never forgotten for being idle. entries_max is kept per shard, so a map is full a few per cent early.
    StickyMap(size_t entries_max, uint64_t idle_ms);
    static Key key_of(std::string_view routing_key);
    static uint64_t id_of(const RankRef& rank);  // the same after a worker came back at its address
    // The rank's place in the slate if it is there and eligible, else UINT32_MAX.
    static uint32_t place(const Pin& pin, const Slate& slate);

    Pins find(Key key, Instant now);             // none known: zeros. Counts as use
    enum Where { first, last };
    // Makes `pin` the first or the last of the key's pins if these are still as `seen`; else leaves them. What they are then.
    // first: the old first becomes the second. last: behind the pin that is there; of two the older first one goes.
    Pins put(Key key, Pin pin, Where where, const Pins& seen, Instant now);
    void forget(Key key);
    static constexpr size_t bytes_per_entry = 80;   // at most, buckets included

    size_t size() const;
    uint64_t evicted() const;                    // for room

private:
    static constexpr uint32_t none = UINT32_MAX, chunk = 256;
    template <class Of>
    uint64_t sum(Of of) const;                   // over the shards, one lock after the other
    struct Entry {
        Key key;
        uint64_t id[2];
        uint32_t index[2];
        Instant used;
        uint32_t newer, older, next;             // by use; in the bucket or the free list
    };
    struct alignas(64) Shard {
        Spinlock lock;
        std::vector<std::unique_ptr<Entry[]>> chunks;
        std::vector<uint32_t> buckets;
        uint32_t newest = none, oldest = none, free = none, made = 0, size = 0;
        uint64_t evicted = 0;
        Entry& at(uint32_t i) { return chunks[i / chunk][i % chunk]; }
        uint32_t& bucket(Key key) { return buckets[(key.lo >> 8) & (buckets.size() - 1)]; }
        uint32_t search(Key key);
        void unlink(uint32_t i);
        void touch(uint32_t i, Instant now);
        void drop(uint32_t i);
        uint32_t add(Key key, uint32_t max);
        void grow();
    };
    Shard& shard(Key key) { return shards_[key.hi % shards]; }
    void expire(Shard& s, Key key, Instant now);

    uint32_t shard_max_;
    uint64_t idle_ns_;
    mutable std::array<Shard, shards> shards_;
};

}  // namespace weir
