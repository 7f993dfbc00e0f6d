#include "policy/choose.h"

namespace weir {
namespace {
// Somebody before us chose: the request names its worker, and route/ has left only that one's ranks eligible. Without a pin there is none.
// Among ranks of the worker: the fewest requests.
class Direct final : public Policy {
public:
    uint32_t needs() const override { return need::load; }
    Pick pick(const Prepared& request, const Slate& slate, Random& random) const override {
        const Hints& hints = *request.hints;
        if (!hints.pin && !hints.prefill_pin) return {0, Pick::none, "no worker named", {}};
        Least least;
        each_eligible(slate, [&](uint32_t i) {
            uint64_t id = slate.ranks[i].worker->instance_id;
            if ((hints.pin && *hints.pin == id) || (hints.prefill_pin && *hints.prefill_pin == id)) least.offer(i, slate.load[i].requests, random);
        });
        if (!least.any()) return {0, Pick::none, "named worker is not eligible", {}};
        return {least.index(), Pick::chosen, "named", {}};
    }
};
}  // namespace

std::unique_ptr<Policy> make_direct(const PolicyConfig&) { return std::make_unique<Direct>(); }

}  // namespace weir
