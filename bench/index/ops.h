// Reads an operation stream (KVIDXOPS version 1) and makes of it what an index is called with. Built before any clock starts.
#pragma once
#include <cstdint>
#include <string>
#include <vector>

#include "kv/index.h"

namespace weir::bench {

struct Answer { uint64_t worker; uint32_t dp_rank, overlap; };
struct Op {
    enum Kind : uint8_t { stored = 1, removed, cleared, remove_worker, match } kind;
    bool has_parent;
    kv::Rank rank;                              // remove_worker: the first rank of the worker
    uint64_t parent;
    std::vector<kv::Block> blocks;              // stored
    std::vector<uint64_t> hashes;               // removed: names; match: local hashes
    std::vector<Answer> answers;                // match, sorted
    size_t events_blocks() const { return blocks.size() + (kind == removed ? hashes.size() : 0); }
};
struct Stream {
    uint32_t ranks, dp_size;
    uint64_t memberships;                       // left at the end
    std::vector<uint64_t> workers;              // by rank / dp_size
    std::vector<Op> ops;
};

Stream read_stream(const std::string& path, bool with_matches = true);   // exits with a message when it cannot

}  // namespace weir::bench
