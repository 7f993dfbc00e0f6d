#include <charconv>

#include "policy/choose.h"
#include "policy/ring.h"

namespace weir {
namespace {
// SMG's: the worker a request names by number, in the order of the fleet and without a second try; else the owner of its routing key on the
// ring; else any.
class ConsistentHashing final : public Policy {
public:
    uint32_t needs() const override { return need::key | need::implicit_key; }
    Pick pick(const Prepared& request, const Slate& slate, Random& random) const override {
        const Hints& hints = *request.hints;
        if (!hints.target_worker.empty()) return named(request, slate);
        if (!hints.routing_key.empty()) return {rings_.of(slate)->find(ring_position(hints.routing_key), slate), Pick::chosen, "routing key", {}};
        return {nth_eligible(slate, static_cast<uint32_t>(random.below(eligible_count(slate)))), Pick::chosen, "no key: drawn", {}};
    }

private:
    static bool serves(const WorkerView& worker, Str model) {
        if (worker.models.empty() || model.empty()) return true;
        for (Str served : worker.models)
            if (served == model) return true;
        return false;
    }

    static Pick named(const Prepared& request, const Slate& slate) {
        Str text = request.hints->target_worker;
        uint32_t n = 0;
        auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), n);
        if (error != std::errc() || end != text.data() + text.size()) return {0, Pick::none, "target is no number", {}};
        for (uint32_t i = 0; i < slate.ranks.size(); i++) {
            if (!serves(*slate.ranks[i].worker, request.model) || n-- > 0) continue;
            if (slate.may(i)) return {i, Pick::chosen, "target", {}};
            return {0, Pick::none, "target is not eligible", {}};
        }
        return {0, Pick::none, "no such target", {}};
    }

    mutable Rings rings_;
};
}  // namespace

std::unique_ptr<Policy> make_consistent_hashing(const PolicyConfig&) { return std::make_unique<ConsistentHashing>(); }

}  // namespace weir
