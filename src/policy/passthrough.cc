#include "policy/choose.h"

namespace weir {
namespace {
// Always the first that may serve: for one worker behind the gateway, or strict failover in the order given.
class Passthrough final : public Policy {
public:
    uint32_t needs() const override { return 0; }
    Pick pick(const Prepared&, const Slate& slate, Random&) const override { return {nth_eligible(slate, 0), Pick::chosen, "first", {}}; }
};
}  // namespace

std::unique_ptr<Policy> make_passthrough(const PolicyConfig&) { return std::make_unique<Passthrough>(); }

}  // namespace weir
