#include "policy/expected_wait.h"

namespace weir {
namespace {
// The least expected wait (expected_wait.h). All at the cap of waiting requests: wait for one to drain.
class LeastLoad final : public Policy {
public:
    explicit LeastLoad(const PolicyConfig::LeastLoad& c) : c_(c) {}
    uint32_t needs() const override { return need::load; }
    Pick pick(const Prepared&, const Slate& slate, Random& random) const override {
        Least least = least_wait(c_, slate, random, [&](auto&& visit) { each_eligible(slate, visit); });
        if (!least.any()) return {0, Pick::wait, "all have as many waiting as they may", {}};
        return {least.index(), Pick::chosen, "least expected wait", {float(least.cost())}};
    }

private:
    PolicyConfig::LeastLoad c_;
};
}  // namespace

std::unique_ptr<Policy> make_least_load(const PolicyConfig& config) { return std::make_unique<LeastLoad>(config.least_load); }

}  // namespace weir
