#include "policy/choose.h"

namespace weir {
namespace {
// Dynamo's dynamo-two-tier-cost-fn: load first, while requests under way differ by more than spill_abs and by more than the factor
// spill_rel; else who holds most of the prompt, if that is more than the threshold's share of its blocks; else the least loaded.
class TwoTier final : public Policy {
public:
    explicit TwoTier(const PolicyConfig::TwoTier& c) : c_(c) {}
    uint32_t needs() const override { return need::load | need::device | need::tokens; }
    Pick pick(const Prepared&, const Slate& slate, Random& random) const override {
        Least idle, nearest;
        uint32_t most = 0, held = 0;
        each_eligible(slate, [&](uint32_t i) {
            const uint32_t requests = slate.load[i].requests;
            most = std::max(most, requests);
            held = std::max(held, at(slate.device, i));
            idle.offer(i, requests, random);
        });
        // Of those that hold as much the one with least to do.
        each_eligible(slate, [&](uint32_t i) {
            if (at(slate.device, i) == held) nearest.offer(i, slate.load[i].requests, random);
        });
        const double least = idle.cost(), high = most;
        const std::array<float, 4> terms{float(high), float(least), float(held), float(slate.request_blocks)};
        if (high - least > c_.spill_abs && high > c_.spill_rel * least) return {idle.index(), Pick::chosen, "uneven: the least loaded", terms};
        if (held > c_.threshold * slate.request_blocks) return {nearest.index(), Pick::chosen, "holds most", terms};
        return {idle.index(), Pick::chosen, "no match", terms};
    }

private:
    PolicyConfig::TwoTier c_;
};
}  // namespace

std::unique_ptr<Policy> make_two_tier(const PolicyConfig& config) { return std::make_unique<TwoTier>(config.two_tier); }

}  // namespace weir
