// Why that worker? What a decision saw and chose, kept for a while, and its form as a line of JSON (docs/routing.md).
#pragma once
#include <array>
#include <atomic>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "route/place.h"

namespace weir::route {

struct Decision {                                // plain data, about 1 KB
    static constexpr size_t candidates_max = 8, id_max = 64, model_max = 64;
    struct Candidate {
        WorkerSlot slot = 0;
        EndpointKey key = 0;
        uint64_t instance = 0;
        uint16_t rank = 0;
        uint32_t device = 0, host = 0, disk = 0, shared = 0, predicted = 0, active = 0, matched_chars = 0;   // 0 also where nobody asked
        LoadNow load;
    };
    uint64_t number = 0;                         // of its ring, from 1
    UnixMs at = 0;
    Instant received = 0;                        // steady; for the outcome's times
    std::array<char, id_max> id{};               // longer ones are cut
    std::array<char, model_max> model{};
    uint8_t id_len = 0, model_len = 0, attempt = 1, candidates_n = 0;
    Leg::Role leg = Leg::whole;
    const char *policy = "", *why = "";          // static storage
    std::array<float, 4> terms{};                // of the choice, in the policy's own order
    uint32_t eligible = 0, prompt_tokens = 0, request_blocks = 0, block = 0, prompt_chars = 0, cached_tokens = 0, queue_us = 0;
    Rejects rejects;
    std::array<Candidate, candidates_max> candidates;   // the chosen one first, then by overlap and load
    struct Ending {                              // observed later
        bool known = false;
        int status = 0;
        uint32_t ttft_us = 0, total_us = 0, prompt_tokens = 0, cached_tokens = 0, out_tokens = 0;   // ttft 0: no byte of an answer
    } ending;
    Str request_id() const { return {id.data(), id_len}; }
    Str model_name() const { return {model.data(), model_len}; }
};

// Fills everything but number, times, id and attempt. `scratch` is that of the question.
void describe(const Question&, const Choice&, const Scratch&, const char* policy, Decision& out);

// One line without its end. `url`: of a candidate, empty when not to be told or no longer known.
void append_json(const Decision&, const std::function<Str(const Decision::Candidate&)>& url, std::string& out);

// Such a line, read: what a policy needs to decide again, and what came of it. Members not known are passed over.
struct LoggedDecision {
    std::string id, model, policy, why;
    double at_ms = 0;
    uint32_t eligible = 0, prompt_tokens = 0, request_blocks = 0, block = 0, prompt_chars = 0, cached_tokens = 0;
    uint32_t chosen = 0;                         // index into candidates
    struct Candidate {
        std::string worker;                      // its id, or URL where one is told
        uint64_t instance = 0;
        uint32_t rank = 0, device = 0, host = 0, disk = 0, shared = 0, predicted = 0, active = 0, matched_chars = 0;
        LoadNow load;
    };
    std::vector<Candidate> candidates;
    bool ended = false;
    double ttft_ms = 0;                          // 0: none
    uint32_t observed_prompt_tokens = 0, observed_cached_tokens = 0;
};
Result<LoggedDecision> read_decision(Str line);  // bad_json, bad_field

// The newest decisions of a core. Its thread writes, anybody reads; a short lock, taken for recorded requests only.
class DecisionRing {
public:
    static constexpr size_t size = 1'024;
    // Decides whether a request is recorded: all of them below `all_per_s` in the present second, above it one in `sample_one_in`.
    static constexpr uint32_t all_per_s = 1'000, sample_one_in = 64;
    bool wants(Instant now);
    uint64_t add(Decision decision);             // its number
    void end(uint64_t number, const Decision::Ending&);   // nothing when it was overwritten
    std::vector<Decision> newest(size_t n) const;         // newest first
    std::vector<Decision> of(Str request_id) const;       // all attempts, newest first
    uint64_t added() const { return added_.load(std::memory_order_relaxed); }

private:
    mutable std::mutex mutex_;
    std::vector<Decision> ring_;                 // guarded by mutex_; grows to `size`
    std::atomic<uint64_t> added_{0};
    uint64_t second_ = 0;                        // the core's thread only
    uint32_t in_second_ = 0;
};

}  // namespace weir::route
