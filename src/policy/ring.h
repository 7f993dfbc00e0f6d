// The ring of SMG's consistent hashing, bit for bit: 150 points a worker at LE_u64(blake3("{url}#{i}")[0..8]); a key belongs to the first
// point at or after its own hash.
#pragma once
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/spinlock.h"
#include "types/worker.h"

namespace weir {

uint64_t ring_position(std::string_view key);

class Ring {
public:
    static constexpr uint32_t points_per_rank = 150;
    // `old` (may be null) saves the hashing of the names it has: a change of a few ranks costs a merge.
    Ring(const Slate& slate, const Ring* old);
    // The eligible rank the position belongs to; others are walked past. At least one rank must be eligible.
    uint32_t find(uint64_t position, const Slate& slate) const;
    uint64_t version() const { return version_; }
    size_t size() const { return points_.size(); }

private:
    struct Point {
        uint64_t at;
        uint32_t rank;                           // index into the slate's ranks
        bool operator<(const Point& o) const { return at < o.at; }
    };
    uint64_t version_;
    std::vector<std::string> names_;             // of ranks: the URL, "@rank" behind it where a worker has several
    std::vector<Point> points_;                  // sorted
};

// The rings of the last two versions of the fleet, since cores change over one after the other. Any thread. Who meets a new version first
// builds its ring, beside others that may do the same; nobody waits for it.
class Rings {
public:
    std::shared_ptr<const Ring> of(const Slate& slate);

private:
    Spinlock lock_;                              // around the copies of pointers
    std::shared_ptr<const Ring> newest_, other_;
};

}  // namespace weir
