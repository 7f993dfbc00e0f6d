// Prefixes without tokens: which rank was sent which text. What cache_aware goes by when there is no tokenizer or no engine events.
#pragma once
#include <cstdint>
#include <memory>
#include <span>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/result.h"
#include "kv/index.h"

namespace weir::kv {

struct TextIndexSettings {
    uint64_t bytes_max = 64 << 20;              // hard; at least text_bytes_min
    uint64_t chars_max = 67'108'864;            // of all ranks together; SMG's --max-tree-size. Above it, tend() drops least recently used ends
    uint64_t evict_every_ms = 120'000;
};
inline constexpr uint64_t text_bytes_min = 4 << 20;

struct TextIndexStats {
    uint64_t chars, bytes;                      // now
    uint64_t inserted, evicted;                 // texts; characters, for either limit
};

// A text is cut into blocks of 16 characters, from its 1,024th on of 128, and what is left at its end is a block too. A rank was sent a
// leading part if it was sent all its blocks: so the length is up to 15 or 127 characters short, but exact when the same text comes again.
// Only the first text_chars_max characters count. Characters are code points (of malformed UTF-8: bytes that do not continue one).
//
// Any thread. Lookups never wait; inserting threads take turns (a mutex, for some 10 us with a long text).
inline constexpr uint32_t text_chars_max = 4'194'304;
class TextIndex {
public:
    static Result<std::unique_ptr<TextIndex>> make(TextIndexSettings settings);
    virtual ~TextIndex() = default;
    struct Match { Rank rank; uint32_t chars; };   // characters of the longest leading part sent to the rank; 0 is left out
    class Lookup {                                 // one per thread, scratch
    public:
        virtual ~Lookup() = default;
        virtual std::span<const Match> match(std::string_view text) = 0;   // valid until the next call
    };
    virtual std::unique_ptr<Lookup> lookup() = 0;
    virtual void insert(Rank rank, std::string_view text, Instant now) = 0;
    virtual void remove_ranks(Rank first, uint32_t n) = 0;
    virtual void tend(Instant now) = 0;            // now and then, one thread
    virtual TextIndexStats stats() const = 0;
};

}  // namespace weir::kv
