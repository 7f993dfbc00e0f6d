#include "policy/choose.h"

namespace weir {
namespace {
// Workers on CPUs beside workers with accelerators: requests under way per unit of throughput decide between the two kinds, the fewest
// requests within. A CPU worker weighs 1, another `ratio`; equal: the accelerators. One kind only: the fewest requests.
class DeviceAware final : public Policy {
public:
    explicit DeviceAware(double ratio) : ratio_(ratio) {}
    uint32_t needs() const override { return need::load; }
    Pick pick(const Prepared&, const Slate& slate, Random& random) const override {
        Least cpu, other;
        double cpu_requests = 0, other_requests = 0, cpus = 0, others = 0;
        each_eligible(slate, [&](uint32_t i) {
            bool is_cpu = slate.ranks[i].worker->cpu;
            double requests = slate.load[i].requests;
            (is_cpu ? cpu : other).offer(i, requests, random);
            (is_cpu ? cpu_requests : other_requests) += requests;
            (is_cpu ? cpus : others) += 1;
        });
        // requests / (workers x weight), cross-multiplied; the budget of CPUs is what accelerators carry per unit
        bool to_cpu = others == 0 || (cpus > 0 && cpu_requests * ratio_ * others < other_requests * cpus);
        const Least& least = to_cpu ? cpu : other;
        return {least.index(), Pick::chosen, to_cpu ? "cpu" : "accelerator", {float(cpu_requests), float(other_requests), float(least.cost())}};
    }

private:
    double ratio_;
};
}  // namespace

std::unique_ptr<Policy> make_device_aware_weighted(const PolicyConfig& config) { return std::make_unique<DeviceAware>(config.accelerator_ratio); }

}  // namespace weir
