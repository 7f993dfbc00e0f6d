#include "policy/expected_wait.h"

namespace weir {
namespace {
// SMG's cache_aware as of 1.13. Three ways to know who holds the prompt, the first that says anything counts:
//   events       blocks engines reported: any overlap is a match, more is better
//   tokens sent  blocks predicted from earlier picks: a match is more than `threshold` of the prompt
//   text sent    characters of the routing text sent there before: the same
// Of the holders of the longest match the least expected wait. A holder that is busy beyond both gates (requests above spill_rel x mean
// and above mean + margin) is passed over; if that leaves none, the least expected wait of those under the gates. No match: of all.
// The margin is two standard deviations of chance, 2 x sqrt(mean) rounded up, at least 4, at most spill_abs. KV use that is too uneven or
// too high suspends affinity for the whole fleet. Expected wait has its defaults here: options of least_load are for that policy alone.
class CacheAware final : public Policy {
public:
    explicit CacheAware(const PolicyConfig::CacheAware& c) : c_(c) {}
    uint32_t needs() const override {
        return need::load | need::device | need::predicted | need::tokens | need::text | need::matched;
    }

    Pick pick(const Prepared&, const Slate& slate, Random& random) const override {
        auto all = [&](auto&& visit) { each_eligible(slate, visit); };
        Fleet fleet = look(slate);
        if (fleet.pressed) return waiting_least(slate, random, all, "KV use suspends affinity", fleet);
        Match match = best_match(slate);
        if (match.column.empty()) return waiting_least(slate, random, all, "no match", fleet);

        double score = 0;
        Decay decay = decay_of(slate, match);
        auto holder = [&](uint32_t i) { return match.graded ? match.column[i] > 0 : match.column[i] == match.best; };
        auto score_of = [&](uint32_t i) { return (match.graded ? match.column[i] : 1.0) / decay.divisor(slate, i); };
        auto holders = [&](auto&& visit) { all([&](uint32_t i) { if (holder(i)) visit(i); }); };
        if (c_.temperature > 0) {
            score = score_of(draw_by_cost(holders, [&](uint32_t i) { return -score_of(i); }, c_.temperature, random));
        } else {
            holders([&](uint32_t i) { score = std::max(score, score_of(i)); });
        }
        auto under_gate = [&](uint32_t i) { return slate.load[i].requests <= fleet.gate; };
        auto kept = [&](auto&& visit) { holders([&](uint32_t i) { if (score_of(i) == score && under_gate(i)) visit(i); }); };
        if (any(kept)) return waiting_least(slate, random, kept, match.graded ? "holds most" : "was sent this before", fleet, match.best);
        auto spill = [&](auto&& visit) { all([&](uint32_t i) { if (under_gate(i)) visit(i); }); };
        if (any(spill)) return waiting_least(slate, random, spill, "holders are busy", fleet, match.best);
        return waiting_least(slate, random, all, "all are busy", fleet, match.best);
    }

private:
    struct Fleet {
        bool pressed = false;
        double mean = 0, gate = 0;               // requests; above the gate a rank is passed over
    };
    struct Match {
        std::span<const uint32_t> column;        // empty: nobody
        bool graded = false;                     // less is a match too
        uint32_t best = 0;
    };
    struct Decay {
        double per_token = 0, least = 0;         // 0: off
        double divisor(const Slate& slate, uint32_t i) const {
            auto& load = slate.load[i];
            return per_token > 0 && load.reported() ? 1 + per_token * (load.waiting_tokens - least) : 1;
        }
    };

    template <class Over>
    static bool any(Over&& over) {
        bool found = false;
        over([&](uint32_t) { found = true; });
        return found;
    }

    template <class Over>
    Pick waiting_least(const Slate& slate, Random& random, Over&& over, const char* why, const Fleet& fleet, uint32_t best = 0) const {
        Least least = least_wait(wait_, slate, random, over);
        return {least.index(), Pick::chosen, why, {float(best), float(least.cost()), float(fleet.mean), float(fleet.gate)}};
    }

    Fleet look(const Slate& slate) const {
        Fleet fleet;
        uint64_t requests = 0;
        uint32_t n = 0, reports = 0;
        float low = INFINITY, high = -INFINITY;
        each_eligible(slate, [&](uint32_t i) {
            auto& load = slate.load[i];
            requests += load.requests;
            n++;
            if (!load.reported()) return;
            reports++;
            low = std::min(low, load.usage);
            high = std::max(high, load.usage);
        });
        fleet.mean = double(requests) / n;
        double margin = std::min(double(c_.spill_abs), std::max(4.0, std::ceil(2 * std::sqrt(fleet.mean))));
        fleet.gate = std::max(c_.spill_rel * fleet.mean, fleet.mean + margin);
        if (reports) fleet.pressed = (c_.usage_ceiling < 1 && high > c_.usage_ceiling) || (c_.usage_spread < 1 && high - low > c_.usage_spread);
        return fleet;
    }

    Match best_match(const Slate& slate) const {
        auto best = [&](std::span<const uint32_t> column) {
            uint32_t most = 0;
            if (!column.empty()) each_eligible(slate, [&](uint32_t i) { most = std::max(most, column[i]); });
            return most;
        };
        auto enough = [&](uint32_t units, uint32_t of) { return of && float(units) / float(of) > float(c_.threshold); };
        if (uint32_t most = best(slate.device)) return {slate.device, true, most};
        uint32_t most = best(slate.predicted);
        if (enough(most * slate.block, slate.prompt_tokens)) return {slate.predicted, false, most};
        most = best(slate.matched_chars);
        if (enough(most, slate.prompt_chars)) return {slate.matched_chars, false, most};
        return {};
    }

    Decay decay_of(const Slate& slate, const Match& match) const {
        if (c_.overlap_decay <= 0) return {};
        double least = INFINITY;
        each_eligible(slate, [&](uint32_t i) {
            bool holds = match.graded ? match.column[i] > 0 : match.column[i] == match.best;
            if (holds && slate.load[i].reported()) least = std::min(least, double(slate.load[i].waiting_tokens));
        });
        if (least == INFINITY) return {};
        double block = slate.block ? slate.block : 16;
        uint32_t units = slate.prompt_tokens ? slate.prompt_tokens : slate.prompt_chars;
        double blocks = slate.request_blocks ? slate.request_blocks : std::max(1.0, std::floor(units / block));
        return {c_.overlap_decay / (block * blocks), least};
    }

    PolicyConfig::CacheAware c_;
    PolicyConfig::LeastLoad wait_;
};
}  // namespace

std::unique_ptr<Policy> make_cache_aware(const PolicyConfig& config) {
    return std::make_unique<CacheAware>(config.cache_aware);
}

}  // namespace weir
