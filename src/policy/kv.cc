#include "policy/choose.h"

namespace weir {
namespace {
// Dynamo's KV router: blocks still to compute, less what is cached, plus blocks under way. Lower is better.
//   credit = overlap_credit * decay * device + host_weight * host + disk_weight * disk + shared_multiplier * shared
//   cost   = prefill_load_scale * max(0, (prompt tokens + prefill tokens under way) / block - credit) + active + request_weight * requests
// `decay` is 1 / (1 + credit_decay * blocks of prefill above the least busy rank / request blocks).
class Kv final : public Policy {
public:
    explicit Kv(const PolicyConfig::KvCost& c) : c_(c) {}
    uint32_t needs() const override {
        const uint32_t needs = need::load | need::active;
        if (c_.load_only) return needs;
        if (c_.overlap_credit == 0) return needs | need::tokens;   // what caches hold does not count, the prompt does
        return needs | need::device | need::lower_tiers | need::predicted | need::tokens;
    }

    Pick pick(const Prepared& request, const Slate& slate, Random& random) const override {
        Terms terms(*this, request, slate);
        Pick pick{0, Pick::chosen, "least cost", {}};
        if (c_.temperature > 0) {
            auto over = [&](auto&& visit) { each_eligible(slate, visit); };
            pick.index = draw_by_cost(over, [&](uint32_t i) { return terms.cost(i); }, c_.temperature, random);
            pick.why = "drawn by cost";
        } else {
            Least least;
            each_eligible(slate, [&](uint32_t i) { least.offer(i, terms.cost(i), random); });
            pick.index = least.index();
            if (least.equals() > 1) pick.why = "drawn of equals";
        }
        pick.terms = terms.of(pick.index);
        return pick;
    }

private:
    struct Terms {
        Terms(const Kv& policy, const Prepared& request, const Slate& slate)
            : c(policy.c_), hints(*request.hints), slate(slate), block(slate.block ? slate.block : 16) {
            if (c.credit_decay <= 0 || !prefill()) return;
            double least = INFINITY;
            each_eligible(slate, [&](uint32_t i) { least = std::min(least, double(slate.load[i].prefill_tokens)); });
            prefill_least = least;
            request_blocks = std::max(1.0, std::ceil(slate.prompt_tokens / block));
        }
        bool prefill() const { return c.track_prefill && !c.load_only; }
        [[gnu::always_inline]] double credit(uint32_t i) const {
            if (c.load_only) return 0;
            double decay = 1;
            if (request_blocks > 0)
                decay = 1 / (1 + c.credit_decay * ((slate.load[i].prefill_tokens - prefill_least) / block) / request_blocks);
            double device = std::max(at(slate.device, i), at(slate.predicted, i));
            return c.overlap_credit * decay * device + c.host_weight * at(slate.host, i) + c.disk_weight * at(slate.disk, i) +
                   c.shared_multiplier * at(slate.shared, i);
        }
        [[gnu::always_inline]] double active(uint32_t i) const {        // blocks under way, this request's own included
            if (!c.track_active) return 0;
            auto& load = slate.load[i];
            uint32_t shared = std::min(at(slate.active_overlap, i), slate.request_blocks);
            return double(load.active_blocks) + load.out_blocks + (slate.request_blocks - shared);
        }
        [[gnu::always_inline]] double raw(uint32_t i) const {
            return prefill() ? (double(slate.load[i].prefill_tokens) + slate.prompt_tokens) / block : 0;
        }
        [[gnu::always_inline]] double cost(uint32_t i) const {
            double requests = c.request_weight * slate.load[i].requests;
            double cost = c.credit_on_active && !prefill()
                              ? std::max(0.0, active(i) - credit(i)) + requests
                              : c.prefill_load_scale * std::max(0.0, raw(i) - credit(i)) + active(i) + requests;
            return hints.taints_preferred.empty() ? cost : cost * liking(i);
        }
        double liking(uint32_t i) const {        // of workers that carry taints the request prefers; below 1
            double weight = 0;
            for (auto& wanted : hints.taints_preferred)
                for (Str has : slate.ranks[i].worker->taints)
                    if (has == wanted.name) weight += wanted.weight;
            return std::exp(-std::tanh(weight));
        }
        std::array<float, 4> of(uint32_t i) const {
            return {float(raw(i)), float(credit(i)), float(active(i)), float(cost(i))};
        }

        const PolicyConfig::KvCost& c;
        const Hints& hints;
        const Slate& slate;
        double block, prefill_least = 0, request_blocks = 0;   // request_blocks: 0 without decay
    };

    PolicyConfig::KvCost c_;
};
}  // namespace

std::unique_ptr<Policy> make_kv(const PolicyConfig& config) { return std::make_unique<Kv>(config.kv); }

}  // namespace weir
