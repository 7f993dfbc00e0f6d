// The one thing of routing that must be exact: a request counts at its rank from booking to release, once, whatever happens.
#pragma once
#include <memory>
#include <utility>

#include "base/list.h"
#include "types/outcome.h"
#include "types/plan.h"
#include "types/prepared.h"
#include "types/worker.h"

namespace weir {

class Booking;
class Leases;
namespace route {
struct Routing;
// Books a leg of the request at the rank, and tells the leg's policy so (Policy::booked). `cached_tokens`: of the prompt, believed to be
// there. A decode leg counts no prefill, and all its blocks for itself: they come from elsewhere. Any core; no waits.
Booking book(const Prepared&, RankRef, uint32_t cached_tokens, const Routing&, Instant now, Leg::Role role = Leg::whole, Leases* leases = nullptr);
}  // namespace route

// Move-only guard; its destructor releases as cancelled. Two pointers as long as only requests are counted; a node of about 200 bytes when
// blocks, prompt tokens or output are, or when the policy follows the request. One thread at a time.
// The cells outlive every booking (fleet/fleet.h); so must the Routing, and the FleetView of the RankRef while the node lives.
// What it adds to a cell (types/worker.h) it takes away by release:
//   requests        1
//   prefill_tokens  prompt tokens that are not cached there, until prefill_done
//   context_tokens  prompt tokens
//   active_blocks   prompt blocks no other request there has (kv/active_blocks.h); all of them with assume_reuse off or without room
//   out_blocks_q8   f * out - (1 - f) * alone, in 1/256, as of the newest block: out = ceil((prompt + out_tokens) / block) -
//                   ceil(prompt / block), alone = prompt blocks that no other request there has, f = max(0, 1 - out_tokens / expected)
//                   or 1 when the request does not say what it expects. Two's complement: it may be negative for a rank. (Dynamo's decay.)
//   out_expected_q8 expected output tokens still to come, in 1/256
// and it only adds to since_requests and since_tokens (prompt tokens), which a load report sets to zero.
class Booking {
public:
    Booking() = default;
    explicit Booking(RankRef at);                      // counts a request and nothing else
    Booking(Booking&& o) noexcept : cell_(std::exchange(o.cell_, nullptr)), node_(std::exchange(o.node_, nullptr)) {}
    Booking& operator=(Booking&& o) noexcept {
        if (this != &o) {
            release();
            cell_ = std::exchange(o.cell_, nullptr);
            node_ = std::exchange(o.node_, nullptr);
        }
        return *this;
    }
    ~Booking() { release(); }

    void prefill_done(Instant now) { if (node_) note_prefill_done(now); }              // at the first output token; later calls do nothing
    void grow(uint32_t out_tokens, Instant now) { if (node_) note_growth(out_tokens, now); }   // in all, as often as you like: counts every block
    void move(RankRef to);                             // served elsewhere: all that is left of it counts there. The policy hears of `to` at the end
    void release(const Outcome&);
    void release() { if (cell_) release_as_cancelled(); }
    explicit operator bool() const { return cell_ != nullptr; }
    bool follows() const { return node_ != nullptr; }  // prefill_done and grow are of use

    struct Node;

private:
    friend Booking route::book(const Prepared&, RankRef, uint32_t, const route::Routing&, Instant, Leg::Role, Leases*);
    friend class Leases;
    void note_prefill_done(Instant);
    void note_growth(uint32_t out_tokens, Instant);
    void release_as_cancelled();
    LoadCell* cell_ = nullptr;                         // null: nothing is booked
    Node* node_ = nullptr;
};

// Bookings of one core that nobody has touched for long (a stream somebody forgot) are taken out of the accounts; their guards stay, empty.
class Leases {
public:
    static constexpr uint64_t lease_ns_default = 300 * ns_per_s;
    explicit Leases(uint64_t lease_ns = lease_ns_default) : lease_ns_(lease_ns) {}
    ~Leases();
    Leases(const Leases&) = delete;
    size_t expire(Instant now);                        // how many; call it every 30 s or so
    uint64_t expired() const { return expired_; }

private:
    friend class Booking;
    friend Booking route::book(const Prepared&, RankRef, uint32_t, const route::Routing&, Instant, Leg::Role, Leases*);
    uint64_t lease_ns_, expired_ = 0;
    List<ListNode> order_;                             // of Booking::Node, least recently touched first
};

}  // namespace weir
