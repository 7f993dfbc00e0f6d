#include "policy/assign.h"
#include "policy/sticky_map.h"

namespace weir {
namespace {
// SMG's: a routing key stays with its worker as long as that is eligible, then with its second one; neither: a new one is assigned behind
// what is known, so that the key returns to the first. Without a key the assignment rule decides each time. New workers are drawn, or have
// the fewest requests, or the fewest keys with requests under way; there is nobody to delegate to, so that means the fewest requests.
class Manual final : public Policy {
public:
    explicit Manual(const PolicyConfig::Manual& c)
        : rule_(c.assignment), pins_(c.entries_max, c.idle_ms), loads_(rule_ == c.min_group ? std::make_unique<KeyLoads>() : nullptr) {}
    uint32_t needs() const override { return need::key | need::load; }
    bool follows() const override { return loads_ != nullptr; }

    Pick pick(const Prepared& request, const Slate& slate, Random& random) const override {
        Str routing_key = request.hints->routing_key;
        if (routing_key.empty()) return {assign(slate, random), Pick::chosen, "no key", {}};
        auto key = StickyMap::key_of(routing_key);
        auto pins = pins_.find(key, slate.now);
        const char* why = "pinned";
        for (int tries = 0; tries < 3; tries++) {    // somebody else may pin the key meanwhile
            for (auto& pin : pins)
                if (uint32_t i = StickyMap::place(pin, slate); i != UINT32_MAX) return {i, Pick::chosen, why, {}};
            why = pins[0].id ? "pinned ones are not eligible: assigned" : "assigned";
            uint32_t i = assign(slate, random);
            pins = pins_.put(key, {StickyMap::id_of(slate.ranks[i]), i}, StickyMap::last, pins, slate.now);
        }
        return {assign(slate, random), Pick::chosen, "assigned", {}};
    }

    uint64_t booked(const Prepared& request, RankRef rank, Instant) override {
        if (!loads_ || request.hints->routing_key.empty()) return 0;
        uint64_t key = StickyMap::key_of(request.hints->routing_key).lo | 1;
        loads_->begin(key, rank);
        return key;
    }
    void ended(const Routed& routed, RankRef rank, const Outcome&) override {
        if (loads_ && routed.key) loads_->end(routed.key, rank);
    }

private:
    uint32_t assign(const Slate& slate, Random& random) const { return assign_worker(rule_, slate, loads_.get(), random); }

    PolicyConfig::Manual::Assignment rule_;
    mutable StickyMap pins_;
    std::unique_ptr<KeyLoads> loads_;            // only where the rule asks
};
}  // namespace

std::unique_ptr<Policy> make_manual(const PolicyConfig& config) { return std::make_unique<Manual>(config.manual); }

}  // namespace weir
