// What policies choose with: walks over the eligible ranks, the least of costs, draws by temperature. Nothing allocates.
#pragma once
#include <bit>
#include <cmath>

#include "policy/policy.h"

namespace weir {

template <class F>
void each_eligible(const Slate& slate, F&& visit) {
    for (size_t word = 0; word * 64 < slate.ranks.size(); word++)
        for (uint64_t bits = slate.eligible[word]; bits; bits &= bits - 1)
            visit(static_cast<uint32_t>(word * 64) + static_cast<uint32_t>(std::countr_zero(bits)));
}

// Columns nobody asked for are empty and read as zero.
inline uint32_t at(std::span<const uint32_t> column, uint32_t i) { return column.empty() ? 0 : column[i]; }

// The least of what was offered; of n equals each with probability 1/n, in one pass.
class Least {
public:
    void offer(uint32_t index, double cost, Random& random) {
        if (equals_ && cost > cost_) return;
        equals_ = equals_ && cost == cost_ ? equals_ + 1 : 1;
        cost_ = cost;
        if (equals_ == 1 || random.below(equals_) == 0) index_ = index;
    }
    bool any() const { return equals_ != 0; }
    uint32_t index() const { return index_; }
    uint32_t equals() const { return equals_; }
    double cost() const { return cost_; }

private:
    uint32_t index_ = 0, equals_ = 0;
    double cost_ = 0;
};

// Draws i with probability proportional to exp(-(cost(i) - least) / ((most - least) * temperature)); all equal: evenly.
// over(visit) calls visit(i) for every candidate, cost(i) must give the same each time; at least one candidate, temperature > 0.
template <class Over, class Cost>
uint32_t draw_by_cost(Over&& over, Cost&& cost, double temperature, Random& random) {
    double least = INFINITY, most = -INFINITY;
    uint32_t chosen = 0;
    over([&](uint32_t i) {
        double c = cost(i);
        least = std::min(least, c);
        most = std::max(most, c);
        chosen = i;
    });
    double scale = most > least ? 1 / ((most - least) * temperature) : 0, total = 0;
    over([&](uint32_t i) { total += std::exp((least - cost(i)) * scale); });
    double draw = random.unit() * total;
    bool found = false;
    over([&](uint32_t i) {
        if (found) return;
        draw -= std::exp((least - cost(i)) * scale);
        if (draw < 0) chosen = i, found = true;
    });
    return chosen;                               // rounding left some of the draw over: the last candidate
}

}  // namespace weir
