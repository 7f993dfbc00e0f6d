// A Slate of n workers with given loads, for tests of policies. Columns are empty until sized.
#pragma once
#include <initializer_list>
#include <string>
#include <vector>

#include "types/worker.h"

namespace weir::testing {

struct Workers {
    explicit Workers(std::vector<uint32_t> loads) : views(loads.size()), cells(loads.size()), ranks(loads.size()), now(loads.size()),
                                                    eligible((loads.size() + 63) / 64, 0), urls(loads.size()) {
        for (size_t i = 0; i < loads.size(); i++) {
            urls[i] = "http://10.0." + std::to_string(i / 250) + "." + std::to_string(i % 250 + 1) + ":8000";
            views[i].key = 77 + i;
            views[i].slot = static_cast<WorkerSlot>(i);
            views[i].instance_id = 1'000 + i;
            views[i].url = urls[i];
            ranks[i] = {&views[i], 0, &cells[i], static_cast<uint32_t>(i)};
            now[i].requests = loads[i];
            eligible[i / 64] |= 1ull << (i % 64);
        }
    }
    void exclude(size_t i) { eligible[i / 64] &= ~(1ull << (i % 64)); }
    void include(size_t i) { eligible[i / 64] |= 1ull << (i % 64); }
    void report(size_t i) { now[i].report_age_ms = 0; }          // a report of nothing; fields can then be set
    void prompt(uint32_t tokens, uint32_t block = 16) {
        prompt_tokens = tokens;
        block_tokens = block;
        request_blocks = tokens / block;
    }
    Slate slate() const {
        Slate s;
        s.ranks = ranks;
        s.eligible = eligible.data();
        s.load = now;
        s.device = device, s.host = host, s.disk = disk, s.shared = shared, s.predicted = predicted, s.active_overlap = active;
        s.matched_chars = matched_chars;
        s.request_blocks = request_blocks, s.prompt_tokens = prompt_tokens, s.block = block_tokens, s.prompt_chars = prompt_chars;
        s.fleet_version = fleet_version;
        s.now = time;
        return s;
    }
    std::vector<WorkerView> views;
    std::vector<LoadCell> cells;
    std::vector<RankRef> ranks;
    std::vector<LoadNow> now;
    std::vector<uint64_t> eligible;
    std::vector<std::string> urls;
    std::vector<uint32_t> device, host, disk, shared, predicted, active, matched_chars;
    uint32_t request_blocks = 0, prompt_tokens = 0, block_tokens = 0, prompt_chars = 0;
    uint64_t fleet_version = 1;
    Instant time = 1'000 * ns_per_s;
};

}  // namespace weir::testing
