#include "kv/alias_table.h"

#include "base/assert.h"
#include "base/clock.h"

namespace weir::kv {
namespace {
constexpr uint32_t npos = UINT32_MAX;
}

uint64_t AliasTable::name_hash(uint32_t holder, uint64_t name) { return mix64(name ^ mix64(holder)); }
uint64_t AliasTable::block_hash(uint32_t holder, uint32_t block) { return mix64(uint64_t{holder} << 32 | block); }
uint64_t AliasTable::hash_of(uint32_t value, bool by_name) const {
    const Entry& e = entries_[value - 1];
    return by_name ? name_hash(e.holder, e.name) : block_hash(e.holder, e.block);
}

void AliasTable::place(std::vector<uint32_t>& table, uint64_t hash, uint32_t value) {
    const size_t mask = table.size() - 1;
    size_t i = hash & mask;
    while (table[i] != 0) i = (i + 1) & mask;
    table[i] = value;
}

uint32_t AliasTable::find_name(uint32_t holder, uint64_t name) const {
    if (by_name_.empty()) return npos;
    const size_t mask = by_name_.size() - 1;
    for (size_t i = name_hash(holder, name) & mask; by_name_[i] != 0; i = (i + 1) & mask) {
        const Entry& e = entries_[by_name_[i] - 1];
        if (e.name == name && e.holder == holder) return static_cast<uint32_t>(i);
    }
    return npos;
}

uint32_t AliasTable::find_block(uint32_t holder, uint32_t block) const {
    if (by_block_.empty()) return npos;
    const size_t mask = by_block_.size() - 1;
    for (size_t i = block_hash(holder, block) & mask; by_block_[i] != 0; i = (i + 1) & mask) {
        const Entry& e = entries_[by_block_[i] - 1];
        if (e.block == block && e.holder == holder) return static_cast<uint32_t>(i);
    }
    return npos;
}

uint32_t AliasTable::block_of(uint32_t holder, uint64_t name) const {
    const uint32_t slot = find_name(holder, name);
    return slot == npos ? 0 : entries_[by_name_[slot] - 1].block;
}

const AliasTable::Entry* AliasTable::of_block(uint32_t holder, uint32_t block) const {
    const uint32_t slot = find_block(holder, block);
    return slot == npos ? nullptr : &entries_[by_block_[slot] - 1];
}

bool AliasTable::grow() {
    const size_t before = by_name_.size(), after = before ? before * 2 : 64;
    const size_t cost = (after - before) * (2 * sizeof(uint32_t) + 3 * sizeof(Entry) / 4);
    if (!bytes_.take(cost)) return false;
    entries_.reserve(after * 3 / 4);
    std::vector<uint32_t> names(after, 0), blocks(after, 0);
    for (uint32_t value = 1; value <= entries_.size(); ++value) {
        place(names, hash_of(value, true), value);
        place(blocks, hash_of(value, false), value);
    }
    by_name_.swap(names);
    by_block_.swap(blocks);
    return true;
}

bool AliasTable::insert(uint32_t holder, uint64_t name, uint32_t block) {
    if (entries_.size() + 1 > by_name_.size() * 3 / 4 && !grow()) return false;
    if (holder >= count_.size()) count_.resize(holder + 1);
    ++count_[holder];
    entries_.push_back({name, holder, block});
    const auto value = static_cast<uint32_t>(entries_.size());
    place(by_name_, name_hash(holder, name), value);
    place(by_block_, block_hash(holder, block), value);
    return true;
}

void AliasTable::unlink(std::vector<uint32_t>& table, uint32_t slot, bool by_name) {
    const size_t mask = table.size() - 1;
    size_t hole = slot;
    for (size_t i = (hole + 1) & mask; table[i] != 0; i = (i + 1) & mask) {
        const size_t home = hash_of(table[i], by_name) & mask;
        if (((i - home) & mask) < ((i - hole) & mask)) continue;
        table[hole] = table[i];
        hole = i;
    }
    table[hole] = 0;
}

void AliasTable::erase(uint32_t holder, uint32_t block) {
    const uint32_t at = find_block(holder, block);
    ASSERT(at != npos);
    const uint32_t value = by_block_[at];
    unlink(by_name_, find_name(holder, entries_[value - 1].name), true);
    unlink(by_block_, at, false);
    --count_[holder];
    const auto last = static_cast<uint32_t>(entries_.size());
    if (value != last) {                        // the last entry moves into the gap
        const Entry moved = entries_.back();
        by_name_[find_name(moved.holder, moved.name)] = value;
        by_block_[find_block(moved.holder, moved.block)] = value;
        entries_[value - 1] = moved;
    }
    entries_.pop_back();
}

}  // namespace weir::kv
