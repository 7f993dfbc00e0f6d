// A Slate of n workers with given loads, for tests of policies.
#pragma once
#include <initializer_list>
#include <string>
#include <vector>

#include "types/worker.h"

namespace weir::testing {

struct Workers {
    explicit Workers(std::vector<uint32_t> loads) : views(loads.size()), cells(loads.size()), ranks(loads.size()), now(loads.size()),
                                                    eligible((loads.size() + 63) / 64, 0) {
        for (size_t i = 0; i < loads.size(); i++) {
            views[i].slot = static_cast<WorkerSlot>(i);
            ranks[i] = {&views[i], 0, &cells[i], static_cast<uint32_t>(i)};
            now[i].requests = loads[i];
            eligible[i / 64] |= 1ull << (i % 64);
        }
    }
    void exclude(size_t i) { eligible[i / 64] &= ~(1ull << (i % 64)); }
    Slate slate() const {
        Slate s;
        s.ranks = ranks;
        s.eligible = eligible.data();
        s.load = now;
        return s;
    }
    std::vector<WorkerView> views;
    std::vector<LoadCell> cells;
    std::vector<RankRef> ranks;
    std::vector<LoadNow> now;
    std::vector<uint64_t> eligible;
};

}  // namespace weir::testing
