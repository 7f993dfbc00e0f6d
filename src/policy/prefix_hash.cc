#define XXH_INLINE_ALL
#include <xxhash.h>

#include <cstdio>

#include "policy/choose.h"
#include "policy/ring.h"

namespace weir {
namespace {
// SMG's: the start of the prompt (or the routing key) names a point on the ring of consistent hashing. Its owner is passed over when its
// requests are above mean x load_factor and above mean + balance_abs, for the least loaded that is not; all overloaded: the owner.
// mean = (requests under way + 1) / ranks. The start: the first tokens, or 4 characters for each where there are none.
class PrefixHash final : public Policy {
public:
    explicit PrefixHash(const PolicyConfig::PrefixHash& c) : c_(c) {}
    uint32_t needs() const override { return need::load | need::tokens | need::text | need::key; }

    Pick pick(const Prepared& request, const Slate& slate, Random& random) const override {
        double requests = 0;
        uint32_t ranks = 0;
        each_eligible(slate, [&](uint32_t i) { requests += slate.load[i].requests, ranks++; });
        double mean = (requests + 1) / ranks;
        double limit = requests > 0 ? std::max(mean * c_.load_factor, mean + c_.balance_abs) : INFINITY;
        auto least = [&] {
            Least least;
            each_eligible(slate, [&](uint32_t i) {
                if (slate.load[i].requests <= limit) least.offer(i, slate.load[i].requests, random);
            });
            return least;
        };

        Str start = start_of(request);
        if (start.empty()) {
            Least any = least();
            if (!any.any()) any.offer(nth_eligible(slate, 0), 0, random);
            return {any.index(), Pick::chosen, "nothing to hash: fewest requests", {}};
        }
        char hex[17];
        std::snprintf(hex, sizeof hex, "%016llx", static_cast<unsigned long long>(XXH3_64bits(start.data(), start.size())));
        uint32_t owner = rings_.of(slate)->find(ring_position({hex, 16}), slate);
        Pick pick{owner, Pick::chosen, "prefix", {float(slate.load[owner].requests), float(mean), float(limit)}};
        if (slate.load[owner].requests <= limit) return pick;
        Least other = least();
        pick.why = other.any() ? "owner is busy: fewest requests" : "all are busy: owner";
        if (other.any()) pick.index = other.index();
        return pick;
    }

private:
    Str start_of(const Prepared& request) const {
        if (!request.hints->routing_key.empty()) return request.hints->routing_key;
        if (!request.tokens.empty()) {
            auto first = request.tokens.first(std::min<size_t>(request.tokens.size(), c_.tokens));
            return {reinterpret_cast<const char*>(first.data()), first.size_bytes()};
        }
        size_t chars = size_t{c_.tokens} * 4, end = 0;
        for (; end < request.text.size(); end++)
            if ((static_cast<unsigned char>(request.text[end]) & 0xc0) != 0x80 && chars-- == 0) break;   // the byte begins a character too many
        return request.text.substr(0, end);
    }

    PolicyConfig::PrefixHash c_;
    mutable Rings rings_;
};
}  // namespace

std::unique_ptr<Policy> make_prefix_hash(const PolicyConfig& config) { return std::make_unique<PrefixHash>(config.prefix_hash); }

}  // namespace weir
