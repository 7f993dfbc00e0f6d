#include "kv/holder_sets.h"

#include <algorithm>
#include <new>

#include "base/clock.h"

namespace weir::kv {
namespace {
constexpr size_t memo_slots = 4'096;
}

HolderSets::HolderSets(Region records, uint32_t records_max, Bytes& bytes)
    : memory_(std::move(records)), records_(memory_.as<Record>()), bytes_(bytes), records_max_(records_max), buckets_(64, 0), memo_(memo_slots) {
    bytes_.take(memo_slots * sizeof(Memo) + buckets_.size() * sizeof(SetId));
}

HolderSets::~HolderSets() {
    for (uint32_t id = 1; id < high_; ++id)
        if (records_[id].words) delete[] records_[id].bits;
}

SetId HolderSets::change(SetId id, uint32_t holder, bool add) {
    Memo& memo = memo_[mix64(uint64_t{id} << 32 | holder << 1 | add) % memo_slots];
    if (memo.from == id && memo.holder == (holder << 1 | add) && memo.from_stamp == stamp(id) && memo.to_stamp == stamp(memo.to) &&
        (!is_record(memo.to) || memo.to_stamp != 0))
        return memo.to;
    const SetId to = find_or_make(id, holder, add);
    if (to != no_set) memo = {id, to, holder << 1 | add, stamp(id), stamp(to)};
    return to;
}

SetId HolderSets::find_or_make(SetId from, uint32_t holder, bool add) {
    const uint32_t size = add ? this->size(from) + 1 : this->size(from) - 1;
    if (size == 1) {
        SetId left = 0;
        each(from, [&](uint32_t h) { if (h != holder) left = only(h); });
        return left;
    }
    const uint64_t before = from & one ? mix64(from & ~one) : records_[from].hash;
    const uint64_t hash = before ^ mix64(holder);          // independent of the order of additions
    for (SetId id = buckets_[hash & (buckets_.size() - 1)]; id != 0; id = records_[id].next)
        if (records_[id].hash == hash && records_[id].size == size && equal(records_[id], from, holder, add)) return id;
    return make(from, holder, add, size, hash);
}

bool HolderSets::equal(const Record& r, SetId from, uint32_t holder, bool add) const {
    if (r.contains(holder) != add) return false;           // sizes agree: it is enough that each of `from` is there
    bool same = true;
    each(from, [&](uint32_t h) { same &= h == holder || r.contains(h); });
    return same;
}

SetId HolderSets::make(SetId from, uint32_t holder, bool add, uint32_t size, uint64_t hash) {
    SetId id;
    if (!free_.empty()) {
        id = free_.back();
        free_.pop_back();
    } else {
        if (high_ >= records_max_ || !bytes_.take(sizeof(Record) + 2 * sizeof(SetId))) return no_set;
        id = high_++;
    }
    Record& r = records_[id];
    r.size = size;
    if (!fill(r, from, holder, add)) {
        r.words = 0;
        free_.push_back(id);
        return no_set;
    }
    r.hash = hash;
    r.refs = 0;
    r.stamp = 0;
    if (++live_ > buckets_.size()) grow();                 // before this one counts as linked
    if (++stamps_ == 0) ++stamps_;
    r.stamp = stamps_;
    r.next = buckets_[hash & (buckets_.size() - 1)];
    buckets_[hash & (buckets_.size() - 1)] = id;
    return id;
}

bool HolderSets::fill(Record& r, SetId from, uint32_t holder, bool add) {
    if (r.size <= inline_max) {
        r.words = 0;
        uint32_t n = 0;
        const auto put = [&](uint32_t h) { if (h != holder) r.ids[n++] = h; };
        each(from, put);
        if (add) r.ids[n++] = holder;
        std::sort(r.ids, r.ids + n);
        return true;
    }
    uint32_t words = is_record(from) && records_[from].words ? records_[from].words : 1;
    each(is_record(from) && records_[from].words ? 0 : from, [&](uint32_t h) { words = std::max(words, h / 64 + 1); });
    if (add) words = std::max(words, holder / 64 + 1);
    if (!bytes_.take(words * sizeof(uint64_t))) return false;
    uint64_t* bits = new (std::nothrow) uint64_t[words]();
    if (!bits) return bytes_.give(words * sizeof(uint64_t)), false;
    each(from, [&](uint32_t h) { bits[h / 64] |= uint64_t{1} << (h % 64); });
    if (add) bits[holder / 64] |= uint64_t{1} << (holder % 64);
    else bits[holder / 64] &= ~(uint64_t{1} << (holder % 64));
    r.bits = bits;
    r.words = words;
    return true;
}

void HolderSets::unlink(SetId id) {
    Record& r = records_[id];
    SetId* at = &buckets_[r.hash & (buckets_.size() - 1)];
    while (*at != id) at = &records_[*at].next;
    *at = r.next;
    r.stamp = 0;
    --live_;
}

void HolderSets::reclaim(SetId id) {
    Record& r = records_[id];
    if (r.words) {
        delete[] r.bits;
        bytes_.give(r.words * sizeof(uint64_t));
        r.words = 0;
    }
    free_.push_back(id);
}

void HolderSets::grow() {
    std::vector<SetId> bigger(buckets_.size() * 2, 0);     // 8 bytes a record are charged with the record
    for (uint32_t id = 1; id < high_; ++id) {
        Record& r = records_[id];
        if (r.stamp == 0) continue;
        r.next = bigger[r.hash & (bigger.size() - 1)];
        bigger[r.hash & (bigger.size() - 1)] = id;
    }
    buckets_.swap(bigger);
}

}  // namespace weir::kv
