#include "policy/policy.h"

namespace weir {
namespace {
class RandomChoice final : public Policy {
public:
    uint32_t needs() const override { return 0; }
    Pick pick(const Prepared&, const Slate& slate, Random& random) const override {
        return {nth_eligible(slate, static_cast<uint32_t>(random.below(eligible_count(slate)))), Pick::chosen, "drawn", {}};
    }
};
}  // namespace

std::unique_ptr<Policy> make_random(const PolicyConfig&) { return std::make_unique<RandomChoice>(); }

}  // namespace weir
