#include <atomic>

#include "policy/policy.h"

namespace weir {
namespace {
// One counter for all cores: the order is strict whatever core a request lands on.
class RoundRobin final : public Policy {
public:
    uint32_t needs() const override { return 0; }
    Pick pick(const Prepared&, const Slate& slate, Random&) const override {
        uint32_t turn = next_.fetch_add(1, std::memory_order_relaxed) % eligible_count(slate);
        return {nth_eligible(slate, turn), Pick::chosen, "in turn", {}};
    }

private:
    mutable std::atomic<uint32_t> next_{0};
};
}  // namespace

std::unique_ptr<Policy> make_round_robin(const PolicyConfig&) { return std::make_unique<RoundRobin>(); }

}  // namespace weir
