#include "route/booking.h"

#include <algorithm>

#include "kv/active_blocks.h"
#include "policy/policy.h"
#include "route/place.h"
#include "route/queue_gate.h"
#include "route/routing.h"

namespace weir {
namespace {

constexpr auto relaxed = std::memory_order_relaxed;
constexpr uint32_t expected_max = 1 << 20;            // tokens; so that a rank's sum in 1/256 stays within 32 bits
constexpr uint32_t never = UINT32_MAX;

uint32_t blocks_of(uint64_t tokens, uint32_t block) { return static_cast<uint32_t>((tokens + block - 1) / block); }

void add(std::atomic<uint32_t>& to, uint32_t n) { if (n) to.fetch_add(n, relaxed); }
void take(std::atomic<uint32_t>& from, uint32_t n) { if (n) from.fetch_sub(n, relaxed); }

void count_request(LoadCell& cell, uint32_t prompt_tokens) {
    cell.requests.fetch_add(1, relaxed);
    cell.since_requests.fetch_add(1, relaxed);
    add(cell.since_tokens, prompt_tokens);
}
// Last of all: with no request left the fleet may give the cell to another worker.
void discount_request(LoadCell& cell) { cell.requests.fetch_sub(1, std::memory_order_release); }

}  // namespace

struct Booking::Node : ListNode {
    RankRef at;
    Policy* policy = nullptr;                          // null: it does not follow
    Routed routed;
    kv::ActiveBlocks* active = nullptr;
    kv::ActiveBlocks::Hold hold;
    uint32_t unshared = 0;                             // blocks counted without a hold
    uint32_t prefill = 0, context = 0;                 // what stands in the cell
    uint32_t out_q8 = 0, expected_q8 = 0;              // ditto
    uint32_t block = 0, expected_out = never;
    uint32_t grow_at = never;                          // output tokens that make a new block
    bool prefill_done = false, settled = false;
    Instant touched = 0;
    Leases* leases = nullptr;
    route::QueueGate* queue = nullptr;                 // hears when there may be room again

