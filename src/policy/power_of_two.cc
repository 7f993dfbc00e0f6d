#include "policy/policy.h"

namespace weir {
namespace {
// Two different workers at random, the one with fewer requests in flight; equal loads: the first drawn, which is a fair coin.
class PowerOfTwo final : public Policy {
public:
    uint32_t needs() const override { return need::load; }
    Pick pick(const Prepared&, const Slate& slate, Random& random) const override {
        uint32_t n = eligible_count(slate);
        uint32_t first = static_cast<uint32_t>(random.below(n));
        uint32_t a = nth_eligible(slate, first);
        if (n == 1) return {a, Pick::chosen, "only one", {}};
        uint32_t b = nth_eligible(slate, (first + 1 + static_cast<uint32_t>(random.below(n - 1))) % n);
        uint32_t load_a = slate.load[a].requests, load_b = slate.load[b].requests;
        Pick pick{load_b < load_a ? b : a, Pick::chosen, "less loaded of two", {}};
        pick.terms = {static_cast<float>(load_a), static_cast<float>(load_b)};
        return pick;
    }
};
}  // namespace

std::unique_ptr<Policy> make_power_of_two(const PolicyConfig&) { return std::make_unique<PowerOfTwo>(); }

}  // namespace weir
