// Fault rules of simulated engines: parsed from text, and matched against requests. The grammar is in src/mocker/README.md.
#pragma once
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/result.h"

namespace weir::sim {

inline constexpr uint64_t forever_ms = ~uint64_t{0};
inline constexpr size_t fault_rules_max = 64;

// What goes wrong with one answer. Several rules may add up; of two that set the same thing the later one wins.
struct Fault {
    enum Wrong : uint8_t { none, nothing, garbage_head, short_length, long_length, half_chunk, bad_json, bad_utf8, cut_sse };
    enum Drop : uint8_t { stay, fin, reset };
    int status = 0;               // answer with it instead
    uint64_t stall_ms = 0;        // wait so long
    uint32_t stall_after = 0;     // ... after so many tokens; 0: before the first byte
    double slow = 1;              // the answer takes so many times longer
    Drop drop = stay;             // close the connection
    uint32_t drop_after = 0;      // ... after so many tokens
    Wrong wrong = none;
    uint32_t wrong_after = 0;     // tokens before the wrong bytes
    bool close_after = false;     // the connection ends with the answer
    bool announce = true;         // ... and the answer says so
    uint64_t idle_close_ms = 0;   // the connection ends so long after the answer, unannounced; 0: no
    bool any() const { return status || stall_ms || slow != 1 || drop || wrong || close_after || idle_close_ms; }
};

struct FaultRule {
    enum Kind : uint8_t { status, stall, drop, slow, wrong, close_each, close_idle, refuse } kind = status;
    // which requests: all conditions hold
    uint64_t nth = 0, every = 0, times = 0;   // of the requests that the other conditions let through; 0: not asked
    double chance = 1;
    std::string path;                         // prefix; empty: every generating or embedding route
    int64_t engine = -1;                      // of the process; -1: all
    uint64_t from_ms = 0, for_ms = forever_ms;   // since the start
    Fault what;
};

// "kind:key=value,key=value"; several are separated by ';'. Code::bad_field with what is wrong and where.
Result<FaultRule> parse_fault(std::string_view text);
Result<std::vector<FaultRule>> parse_faults(std::string_view text);

// The rules of one engine with their counts. One thread.
class FaultPlan {
public:
    FaultPlan() = default;
    FaultPlan(std::vector<FaultRule> rules, uint32_t engine, uint64_t seed, Instant start);
    // Counts the request. `generating`: the route makes tokens or vectors.
    Fault on_request(std::string_view path, bool generating, Instant now);
    // Rules that came with one request (header x-weir-fault): conditions on counts do not apply.
    static Fault of_header(const std::vector<FaultRule>&);
    bool refusing(Instant now) const;             // new connections are refused now
    Instant refusing_changes(Instant now) const;  // when that changes next; 0: never
    bool empty() const { return rules_.empty(); }
    uint64_t hits() const { return hits_; }

private:
    struct Counted { FaultRule rule; uint64_t seen = 0, hits = 0; };
    bool in_window(const FaultRule&, Instant now) const;
    std::vector<Counted> rules_;
    Random random_{0};
    Instant start_ = 0;
    uint64_t hits_ = 0;
};

}  // namespace weir::sim
