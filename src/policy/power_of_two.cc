#include "policy/expected_wait.h"

namespace weir {
namespace {
// Two different workers at random, the one with fewer requests in flight, or the shorter expected wait of the two (expected_wait.h).
// Equals: the first drawn, which is a fair coin.
class PowerOfTwo final : public Policy {
public:
    explicit PowerOfTwo(const PolicyConfig& config) : requests_(config.power_of_two_requests), wait_(config.least_load) {}
    uint32_t needs() const override { return need::load; }
    Pick pick(const Prepared&, const Slate& slate, Random& random) const override {
        uint32_t n = eligible_count(slate);
        uint32_t first = static_cast<uint32_t>(random.below(n));
        uint32_t a = nth_eligible(slate, first);
        if (n == 1) return {a, Pick::chosen, "only one", {}};
        uint32_t b = nth_eligible(slate, (first + 1 + static_cast<uint32_t>(random.below(n - 1))) % n);
        auto [load_a, load_b] = loads(slate, a, b);
        return {load_b < load_a ? b : a, Pick::chosen, "less loaded of two", {float(load_a), float(load_b)}};
    }

private:
    std::pair<double, double> loads(const Slate& slate, uint32_t a, uint32_t b) const {
        if (requests_) return {slate.load[a].requests, slate.load[b].requests};
        ExpectedWait wait(wait_, slate, [&](auto&& visit) {
            visit(a);
            visit(b);
        });
        return {wait.score(a), wait.score(b)};
    }

    bool requests_;
    PolicyConfig::LeastLoad wait_;
};
}  // namespace

std::unique_ptr<Policy> make_power_of_two(const PolicyConfig& config) { return std::make_unique<PowerOfTwo>(config); }

}  // namespace weir
