// Blocks of requests under way, per rank: a prefix that several requests share counts once.
#pragma once
#include <cstdint>
#include <memory>
#include <span>

#include "base/result.h"
#include "kv/index.h"

namespace weir::kv {

// Any thread. Exact: after hold and release of the same sequences every count is zero.
class ActiveBlocks {
public:
    static Result<std::unique_ptr<ActiveBlocks>> make(uint64_t bytes_max);
    virtual ~ActiveBlocks() = default;
    // A request with these blocks begins at the rank: how many of them nobody there held before. Without room it counts all of them and
    // remembers nothing (then `remembered` is false, and release must not be called).
    virtual uint32_t hold(Rank rank, std::span<const uint64_t> local, std::span<const uint64_t> chained, bool& remembered) = 0;
    virtual uint32_t release(Rank rank, std::span<const uint64_t> chained) = 0;   // how many of them nobody there holds any more
    struct Match { Rank rank; uint32_t blocks; };                                // leading blocks held there by requests under way
    class Lookup {                                                               // one per thread
    public:
        virtual ~Lookup() = default;
        virtual std::span<const Match> match(std::span<const uint64_t> local) = 0;   // valid until the next call
    };
    virtual std::unique_ptr<Lookup> lookup() = 0;
    virtual uint64_t bytes() const = 0;
};

}  // namespace weir::kv
