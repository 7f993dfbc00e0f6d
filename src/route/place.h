// Candidates -> columns -> filters -> policy -> choice. A plain function of the request, the fleet's view and what routes the model:
// no sockets and no waiting, so that the simulator calls it as it is.
#pragma once
#include <array>
#include <memory>
#include <span>
#include <vector>

#include "base/result.h"
#include "fleet/fleet.h"
#include "kv/matcher.h"
#include "policy/policy.h"
#include "route/filter.h"
#include "route/routing.h"
#include "types/plan.h"

namespace weir::route {

struct Question {
    const Prepared& request;
    const FleetView& fleet;
    const Routing& routing;
    Leg::Role role = Leg::whole;
    std::span<const WorkerSlot> exclude;         // tried already
    Instant now = 0;
    enum class Queue : uint8_t { never, join, turn } queue = Queue::never;   // join: waits for room, and behind who waits; turn: for room
    uint32_t queue_class = 0;                    // with turn: where it waited
};

struct Choice {
    RankRef at;                                  // null when pick.kind is wait; cached_tokens then: at the rank that holds most
    Pick pick;
    uint32_t candidates = 0;                     // ranks the policy chose from
    Overlap overlap;                             // at the chosen rank, in blocks
    uint32_t predicted = 0, matched_chars = 0;   // ... blocks believed to be there; characters of the routing text
    uint32_t cached_tokens = 0;                  // of the prompt, as far as index or text tell
    uint32_t queue_class = 0;                    // of the router's queue
    LoadNow load;                                // of the chosen rank, before this request
    Rejects rejects;                             // ranks that were left out, and why
};

// Working memory of one core: columns over the ranks of a fleet, and the lookups into shared structures. Nothing is allocated by a
// question once the columns have grown to the fleet and the structures were seen before.
class Scratch {
public:
    Scratch() = default;
    Scratch(const Scratch&) = delete;
    const Slate& slate() const { return slate_; }            // of the last question, until the next; for explanations
    std::span<const uint64_t> eligible() const { return eligible_; }

private:
    friend Result<Choice> place(const Question&, Scratch&, Random&);
    struct Lookups {                             // what this core reads a model's structures with
        std::shared_ptr<kv::KvIndex> index;
        std::shared_ptr<kv::TextIndex> text;
        std::shared_ptr<kv::ActiveBlocks> active;
        std::unique_ptr<kv::Matcher> matcher;
        std::unique_ptr<kv::TextIndex::Lookup> text_lookup;
        std::unique_ptr<kv::ActiveBlocks::Lookup> active_lookup;
    };
    static constexpr size_t lookups_max = 16;    // models whose lookups are kept; the one used longest ago makes room
    Lookups& lookups(const Routing&);
    void know(const FleetView&);
    void gather(const Question&, uint32_t needs);
    void gather_overlap(const Question&, uint32_t needs);
    void gather_load(const Question&);
    uint32_t most_cached() const;
    uint32_t queue_class(const Question&) const;
    void describe(Choice&, const Question&) const;
    std::vector<uint64_t> eligible_;
    std::vector<uint32_t> device_, host_, disk_, shared_, predicted_, active_, chars_;
    std::vector<LoadNow> load_;
    const FleetView* known_ = nullptr;           // of which roles_differ_ is true ...
    uint64_t known_version_ = 0;                 // ... in this version
    bool roles_differ_ = false;
    Slate slate_;
    std::vector<std::unique_ptr<Lookups>> lookups_;
};

// The policy of a leg.
inline const std::shared_ptr<Policy>& policy_of(const Routing& routing, Leg::Role role) {
    const std::shared_ptr<Policy>& own = role == Leg::prefill ? routing.prefill : role == Leg::decode ? routing.decode : routing.whole;
    return own ? own : routing.whole;
}
// Bits of namespace need, of all legs: what prepare must work out before a request can be placed.
uint32_t needs_of(const Routing&);
// As it is now; reads relaxed.
LoadNow load_now(const LoadCell&, Instant now);

// Failures: model_unknown: nobody serves the name; no_worker: somebody does, but none may take this request now (detail: why);
// bad_field: the request is pinned to a worker that is not there. pick.kind is chosen or wait.
// The policy is not told (Policy::booked): book() does that.
Result<Choice> place(const Question&, Scratch&, Random&);
// After the booking: what the chosen rank will hold soon, and whose session it serves, where the model's routing goes by such things.
void remember(const Question&, const Choice&);

}  // namespace weir::route
