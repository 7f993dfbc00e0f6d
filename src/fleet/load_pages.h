// What engines say of their load, read: pages of SGLang and vLLM.
#pragma once
#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "fleet/fleet.h"

namespace weir {

struct RankLoad {                        // of one data parallel rank, as the engine counts them
    uint32_t rank = 0;
    uint32_t running = 0, waiting = 0;                   // requests
    std::optional<double> usage;                         // of the KV cache, 0..1
    std::optional<uint32_t> waiting_tokens;              // prompt tokens in the queue that are not cached
    std::optional<uint32_t> used_tokens, total_tokens;   // of the KV cache
    std::optional<double> tok_s, hit_rate;               // tokens generated a second; share of prompt tokens found in the cache
    bool operator==(const RankLoad&) const = default;
};
using RankLoads = std::vector<RankLoad>;                 // by rank, ascending; never empty

inline constexpr size_t load_ranks_max = 1'024;

// Failures: engine_garbage: not such a page, or one that says nothing of load; more than load_ranks_max ranks are garbage too.
Result<RankLoads> read_loads_page(std::string_view json);      // GET /v1/loads: {"loads": [{"dp_rank": ...}]}
Result<RankLoads> read_get_load_page(std::string_view json);   // GET /get_load, older: [{"dp_rank", "num_reqs", "num_waiting_reqs", "num_tokens"}]
// The gauges on /metrics, "vllm:*", "sglang:*" or "sglang_*". Without the share of the KV cache in use it is no load: a worker of
// unknown pressure would look idle.
Result<RankLoads> read_metrics_page(std::string_view text);

RankLoad sum_of(const RankLoads&);       // of the whole engine: requests, tokens and speed added, shares averaged; rank 0
LoadReport report_of(const RankLoad&, uint32_t block);   // `block`: tokens, at least 1

}  // namespace weir
