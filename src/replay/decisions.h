// A log of decisions, decided again: what another policy would have chosen from what was known then.
#pragma once
#include "replay/simulator.h"

namespace weir::replay {

struct Second {                           // thoughts on a log
    struct Change { std::string id, from, to, why; double was = 0, now = 0; };   // cached tokens there
    uint64_t decisions = 0, changed = 0, single = 0;   // single: only one candidate was logged
    double cached_then = 0, cached_now = 0;            // tokens that index and predictions gave the chosen ranks, summed
    double ahead_then = 0, ahead_now = 0;              // prompt tokens under way at the chosen ranks, summed
    std::vector<Change> changes;                       // the first of them
};
inline constexpr size_t changes_shown_max = 20;

// `log`: one JSON object a line (route/decisions.h). Candidates are those logged: a log keeps the best few of each decision.
// bad_field: names the line.
Result<Second> decide_again(std::string_view log, const Contestant&, const PolicyConfig&, uint64_t seed);
std::string second_text(const Second&, const Contestant&);

}  // namespace weir::replay
