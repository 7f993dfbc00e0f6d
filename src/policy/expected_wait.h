// Seconds until a rank has drained what waits there, plus a barrier at a full KV cache:
//   (queued + dispatched since the report) / throughput + kv_weight * k / (1 - k)
// SMG's score (1.13). queued: uncached prompt tokens in the engine's queue, else waiting requests x mean prompt. A rank without a report
// beside others with one: the best of those plus its requests under way at their mean throughput. Nobody reports: requests under way.
#pragma once
#include "policy/choose.h"

namespace weir {

class ExpectedWait {
public:
    // Scores compare only among the candidates that over(visit) gives. For one pick: keeps references.
    template <class Over>
    ExpectedWait(const PolicyConfig::LeastLoad& config, const Slate& slate, Over&& over) : c_(config), slate_(slate) {
        double sum = 0, best = INFINITY;
        uint32_t known = 0;
        bool missing = false;
        over([&](uint32_t i) {
            auto& load = slate.load[i];
            any_report_ |= load.reported();
            missing |= !load.reported();
            if (load.reported() && load.tok_s) sum += load.tok_s, known++;
        });
        nominal_ = known ? sum / known : c_.throughput;
        if (!missing || !any_report_) return;
        over([&](uint32_t i) {
            if (slate.load[i].reported()) best = std::min(best, reported(slate.load[i]));
        });
        peers_ = best;
    }

    double score(uint32_t i) const {
        auto& load = slate_.load[i];
        if (load.reported()) return reported(load);
        return any_report_ ? peers_ + double(load.requests) * c_.prefill / nominal_ : load.requests;
    }

private:
    double reported(const LoadNow& load) const {
        double queued = load.waiting_tokens ? load.waiting_tokens : double(load.waiting) * c_.prefill;
        double sent = load.since_tokens ? load.since_tokens : double(load.since_requests) * c_.prefill;
        double k = std::min(std::max(double(load.usage), 0.0), 0.999);
        return (queued + sent) / (load.tok_s ? load.tok_s : c_.throughput) + c_.kv_weight_s * k / (1 - k);
    }

    const PolicyConfig::LeastLoad& c_;
    const Slate& slate_;
    bool any_report_ = false;
    double nominal_ = 1, peers_ = 0;
};

// The candidate of the least expected wait, equals by chance; none when all have as many waiting as they may.
template <class Over>
Least least_wait(const PolicyConfig::LeastLoad& config, const Slate& slate, Random& random, Over&& over) {
    auto open = [&](auto&& visit) {
        over([&](uint32_t i) {
            auto& load = slate.load[i];
            bool full = config.waiting_max && load.reported() && load.waiting + load.since_requests >= config.waiting_max;
            if (!full) visit(i);
        });
    };
    ExpectedWait wait(config, slate, open);
    Least least;
    open([&](uint32_t i) { least.offer(i, wait.score(i), random); });
    return least;
}

}  // namespace weir
