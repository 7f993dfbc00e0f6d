#include <algorithm>

#include "policy/bucket_window.h"
#include "policy/choose.h"

namespace weir {
namespace {
// SMG's: prompts of like size go to the same worker; bounds between sizes follow the traffic of the last period so that each worker gets
// the same sum. When sums differ by more than spill_abs and spill_rel anyway, the worker with the least. Meant for prefill.
// A size is tokens where they are known, else characters. Buckets are the eligible ranks, in the order of the fleet.
class Bucket final : public Policy {
public:
    explicit Bucket(const PolicyConfig::Bucket& c) : c_(c), window_(c.adjust_ms) {}
    uint32_t needs() const override { return need::tokens | need::text; }
    Pick pick(const Prepared& request, const Slate& slate, Random& random) const override {
        uint64_t size = request.prompt_tokens ? request.prompt_tokens : slate.prompt_tokens ? slate.prompt_tokens : slate.prompt_chars;
        Least least;
        uint64_t most = 0;
        each_eligible(slate, [&](uint32_t i) {
            uint64_t sum = window_.sizes(slate.ranks[i]);
            most = std::max(most, sum);
            least.offer(i, static_cast<double>(sum), random);
        });
        Pick pick{least.index(), Pick::chosen, "uneven: the least", {float(size), float(least.cost()), float(most)}};
        double low = least.cost(), high = static_cast<double>(most);
        if (!(high - low > c_.spill_abs && high > c_.spill_rel * low)) {
            auto bounds = window_.bounds(eligible_count(slate), slate.now);
            auto at = std::lower_bound(bounds->begin(), bounds->end(), size);
            pick.index = nth_eligible(slate, static_cast<uint32_t>(at - bounds->begin()));
            pick.why = "bucket of its size";
        }
        window_.add(slate.ranks[pick.index], size, slate.now);
        return pick;
    }

private:
    PolicyConfig::Bucket c_;
    mutable BucketWindow window_;
};
}  // namespace

std::unique_ptr<Policy> make_bucket(const PolicyConfig& config) { return std::make_unique<Bucket>(config.bucket); }

}  // namespace weir
