#include "policy/choose.h"

namespace weir {
namespace {
// The fewest requests under way; equals by chance.
class LeastLoaded final : public Policy {
public:
    uint32_t needs() const override { return need::load; }
    Pick pick(const Prepared&, const Slate& slate, Random& random) const override {
        Least least;
        each_eligible(slate, [&](uint32_t i) { least.offer(i, slate.load[i].requests, random); });
        return {least.index(), Pick::chosen, "fewest requests", {float(least.cost())}};
    }
};
}  // namespace

std::unique_ptr<Policy> make_least_loaded(const PolicyConfig&) { return std::make_unique<LeastLoaded>(); }

}  // namespace weir
