// Blocks of requests under way, per rank: a prefix that several requests share counts once.
#pragma once
#include <array>
#include <atomic>
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "base/result.h"
#include "base/spinlock.h"
#include "kv/index.h"

namespace weir::kv {

// A trie of the sequences under way, its edges runs of blocks; each node counts, per rank, the requests that pass it. So all operations
// cost the steps of the path and one comparison of the blocks, not work per block; distinct blocks are exact; a request keeps one pointer.
// Any thread; sequences are spread over locks by their first block, each held for about a microsecond.
// Memory: what sequences need is charged to bytes_max before it is taken; tables of ranks may grow beyond it by what move() needs.
class ActiveBlocks {
    struct Node;
    struct Shard;

public:
    static constexpr uint64_t bytes_min = 1 << 16;
    static Result<std::unique_ptr<ActiveBlocks>> make(uint64_t bytes_max);   // bad_field: below bytes_min
    ~ActiveBlocks();
    ActiveBlocks(const ActiveBlocks&) = delete;

    // One request's part in it; it ends with exactly one release(). Empty: nothing is remembered, and it needs no release.
    class Hold {
    public:
        explicit operator bool() const { return node_ != nullptr; }

    private:
        friend class ActiveBlocks;
        Node* node_ = nullptr;
    };
    // A request with these local hashes (kv/block_hash.h) begins at the rank. `fresh`: how many of the blocks no request there had.
    // Without room the hold is empty and all blocks count as fresh.
    Hold hold(Rank rank, std::span<const uint64_t> local, uint32_t& fresh);
    uint32_t release(Rank rank, Hold);                    // how many blocks no request there has any more
    struct Moved { uint32_t left, fresh; };               // as release at the one and hold at the other would say
    Moved move(Rank from, Rank to, Hold);
    uint32_t alone(Rank rank, Hold) const;                // blocks at the end of its sequence that no other request there has

    struct Match { Rank rank; uint32_t blocks; };         // leading blocks that requests under way have there
    class Lookup {                                        // one per thread
    public:
        std::span<const Match> match(std::span<const uint64_t> local);   // valid until the next call; in no order

    private:
        friend class ActiveBlocks;
        explicit Lookup(ActiveBlocks& blocks) : blocks_(blocks) {}
        void add(const Node& node, uint32_t depth);
        ActiveBlocks& blocks_;
        std::vector<Match> out_;
        std::vector<uint32_t> out_of_;                    // rank -> place in out_, checked against out_ itself
    };
    std::unique_ptr<Lookup> lookup() { return std::unique_ptr<Lookup>(new Lookup(*this)); }
    uint64_t bytes() const { return bytes_.load(std::memory_order_relaxed); }
    uint64_t nodes() const;                               // zero when no request is under way
    uint64_t refused() const { return refused_.load(std::memory_order_relaxed); }   // holds without room

private:
    struct Walk;
    explicit ActiveBlocks(uint64_t bytes_max);
    Shard& shard_of(uint64_t first) const;
    Walk walk(const Shard&, std::span<const uint64_t> local) const;
    uint64_t cost(const Shard&, const Walk&, Rank, size_t blocks) const;
    Node* make_node(Shard&, Node* parent, std::span<const uint64_t> local);
    Node* split(Shard&, Node*, uint32_t at);
    void unlink(Shard&, Node*);
    void remove(Shard&, Node*);
    void join_only_kid(Shard&, Node*);
    uint32_t count(Node*, Rank);
    uint32_t discount(Node*, Rank);
    void charge(int64_t bytes) { bytes_.fetch_add(static_cast<uint64_t>(bytes), std::memory_order_relaxed); }

    static constexpr uint32_t shards = 16;
    uint64_t bytes_max_;
    std::atomic<uint64_t> bytes_{0}, refused_{0};
    std::unique_ptr<Shard[]> shards_;
};

}  // namespace weir::kv
