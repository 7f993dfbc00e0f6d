#include "route/filter.h"

#include <algorithm>
#include <bit>
#include <charconv>

namespace weir::route {
namespace {

constexpr const char* names[] = {"role", "tried", "pinned", "dp_rank", "not_allowed", "taint", "lora", "subset", "target", "busy", "session",
                                 "overloaded"};
static_assert(std::size(names) == rejects_n);

// Takes those out of the bitmap that do not pass, and returns how many.
template <class Pass>
uint32_t keep(std::span<const RankRef> ranks, std::vector<uint64_t>& eligible, Pass pass) {
    uint32_t out = 0;
    for (size_t word = 0; word < eligible.size(); word++) {
        for (uint64_t bits = eligible[word]; bits; bits &= bits - 1) {
            size_t i = word * 64 + static_cast<size_t>(std::countr_zero(bits));
            if (pass(ranks[i])) continue;
            eligible[word] &= ~(bits & -bits);
            out++;
        }
    }
    return out;
}

uint8_t role_bit(Leg::Role role) {
    switch (role) {
    case Leg::prefill: return role::prefill;
    case Leg::decode: return role::decode;
    case Leg::encode: return role::encode;
    case Leg::whole: break;
    }
    return role::whole;
}

// Index among the workers whose bit is set, in the fleet's order; ranks of a worker stand together.
const WorkerView* nth_worker(std::span<const RankRef> ranks, const std::vector<uint64_t>& among, Str number) {
    uint32_t n = 0;
    auto [end, ec] = std::from_chars(number.data(), number.data() + number.size(), n);
    if (ec != std::errc{} || end != number.data() + number.size()) return nullptr;
    const WorkerView* last = nullptr;
    for (size_t i = 0; i < ranks.size(); i++) {
        if (!(among[i / 64] >> (i % 64) & 1) || ranks[i].worker == last) continue;
        last = ranks[i].worker;
        if (n-- == 0) return last;
    }
    return nullptr;
}

bool contains(std::span<const Str> all, Str one) { return std::ranges::find(all, one) != all.end(); }

}  // namespace

const char* name(Reject r) { return names[static_cast<size_t>(r)]; }

std::string Rejects::text() const {
    std::string out;
    for (size_t i = 0; i < rejects_n; i++) {
        if (!counts[i]) continue;
        if (!out.empty()) out += ", ";
        out.append(std::to_string(counts[i])).append(" ").append(names[i]);
    }
    return out;
}

Result<void> filter(const FilterAsk& ask, std::vector<uint64_t>& eligible, Rejects& rejects) {
    const Hints& hints = ask.hints;
    auto ranks = ask.fleet.ranks();
    auto only = [&](Reject reason, auto pass) { rejects[reason] += keep(ranks, eligible, pass); };
    // The order of the fleet is that before anything is left out: a number means the same worker whatever has been tried.
    const bool target = ask.target && !hints.target_worker.empty();
    const WorkerView* wanted = target ? nth_worker(ranks, eligible, hints.target_worker) : nullptr;
    if (ask.role != Leg::whole || ask.roles_differ)
        only(Reject::role, [bit = role_bit(ask.role)](const RankRef& r) { return r.worker->roles & bit; });
    auto pin = ask.role == Leg::prefill ? hints.prefill_pin : hints.pin;
    if (pin) {
        bool known = std::ranges::any_of(ranks, [&](const RankRef& r) { return r.worker->instance_id == *pin; });
        if (!known) return Failure(Code::bad_field, "there is no worker instance " + std::to_string(*pin));
        only(Reject::pinned, [&](const RankRef& r) { return r.worker->instance_id == *pin; });
    }
    auto dp = ask.role == Leg::prefill ? hints.prefill_dp_rank : hints.dp_rank;
    if (dp) only(Reject::dp_rank, [&](const RankRef& r) { return r.rank == *dp; });
    if (!hints.allowed.empty())
        only(Reject::not_allowed, [&](const RankRef& r) { return std::ranges::find(hints.allowed, r.worker->instance_id) != hints.allowed.end(); });
    if (!hints.taints_required.empty())
        only(Reject::taint, [&](const RankRef& r) {
            return std::ranges::all_of(hints.taints_required, [&](Str t) { return contains(r.worker->taints, t); });
        });
    if (!hints.lora.empty()) only(Reject::lora, [&](const RankRef& r) { return r.worker->loras.empty() || contains(r.worker->loras, hints.lora); });
    if (hints.subset_present)
        only(Reject::subset, [&](const RankRef& r) { return std::ranges::find(hints.subset, r.worker->key) != hints.subset.end(); });
    if (target) only(Reject::target, [&](const RankRef& r) { return r.worker == wanted; });
    if (!ask.exclude.empty())
        only(Reject::tried, [&](const RankRef& r) { return std::ranges::find(ask.exclude, r.worker->slot) == ask.exclude.end(); });
    return Nothing{};
}

}  // namespace weir::route
