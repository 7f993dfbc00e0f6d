// Lookups: how many leading blocks of a request each rank holds.
#pragma once
#include <span>
#include <vector>

#include "kv/index.h"

namespace weir::kv {

// Blocks of one rank, counted along the request from its first block: `device` ones, then as many as `host` holds from there on, then
// `disk`, then `external`; the first gap ends it. `predicted` counts by itself.
struct RankOverlap {
    Rank rank;
    uint32_t device, host, disk, external, predicted;
    uint32_t total() const { return device + host + disk + external; }
    bool operator==(const RankOverlap&) const = default;
};

// One per thread; never waits, never blocks a writer, allocates only while its scratch grows to the number of ranks.
// A rank that is not in the answer holds no first block.
class Matcher {
public:
    explicit Matcher(KvIndex& index);           // at most Epochs::readers_max at a time
    ~Matcher();
    Matcher(const Matcher&) = delete;
    std::span<const RankOverlap> match(std::span<const uint64_t> local);   // valid until the next call; in no order

private:
    struct Active { uint32_t holder, out, tier, since; };
    void walk(std::span<const uint64_t> local);
    void begin(SetId set);
    bool narrow(SetId set, uint32_t depth);      // false: nobody is left
    void count(const Active& a, uint32_t depth);
    bool next_tier(Active& a, SetId set, uint32_t depth) const;

    KvIndex& index_;
    Epochs::Slot* slot_;
    bool lower_ = false;
    std::vector<Active> active_;
    std::vector<RankOverlap> out_;
    std::vector<uint32_t> nearest_;              // out_ -> place in active_ of its nearest tier, while the walk begins
    std::vector<uint32_t> out_of_;               // rank -> place in out_, checked against out_ itself
};

}  // namespace weir::kv