    void touch(Instant now, List<ListNode>& order) {
        if (!linked() || now < touched + ns_per_s) return;   // a second more or less: no need to move it for each token
        touched = now;
        unlink();                                      // it may be the last already
        order.push_back(*this);
    }
    void count_blocks(const Prepared& request, bool reuse) {
        const auto n = static_cast<uint32_t>(request.local_hashes.size());
        if (!reuse) unshared = n;
        uint32_t fresh = n;
        if (reuse) hold = active->hold(at.number, request.local_hashes, fresh);
        if (reuse && !hold) unshared = fresh;          // no room, or no block
        add(at.cell->active_blocks, fresh);
    }
    void count_output(uint32_t out_tokens) {
        const uint64_t prompt = routed.prompt_tokens;
        const uint32_t total = blocks_of(prompt + out_tokens, block), out = total - blocks_of(prompt, block);
        const auto next = static_cast<uint64_t>(total) * block + 1 - prompt;
        grow_at = static_cast<uint32_t>(std::min<uint64_t>(next, never - 1));
        int64_t q8 = int64_t{out} * 256;
        if (expected_out != never) {
            const double f = out_tokens < expected_out ? 1 - static_cast<double>(out_tokens) / expected_out : 0;
            const uint32_t alone = hold ? active->alone(at.number, hold) : unshared;
            q8 = static_cast<int64_t>(f * static_cast<double>(q8) - (1 - f) * 256 * alone);
            const uint32_t to_come = expected_out > out_tokens ? (expected_out - out_tokens) * 256 : 0;
            at.cell->out_expected_q8.fetch_add(to_come - expected_q8, relaxed);
            expected_q8 = to_come;
        }
        add(at.cell->out_blocks_q8, static_cast<uint32_t>(q8) - out_q8);
        out_q8 = static_cast<uint32_t>(q8);
    }
    void settle(const Outcome& outcome) {
        if (std::exchange(settled, true)) return;
        unlink();
        LoadCell& cell = *at.cell;
        take(cell.out_blocks_q8, out_q8);
        take(cell.out_expected_q8, expected_q8);
        take(cell.prefill_tokens, prefill);
        take(cell.context_tokens, context);
        take(cell.active_blocks, hold ? active->release(at.number, hold) : unshared);
        if (policy) policy->ended(routed, at, outcome);
        discount_request(cell);
        if (queue) queue->freed();
    }
};

Booking::Booking(RankRef at) : cell_(at.cell) { count_request(*cell_, 0); }

void Booking::note_prefill_done(Instant now) {
    Node& n = *node_;
    if (n.settled || std::exchange(n.prefill_done, true)) return;
    take(n.at.cell->prefill_tokens, std::exchange(n.prefill, 0));
    if (n.queue) n.queue->freed();
    if (n.policy) n.policy->first_token(n.routed, n.at, now);
    if (n.leases) n.touch(now, n.leases->order_);
}

void Booking::note_growth(uint32_t out_tokens, Instant now) {
    Node& n = *node_;
    if (n.settled) return;
    if (out_tokens >= n.grow_at) n.count_output(out_tokens);
    if (n.leases) n.touch(now, n.leases->order_);
}

void Booking::move(RankRef to) {
    if (!cell_ || to.cell == cell_) return;
    if (node_ && node_->settled) return;
    LoadCell& from = *cell_;
    cell_ = to.cell;
    count_request(*cell_, node_ ? node_->context : 0);
    if (node_) {
        Node& n = *node_;
        const auto moved = n.hold ? n.active->move(n.at.number, to.number, n.hold) : kv::ActiveBlocks::Moved{n.unshared, n.unshared};
        const auto shift = [&](std::atomic<uint32_t> LoadCell::*what, uint32_t left, uint32_t comes) { take(from.*what, left), add(to.cell->*what, comes); };
        shift(&LoadCell::active_blocks, moved.left, moved.fresh);
        shift(&LoadCell::prefill_tokens, n.prefill, n.prefill);
        shift(&LoadCell::context_tokens, n.context, n.context);
        shift(&LoadCell::out_blocks_q8, n.out_q8, n.out_q8);
        shift(&LoadCell::out_expected_q8, n.expected_q8, n.expected_q8);
        n.at = to;
    }
    discount_request(from);
}

void Booking::release(const Outcome& outcome) {
    LoadCell* cell = std::exchange(cell_, nullptr);
    if (!cell) return;
    std::unique_ptr<Node> node(std::exchange(node_, nullptr));
    if (node) node->settle(outcome);
    else discount_request(*cell);
}

void Booking::release_as_cancelled() {
    Outcome outcome;
    outcome.code = Code::cancelled;
    outcome.ended_by = Outcome::client;
    release(outcome);
}

Leases::~Leases() {
    while (auto* node = static_cast<Booking::Node*>(order_.pop_front())) node->leases = nullptr;
}

size_t Leases::expire(Instant now) {
    Outcome outcome;
    outcome.code = Code::deadline;
    outcome.ended_by = Outcome::gateway;
    outcome.end = now;
    size_t n = 0;
    for (; auto* node = static_cast<Booking::Node*>(order_.front()); ++n) {
        if (now < node->touched + lease_ns_) break;
        node->settle(outcome);
    }
    expired_ += n;
    return n;
}

namespace route {

Booking book(const Prepared& request, RankRef at, uint32_t cached_tokens, const Routing& routing, Instant now, Leg::Role role, Leases* leases) {
    Policy& policy = *policy_of(routing, role);
    const uint32_t prompt = request.prompt_tokens;
    const bool blocks = routing.active && !request.local_hashes.empty();
    const bool prefill = routing.track_prefill && role != Leg::decode && prompt != 0;
    const bool output = request.block != 0 && role != Leg::prefill && routing.track_output;
    const bool follows = policy.follows();
    Booking booking;
    booking.cell_ = at.cell;
    if (!blocks && !prefill && !output && !follows) {
        count_request(*at.cell, prompt);
        policy.booked(request, at, now);
        return booking;
    }
    auto* n = booking.node_ = new Booking::Node;
    n->at = at;
    n->active = routing.active.get();
    n->queue = routing.queue;
    n->block = request.block;
    n->routed.prompt_tokens = prompt;
    n->routed.cached_tokens = std::min(cached_tokens, prompt);
    n->routed.prefill_ahead = at.cell->prefill_tokens.load(relaxed);
    n->routed.requests_ahead = at.cell->requests.load(relaxed);
    n->routed.booked = now;
    if (follows) n->policy = &policy;
    n->context = prompt;
    add(at.cell->context_tokens, prompt);
    if (prefill) add(at.cell->prefill_tokens, n->prefill = prompt - n->routed.cached_tokens);
    if (blocks) n->count_blocks(request, routing.assume_reuse && role != Leg::decode);
    if (output) {
        const Hints& hints = *request.hints;
        if (hints.expected_out) n->expected_out = std::min(*hints.expected_out, expected_max);
        n->count_output(0);
    }
    count_request(*at.cell, prompt);
    n->routed.key = policy.booked(request, at, now);
    if (leases) {
        n->leases = leases;
        n->touched = now;
        leases->order_.push_back(*n);
    }
    return booking;
}

}  // namespace route
}  // namespace weir
