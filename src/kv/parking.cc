#include "kv/parking.h"

namespace weir::kv {

void KvIndex::drop_parked(RankState& r) {
    if (!r.parking) return;
    stats_.parked_dropped += r.parking->events.size();
    bytes_.give(r.parking->bytes);
    r.parking.reset();
}

void KvIndex::park(RankState& r, Tier tier, uint64_t parent, std::span<const Block> blocks) {
    if (const uint32_t holder = r.holder[static_cast<size_t>(tier)]) forget(holder, blocks);
    if (!r.parking) r.parking = std::make_unique<Parking>();
    Parking& p = *r.parking;
    Parking::Event event{parent, ++p.number, tier, {}};
    const size_t cost = event.bytes() + blocks.size_bytes();
    ++stats_.parked;
    if (p.events.size() == parked_events_max) {
        bytes_.give(p.events.front().bytes());
        p.bytes -= p.events.front().bytes();
        if (--p.waiting[p.events.front().parent] == 0) p.waiting.erase(p.events.front().parent);
        p.events.erase(p.events.begin());
        ++stats_.parked_dropped;
    }
    if (!bytes_.take(cost)) {
        ++stats_.parked_dropped;
        if (p.events.empty()) drop_parked(r);
        return;
    }
    p.bytes += cost;
    event.blocks.assign(blocks.begin(), blocks.end());
    p.events.push_back(std::move(event));
    ++p.waiting[parent];
}

// A name that the rank does not hold was removed: a parked event may bring it later, but it is gone already.
void KvIndex::take_back(RankState& r, Tier tier, uint64_t name) {
    Parking& p = *r.parking;
    if (p.taken_back.size() == Parking::taken_back_max || !bytes_.take(Parking::taken_back_bytes)) return drop_parked(r);
    p.bytes += Parking::taken_back_bytes;
    p.taken_back[{name, tier}] = ++p.number;
}

void KvIndex::unpark(RankState& r, Rank rank, Tier tier, std::span<const Block> stored) {
    Parking& p = *r.parking;
    std::vector<uint64_t> names;
    for (const Block& block : stored) {
        if (!p.taken_back.empty()) p.taken_back.erase({block.name, tier});       // it is there again, and rightly
        if (p.waiting.contains(block.name)) names.push_back(block.name);
    }
    for (size_t n = 0; n < names.size() && r.parking; ++n) {
        const uint64_t name = names[n];
        for (size_t i = 0; i < p.events.size();) {
            const BlockId at = p.events[i].parent == name ? named_in_any_tier(r, name) : 0;
            if (at == 0) ++i;
            else unpark_one(r, rank, at, i, names);
        }
    }
    if (p.events.empty()) drop_parked(r);
}

void KvIndex::unpark_one(RankState& r, Rank rank, BlockId at, size_t i, std::vector<uint64_t>& names) {
    Parking& p = *r.parking;
    const Parking::Event event = std::move(p.events[i]);
    p.events.erase(p.events.begin() + static_cast<ptrdiff_t>(i));
    if (--p.waiting[event.parent] == 0) p.waiting.erase(event.parent);
    const size_t cost = event.bytes();
    bytes_.give(cost);
    p.bytes -= cost;
    ++stats_.unparked;
    const uint32_t holder = holder_of(r, rank, event.tier);
    const size_t done = holder ? store_slice(r, holder, at, event.blocks) : 0;
    if (done < event.blocks.size()) return refuse(holder, std::span(event.blocks).subspan(done));
    for (const Block& block : event.blocks) {
        const auto taken = p.taken_back.find({block.name, event.tier});
        if (taken != p.taken_back.end() && taken->second > event.number) {
            if (const BlockId gone = named(holder, block.name)) release(gone, holder);
        } else if (p.waiting.contains(block.name)) {
            names.push_back(block.name);
        }
    }
}

}  // namespace weir::kv
