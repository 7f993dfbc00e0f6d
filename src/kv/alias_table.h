// Names that one holder alone uses for a block: engines whose hashes differ from those of the first engine that stored it.
#pragma once
#include <cstdint>
#include <vector>

#include "kv/region.h"

namespace weir::kv {

// Found by (holder, name) and by (holder, block); each pair occurs at most once. About 32 bytes an entry. One thread (the writer).
class AliasTable {
public:
    explicit AliasTable(Bytes& bytes) : bytes_(bytes) {}
    struct Entry { uint64_t name; uint32_t holder, block; };

    uint32_t block_of(uint32_t holder, uint64_t name) const;                       // 0 = none
    const Entry* of_block(uint32_t holder, uint32_t block) const;                  // valid until the next change
    bool insert(uint32_t holder, uint64_t name, uint32_t block);                   // neither key is there; false = no room
    void erase(uint32_t holder, uint32_t block);                                   // is there
    bool any(uint32_t holder) const { return holder < count_.size() && count_[holder] != 0; }
    size_t size() const { return entries_.size(); }
    const Entry& entry(size_t i) const { return entries_[i]; }                     // [0, size()); erase moves the last one into the gap

private:
    static void place(std::vector<uint32_t>& table, uint64_t hash, uint32_t value);
    uint64_t hash_of(uint32_t value, bool by_name) const;                          // of entry value - 1
    static uint64_t name_hash(uint32_t holder, uint64_t name);
    static uint64_t block_hash(uint32_t holder, uint32_t block);
    uint32_t find_name(uint32_t holder, uint64_t name) const;                      // slot in by_name_, or npos
    uint32_t find_block(uint32_t holder, uint32_t block) const;
    void unlink(std::vector<uint32_t>& table, uint32_t slot, bool by_name);
    bool grow();

    Bytes& bytes_;
    std::vector<Entry> entries_;
    std::vector<uint32_t> by_name_, by_block_;                                     // entry + 1; open addressing, power of two
    std::vector<uint32_t> count_;                                                  // entries of a holder
};

}  // namespace weir::kv
