// What is replayed: requests with arrival times, lengths and the names of their prompts' blocks; from a trace or made up.
#pragma once
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/result.h"

namespace weir::replay {

struct Request {
    Instant at = 0;                       // since the workload's start
    uint32_t prompt_tokens = 0, out_tokens = 0;
    uint32_t first_block = 0, blocks = 0; // in Workload::blocks; the last one may be partly filled
    uint64_t session = 0;                 // requests of one conversation have it in common; 0: not known
};

struct Workload {
    std::vector<Request> requests;        // in order of arrival
    std::vector<uint64_t> blocks;         // names: equal names, equal tokens and equal tokens before them
    uint32_t block_tokens = 512;
    Instant span = 0;                     // time that the arrivals cover; rate = requests / span
    double rate() const { return span ? static_cast<double>(requests.size()) * ns_per_s / static_cast<double>(span) : 0; }
};

// Mooncake's format: one JSON object a line with timestamp (ms, not descending), input_length, output_length and hash_ids, one per 512
// tokens of input. Its clock ticks coarsely: arrivals of one tick are spread over the time to the next, in their order, by `seed`.
Result<Workload> read_trace(std::string_view text, uint64_t seed);
Workload part_of(const Workload&, double from, double to);   // of the requests, as fractions; times begin at 0

struct SyntheticLoad {
    uint32_t requests = 10'000;
    uint32_t prompt = 4'000, out = 300;   // means; lengths are exponential, at least an eighth and at most eight times that
    double shared = 0.5;                  // of each prompt, what it has in common with the others of its group
    uint32_t groups = 0;                  // 0: nothing is shared
    double skew = 1;                      // of the groups' popularity, Zipf's exponent
    uint32_t turns = 1;                   // of a conversation; each continues the one before it
    uint32_t burst = 1;                   // so many arrive at one instant
    Result<void> check() const;
};
// "groups=50,shared=0.5,burst=16": names of members above. Code::bad_field.
Result<SyntheticLoad> parse_synthetic(std::string_view text);
Workload synthetic(const SyntheticLoad&, uint64_t seed);     // at one request a second; the pace is set by `arrange`

// An arrival of a workload that is played by several users at once.
struct Arrival {
    Instant at;
    uint32_t request;                     // in Workload::requests
    uint32_t copy;                        // whose blocks are its own: no sharing between copies
};
// `copies` of the workload, each begun at another place of it, one after the other `repeat` times, together `rate` requests a second.
std::vector<Arrival> arrange(const Workload&, double rate, uint32_t copies, uint32_t repeat);

// Local hashes of the full engine blocks of a prompt, from the names of its larger blocks.
void expand(const Workload&, const Request&, uint32_t copy, uint32_t engine_block, std::vector<uint64_t>& local);

}  // namespace weir::replay
