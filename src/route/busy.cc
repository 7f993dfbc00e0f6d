#include "route/busy.h"

#include <bit>

namespace weir::route {
namespace {

constexpr auto relaxed = std::memory_order_relaxed;
constexpr uint32_t batch_tokens_default = 10'000'000;

uint64_t batch_tokens(const RankRef& rank) { return rank.worker->batch_tokens ? rank.worker->batch_tokens : batch_tokens_default; }

template <class F>
void each(std::span<const uint64_t> bits, F&& f) {   // f(index): false ends it
    for (size_t word = 0; word < bits.size(); ++word)
        for (uint64_t left = bits[word]; left; left &= left - 1)
            if (!f(word * 64 + static_cast<size_t>(std::countr_zero(left)))) return;
}

bool decode_busy(const RankRef& rank, float share) {
    const LoadCell& cell = *rank.cell;
    uint32_t total = rank.worker->kv_blocks;
    if (!total) total = cell.rep_kv_total.load(relaxed);
    if (share < 0 || !total) return false;
    const double limit = static_cast<double>(share) * total;
    const double ours = cell.active_blocks.load(relaxed) + static_cast<double>(static_cast<int32_t>(cell.out_blocks_q8.load(relaxed))) / 256;
    return ours > limit || cell.rep_kv_used.load(relaxed) > limit;
}

}  // namespace

bool busy(const RankRef& rank, const BusyLimits& limits) {
    if (decode_busy(rank, limits.decode_blocks_share.load(relaxed))) return true;
    const uint32_t tokens = rank.cell->prefill_tokens.load(relaxed), most = limits.prefill_tokens.load(relaxed);
    if (most != BusyLimits::off_tokens && tokens > most) return true;
    const float share = limits.prefill_batch_share.load(relaxed);
    return share >= 0 && tokens > static_cast<uint64_t>(static_cast<double>(share) * static_cast<double>(batch_tokens(rank)));
}

bool overloaded(const LoadCell& cell, const Overload& o) {
    if (cell.rep_at_ms.load(relaxed) == 0) return false;
    return cell.rep_waiting.load(relaxed) >= o.waiting || cell.rep_usage_q16.load(relaxed) >= static_cast<uint32_t>(o.usage * 65'536);   // cut as reports are
}

uint32_t drop_busy(const FleetView& fleet, const BusyLimits& limits, std::span<uint64_t> eligible) {
    if (limits.decode_blocks_share.load(relaxed) < 0 && limits.prefill_batch_share.load(relaxed) < 0 &&
        limits.prefill_tokens.load(relaxed) == BusyLimits::off_tokens)
        return 0;
    uint32_t dropped = 0;
    const auto ranks = fleet.ranks();
    const WorkerView* judged = nullptr;
    bool drop = false;
    each(eligible, [&](size_t i) {
        const WorkerView* worker = ranks[i].worker;
        if (worker != judged) {                  // ranks of a worker stand together
            judged = worker;
            drop = true;
            size_t first = i;
            while (first > 0 && ranks[first - 1].worker == worker) --first;
            for (size_t r = first; drop && r < ranks.size() && ranks[r].worker == worker; ++r) drop = busy(ranks[r], limits);
        }
        if (drop) eligible[i / 64] &= ~(1ull << i % 64), ++dropped;
        return true;
    });
    return dropped;
}

Dropped drop_overloaded(const FleetView& fleet, const Overload& o, std::span<uint64_t> eligible) {
    Dropped out;
    uint32_t n = 0;
    const auto ranks = fleet.ranks();
    each(eligible, [&](size_t i) {
        ++n;
        out.ranks += overloaded(*ranks[i].cell, o);
        return true;
    });
    if (out.ranks == n) return {0, n != 0};
    if (out.ranks == 0) return out;
    out.ranks = 0;
    uint32_t left = n;                           // loads change meanwhile: one stays whatever they say now
    each(eligible, [&](size_t i) {
        if (left == 1 || !overloaded(*ranks[i].cell, o)) return true;
        eligible[i / 64] &= ~(1ull << i % 64);
        ++out.ranks, --left;
        return true;
    });
    return out;
}

bool full(const RankRef& rank, const QueueThreshold& t) {
    const LoadCell& cell = *rank.cell;
    const uint32_t tokens = cell.prefill_tokens.load(relaxed);
    if (t.tokens != BusyLimits::off_tokens && tokens > t.tokens) return true;
    if (t.waiting && cell.rep_at_ms.load(relaxed) && cell.rep_waiting.load(relaxed) + cell.since_requests.load(relaxed) >= t.waiting) return true;
    return t.batch_share >= 0 && tokens > t.batch_share * static_cast<double>(batch_tokens(rank));
}

bool any_room(const FleetView& fleet, const QueueThreshold& t, std::span<const uint64_t> eligible) {
    if (!t.set()) return true;
    bool room = false;
    each(eligible, [&](size_t i) { return !(room = !full(fleet.ranks()[i], t)); });
    return room;
}

}  // namespace weir::route
