// Chooses one of the ranks that can serve a request. One object per (model, leg role), shared by all cores: `pick` is const,
// state that must be shared lives in named structures given at make time (a policy may own atomics of its own).
#pragma once
#include <array>
#include <memory>
#include <span>
#include <string_view>

#include "base/clock.h"
#include "types/prepared.h"
#include "types/worker.h"

namespace weir {

namespace need {   // what route/ gathers into the Slate before pick(); nothing else is in it
inline constexpr uint32_t device = 1, lower_tiers = 2, active = 4, load = 8, text = 16, tokens = 32, key = 64, predicted = 128;
}

struct Pick {
    enum Kind : uint8_t { chosen, wait, none };
    uint32_t index = 0;            // into Slate::ranks, when chosen
    Kind kind = none;
    const char* why = "";          // a static word for the decision log
    std::array<float, 4> terms{};  // cost terms of the choice, policy's own order
};

class Policy {
public:
    virtual ~Policy() = default;
    virtual uint32_t needs() const = 0;   // bits of namespace need
    // At least one rank is eligible. At most 1 us + 8 ns a rank; no locks, no waits, no I/O. Any core.
    virtual Pick pick(const Prepared&, const Slate&, Random&) const = 0;
    virtual void booked(const Prepared&, RankRef) {}   // after the booking
};

struct PolicyConfig {
    std::string_view name;         // as in the table, '-' and '_' alike
};

struct PolicyRow {
    std::string_view name;
    std::unique_ptr<Policy> (*make)(const PolicyConfig&);
    std::string_view what;         // one line for help texts
};
std::span<const PolicyRow> policy_table();
const PolicyRow* find_policy(std::string_view name);   // null: unknown

// Implementations, one file each, no headers.
std::unique_ptr<Policy> make_random(const PolicyConfig&);
std::unique_ptr<Policy> make_round_robin(const PolicyConfig&);
std::unique_ptr<Policy> make_power_of_two(const PolicyConfig&);

// --- for implementations ---
uint32_t eligible_count(const Slate&);
uint32_t nth_eligible(const Slate&, uint32_t n);       // index of the n-th eligible rank, n < eligible_count()

}  // namespace weir
