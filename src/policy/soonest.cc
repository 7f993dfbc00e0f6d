#include "base/clock.h"
#include "policy/choose.h"

namespace weir {
namespace {
constexpr auto relaxed = std::memory_order_relaxed;

// The default: where the first token is expected soonest. In tokens of prefill, per rank:
//   cost = (ahead + (1 + price) * own + per_request * requests) * slowness
// ahead: prompt tokens under way there; own: tokens of this prompt not cached there; requests: each takes its part of every step;
// price: what a token computed twice costs those who come later; slowness: how much slower than the others the rank was found to be.
// Looked at are the ranks that hold a good part of the prompt, and `draws` random ones: whatever is cached, and however old the loads
// are, that is never worse than the lesser of random ones. docs/default-policy.md has the reasons and the figures.
constexpr double price = 3, per_request = 200;
constexpr uint32_t draws = 3;
constexpr uint32_t worth_looking = 16;           // a rank that holds less than a 16th of the prompt is not sought out
constexpr double alike = 1.25;                   // speeds within this factor of the mean are chance
constexpr uint32_t sample_tokens_min = 2'048;    // of prefill ahead and own: shorter waits say more of the step than of the speed
constexpr double forget = 1.0 / 32;              // of what was learned, with each sample

double learned(const std::atomic<uint32_t>& bits) { return std::bit_cast<float>(bits.load(relaxed)); }
void learn(std::atomic<uint32_t>& bits, double value) { bits.store(std::bit_cast<uint32_t>(static_cast<float>(value)), relaxed); }

class Soonest final : public Policy {
public:
    explicit Soonest(const PolicyConfig& config) : load_only_(config.kv.load_only) {}
    uint32_t needs() const override {
        return load_only_ ? need::load : need::load | need::active | need::device | need::predicted | need::tokens;
    }
    bool follows() const override { return true; }

    Pick pick(const Prepared&, const Slate& slate, Random& random) const override {
        const Terms terms(slate, load_only_);
        Least least;
        const char* why = "soonest of a few";
        if (terms.most > 0 && terms.most * worth_looking >= slate.request_blocks)
            each_eligible(slate, [&](uint32_t i) {
                if (terms.held(i) * 2 >= terms.most) least.offer(i, terms.cost(i), random);
            });
        const uint32_t n = eligible_count(slate);
        const double best_holder = least.any() ? least.cost() : INFINITY;
        for (uint32_t k = 0; k < draws; k++) {
            const uint32_t i = nth_eligible(slate, static_cast<uint32_t>(random.below(n)));
            least.offer(i, terms.cost(i), random);
        }
        if (best_holder < INFINITY) why = least.cost() < best_holder ? "sooner than where it is cached" : "soonest where it is cached";
        const uint32_t i = least.index();
        return {i, Pick::chosen, why, {float(slate.load[i].prefill_tokens), float(terms.own(i)), float(terms.slowness(i)), float(least.cost())}};
    }

    // Speed: work and time of what was waited for, each as a decaying sum, so that long waits count as much as they are long.
    void first_token(const Routed& routed, RankRef at, Instant now) override {
        const double work = double(routed.prefill_ahead) + routed.prompt_tokens - routed.cached_tokens;
        if (load_only_ || work < sample_tokens_min || now <= routed.booked) return;
        LoadCell& cell = *at.cell;
        const double tokens = learned(cell.learned_a) * (1 - forget) + work;
        const double seconds = learned(cell.learned_b) * (1 - forget) + static_cast<double>(now - routed.booked) / ns_per_s;
        learn(cell.learned_a, tokens);
        learn(cell.learned_b, seconds);
        cell.prefill_tok_s.store(static_cast<uint32_t>(std::min(std::max(1.0, tokens / seconds), 4e9)), relaxed);
    }

private:
    struct Terms {
        Terms(const Slate& slate, bool load_only) : slate(slate), block(slate.block ? slate.block : 16), load_only(load_only) {
            double sum = 0;
            uint32_t known = 0;
            each_eligible(slate, [&](uint32_t i) {
                most = std::max(most, held(i));
                if (const uint32_t speed = slate.load[i].prefill_tok_s) sum += speed, known++;
            });
            if (known) mean_speed = sum / known;
        }
        // Blocks of requests under way count: they are computed before this one's turn comes.
        uint32_t held(uint32_t i) const { return std::max(std::max(at(slate.device, i), at(slate.predicted, i)), at(slate.active_overlap, i)); }
        double own(uint32_t i) const { return std::max(1.0, slate.prompt_tokens - held(i) * block); }
        double slowness(uint32_t i) const {
            const uint32_t speed = slate.load[i].prefill_tok_s;
            if (!speed || mean_speed == 0) return 1;
            const double ratio = mean_speed / speed;
            return ratio < alike && ratio > 1 / alike ? 1 : ratio;
        }
        double cost(uint32_t i) const {
            const LoadNow& load = slate.load[i];
            const double requests = per_request * load.requests;
            if (load_only) return load.context_tokens + requests;   // they decode only: what they hold is what counts
            return (load.prefill_tokens + (1 + price) * own(i) + requests) * slowness(i);
        }
        const Slate& slate;
        double block, mean_speed = 0;
        uint32_t most = 0;
        bool load_only;
    };
    bool load_only_;
};
}  // namespace

std::unique_ptr<Policy> make_soonest(const PolicyConfig& config) { return std::make_unique<Soonest>(config); }

}  // namespace weir
