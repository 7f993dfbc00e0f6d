// Counts what routing decides, on one core. Series are looked up once for each word.
#pragma once
#include <utility>
#include <vector>

#include "obs/metrics.h"
#include "route/place.h"

namespace weir {

class RoutingMetrics {
public:
    RoutingMetrics(Metrics& all, unsigned core) : all_(all), cells_(all.core(core)) {}
    // `policy` and pick.why: static storage. `took_ns`: of place().
    void chose(const char* policy, Str model, const route::Question&, const route::Choice&, const Slate&, uint64_t took_ns);

private:
    struct Branch { const char *policy, *why; Series series, smg; bool in_smg; };
    Branch& branch(const char* policy, const char* why);
    Metrics& all_;
    CoreMetrics& cells_;
    std::vector<Branch> branches_;
};

}  // namespace weir
