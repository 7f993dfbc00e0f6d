// Events of one rank that wait for their parent to be stored.
#pragma once
#include <unordered_map>
#include <vector>

#include "base/clock.h"
#include "kv/index.h"

namespace weir::kv {

struct KvIndex::Parking {
    struct Event {
        uint64_t parent, number;
        Tier tier;
        std::vector<Block> blocks;
        size_t bytes() const { return sizeof(Event) + blocks.size() * sizeof(Block); }
    };
    struct Key {
        uint64_t name;
        Tier tier;
        bool operator==(const Key&) const = default;
    };
    struct KeyHash { size_t operator()(const Key& k) const { return mix64(k.name + static_cast<uint64_t>(k.tier)); } };
    static constexpr size_t taken_back_max = 65'536, taken_back_bytes = 64;

    std::vector<Event> events;                            // oldest first
    std::unordered_map<uint64_t, uint32_t> waiting;       // parent -> events
    std::unordered_map<Key, uint64_t, KeyHash> taken_back;   // removed while no parked event ... -> number: applies to events before it
    uint64_t number = 0;
    size_t bytes = 0;
};

}  // namespace weir::kv
