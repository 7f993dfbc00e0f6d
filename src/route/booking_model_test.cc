// Bookings that follow their request: each sum by hand, and all of them zero after any end.
//   WEIR_ROUTE_REQUESTS   requests of the property test (default 20,000)
#include <gtest/gtest.h>

#include <cstdlib>
#include <thread>

#include "kv/active_blocks.h"
#include "route/booking.h"
#include "route/routing.h"

namespace weir {
namespace {

struct Follower final : Policy {
    std::atomic<uint64_t> booked_n{0}, first_tokens{0}, ended_n{0}, keys{0};
    bool follows_ = true;
    uint32_t needs() const override { return need::load; }
    Pick pick(const Prepared&, const Slate&, Random&) const override { return {}; }
    uint64_t booked(const Prepared&, RankRef, Instant) override {
        const uint64_t key = ++booked_n;
        keys += key;
        return key;
    }
    void first_token(const Routed& r, RankRef at, Instant) override {
        EXPECT_NE(at.cell, nullptr);
        EXPECT_NE(r.key, 0u);
        ++first_tokens;
    }
    void ended(const Routed& r, RankRef, const Outcome&) override {
        keys -= r.key;
        ++ended_n;
    }
    bool follows() const override { return follows_; }
};

struct Request {
    std::vector<uint64_t> local;
    Hints hints;
    Prepared prepared;
    Request(uint32_t prompt_tokens, uint64_t path, uint32_t own_from = UINT32_MAX, uint64_t own = 0) {
        for (uint32_t i = 0; i < prompt_tokens / 16; ++i) local.push_back(mix64(path * 1'000'003 + i + (i >= own_from ? own << 32 : 0)));
        prepared.local_hashes = local;
        prepared.block = 16;
        prepared.prompt_tokens = prompt_tokens;
        prepared.hints = &hints;
    }
};

struct FollowedBooking : testing::Test {
    WorkerView worker;
    std::vector<LoadCell> cells{4};
    std::shared_ptr<Follower> policy = std::make_shared<Follower>();
    route::Routing routing;
    FollowedBooking() {
        routing.whole = policy;
        routing.active = *kv::ActiveBlocks::make(1 << 20);
        routing.track_output = true;
    }
    RankRef at(uint32_t i) { return {&worker, 0, &cells[i], i}; }
    Booking book(const Request& r, uint32_t i, uint32_t cached = 0, Leg::Role role = Leg::whole, Leases* leases = nullptr) {
        return route::book(r.prepared, at(i), cached, routing, 1, role, leases);
    }
    void expect_nothing_left() {
        for (auto& c : cells) {
            EXPECT_EQ(c.requests, 0u);
            EXPECT_EQ(c.prefill_tokens, 0u);
            EXPECT_EQ(c.context_tokens, 0u);
            EXPECT_EQ(c.active_blocks, 0u);
            EXPECT_EQ(c.out_blocks_q8, 0u);
            EXPECT_EQ(c.out_expected_q8, 0u);
        }
        EXPECT_EQ(routing.active->nodes(), 0u);
        EXPECT_EQ(policy->booked_n, policy->ended_n);
        EXPECT_EQ(policy->keys, 0u);
    }
};

TEST_F(FollowedBooking, CountsAPromptUntilItsFirstToken) {
    Request r(100, 1);
    Booking b = book(r, 0, 32);
    EXPECT_EQ(cells[0].requests, 1u);
    EXPECT_EQ(cells[0].prefill_tokens, 68u);
    EXPECT_EQ(cells[0].context_tokens, 100u);
    EXPECT_EQ(cells[0].active_blocks, 6u);
    EXPECT_EQ(cells[0].since_requests, 1u);
    EXPECT_EQ(cells[0].since_tokens, 100u);
    Booking same = book(r, 0, 100);
    EXPECT_EQ(cells[0].prefill_tokens, 68u) << "all of it is cached";
    EXPECT_EQ(cells[0].active_blocks, 6u) << "shared";
    b.prefill_done(2);
    b.prefill_done(3);
    EXPECT_EQ(cells[0].prefill_tokens, 0u);
    EXPECT_EQ(policy->first_tokens, 1u);
    b.release();
    EXPECT_EQ(cells[0].active_blocks, 6u);
    same.release();
    expect_nothing_left();
    EXPECT_EQ(cells[0].since_requests, 2u) << "only a report resets it";
}

TEST_F(FollowedBooking, OutputCountsByBlocksAndFadesWithWhatIsExpected) {
    Request plain(100, 1), hinted(96, 2);
    Booking b = book(plain, 0);
    for (uint32_t out = 0; out <= 12; ++out) b.grow(out, 2);
    EXPECT_EQ(cells[0].out_blocks_q8, 0u) << "112 tokens are the 7 blocks the prompt began";
    b.grow(13, 2);
    EXPECT_EQ(cells[0].out_blocks_q8, 256u);
    b.grow(28, 2);
    EXPECT_EQ(cells[0].out_blocks_q8, 256u);
    b.grow(100, 2);
    EXPECT_EQ(cells[0].out_blocks_q8, 6 * 256u);
    hinted.hints.expected_out = 64;
    Booking h = book(hinted, 1);
    EXPECT_EQ(cells[1].out_expected_q8, 64 * 256u);
    h.grow(16, 2);   // one block of output, a quarter of the way: 0.75 of it and of the six blocks nobody shares
    EXPECT_EQ(static_cast<int32_t>(cells[1].out_blocks_q8), 256 * 3 / 4 - 6 * 256 / 4);
    EXPECT_EQ(cells[1].out_expected_q8, 48 * 256u);
    h.grow(80, 2);
    EXPECT_EQ(static_cast<int32_t>(cells[1].out_blocks_q8), -6 * 256);
    EXPECT_EQ(cells[1].out_expected_q8, 0u);
    h.release(), b.release();
    expect_nothing_left();
}

TEST_F(FollowedBooking, MovesAllThatIsLeftOfIt) {
    Request r(160, 1);
    Booking other = book(r, 2), b = book(r, 0);
    b.grow(40, 2);
    b.move(at(2));
    EXPECT_EQ(cells[0].requests, 0u);
    EXPECT_EQ(cells[0].active_blocks, 0u);
    EXPECT_EQ(cells[0].prefill_tokens, 0u);
    EXPECT_EQ(cells[0].out_blocks_q8, 0u);
    EXPECT_EQ(cells[2].requests, 2u);
    EXPECT_EQ(cells[2].prefill_tokens, 320u);
    EXPECT_EQ(cells[2].active_blocks, 10u);
    EXPECT_EQ(cells[2].out_blocks_q8, 3 * 256u);
    b.move(at(2));
    EXPECT_EQ(cells[2].requests, 2u);
    Booking plain(at(1));
    plain.move(at(3));
    EXPECT_EQ(cells[1].requests, 0u);
    EXPECT_EQ(cells[3].requests, 1u);
    plain.release(), b.release(), other.release();
    expect_nothing_left();
}

TEST_F(FollowedBooking, ADecodeLegComputesNothingAndSharesNothing) {
    Request r(64, 1);
    Booking a = book(r, 0, 0, Leg::decode), b = book(r, 0, 0, Leg::decode);
    EXPECT_EQ(cells[0].prefill_tokens, 0u);
    EXPECT_EQ(cells[0].active_blocks, 8u);
    Booking prefill = book(r, 1, 0, Leg::prefill);
    prefill.grow(100, 2);
    EXPECT_EQ(cells[1].out_blocks_q8, 0u) << "its output is somebody else's";
    a.release(), b.release(), prefill.release();
    routing.assume_reuse = false;
    Booking c = book(r, 0), d = book(r, 0);
    EXPECT_EQ(cells[0].active_blocks, 8u);
    c.release(), d.release();
    expect_nothing_left();
}

TEST_F(FollowedBooking, NothingToFollowNeedsNoNode) {
    policy->follows_ = false;
    routing.active = nullptr;
    Prepared unknown;
    Booking b = route::book(unknown, at(0), 0, routing, 1);
    EXPECT_FALSE(b.follows());
    EXPECT_EQ(policy->booked_n, 1u) << "the policy hears of it all the same";
    EXPECT_EQ(cells[0].requests, 1u);
    static_assert(sizeof(Booking) == 2 * sizeof(void*));
    routing.track_prefill = routing.track_output = false;
    Request r(64, 1);
    EXPECT_FALSE(book(r, 0).follows());
    b.release();
    EXPECT_EQ(cells[0].requests, 0u);
}

TEST_F(FollowedBooking, WithoutRoomAllBlocksCount) {
    routing.active = *kv::ActiveBlocks::make(kv::ActiveBlocks::bytes_min);
    Request big(16 * 20'000, 1);
    Booking a = book(big, 0), b = book(big, 0);
    EXPECT_EQ(cells[0].active_blocks, 40'000u);
    EXPECT_EQ(routing.active->refused(), 2u);
    b.move(at(1));
    EXPECT_EQ(cells[1].active_blocks, 20'000u);
    a.release(), b.release();
    expect_nothing_left();
}

TEST_F(FollowedBooking, LeasesRunOutUnlessTouched) {
    Leases leases(300 * ns_per_s);
    Request r(160, 1);
    Booking idle = book(r, 0, 0, Leg::whole, &leases), busy = book(r, 1, 0, Leg::whole, &leases);
    busy.grow(5, 200 * ns_per_s);
    EXPECT_EQ(leases.expire(300 * ns_per_s), 0u);
    EXPECT_EQ(leases.expire(301 * ns_per_s), 1u);
    EXPECT_EQ(cells[0].requests, 0u);
    EXPECT_EQ(cells[0].active_blocks, 0u);
    EXPECT_EQ(policy->ended_n, 1u);
    idle.grow(50, 302 * ns_per_s);
    idle.prefill_done(302 * ns_per_s);
    idle.move(at(2));
    EXPECT_EQ(cells[2].requests, 0u) << "it is out of the accounts";
    idle.release();
    EXPECT_EQ(policy->ended_n, 1u);
    EXPECT_EQ(leases.expire(600 * ns_per_s), 1u);
    EXPECT_EQ(leases.expired(), 2u);
    busy.release();
    Booking later;
    {
        Leases short_lived;
        later = book(r, 0, 0, Leg::whole, &short_lived);
    }
    later.grow(30, 1'000 * ns_per_s);
    later.release();
    expect_nothing_left();
}

// What may befall a request, in any order and at any point; threads share ranks and prefixes.
void live(FollowedBooking& t, uint64_t requests, uint64_t seed, const std::function<RankRef(uint32_t)>& at, uint32_t ranks) {
    Random random(seed);
    Leases leases;
    Instant now = 1;
    std::vector<Booking> open(32);
    std::vector<uint32_t> out(open.size(), 0);
    const auto any = [&] { return at(static_cast<uint32_t>(random.below(ranks))); };
    for (uint64_t n = 0; n < requests;) {
        const size_t i = random.below(open.size());
        Booking& b = open[i];
        now += random.below(10 * ns_per_s);
        switch (random.below(9)) {
        case 0: case 1: case 2: {             // a new request takes the place: whatever was there is destroyed as it is
            Request r(static_cast<uint32_t>(random.below(600)), random.below(5), static_cast<uint32_t>(random.below(30)), random.below(50));
            if (random.below(2)) r.hints.expected_out = static_cast<uint32_t>(random.below(200));
            const auto role = static_cast<Leg::Role>(random.below(3));
            b = route::book(r.prepared, any(), static_cast<uint32_t>(random.below(300)), t.routing, now, role, random.below(2) ? &leases : nullptr);
            out[i] = 0;
            ++n;
            break;
        }
        case 3: b.prefill_done(now); break;
        case 4: b.grow(out[i] += static_cast<uint32_t>(random.below(100)), now); break;
        case 5: b.move(any()); break;             // migration, or a worker that has died
        case 6: {
            Outcome outcome;
            outcome.finished = true;
            b.release(outcome);
            break;
        }
        case 7: std::swap(b, open[random.below(open.size())]); break;
        default: if (random.below(50) == 0) leases.expire(now);
        }
    }
}

TEST_F(FollowedBooking, WhateverHappensNothingIsLeft) {
    const char* wanted = std::getenv("WEIR_ROUTE_REQUESTS");
    const uint64_t requests = wanted ? std::strtoull(wanted, nullptr, 10) : 20'000;
    constexpr uint32_t threads_n = 4, ranks = 4;
    std::vector<std::thread> threads;
    for (uint32_t t = 0; t < threads_n; ++t)
        threads.emplace_back([&, t] { live(*this, requests / threads_n, t + 1, [&](uint32_t i) { return at(i); }, ranks); });
    for (auto& t : threads) t.join();
    expect_nothing_left();
    EXPECT_GE(policy->booked_n, requests / threads_n * threads_n);
    EXPECT_GT(policy->first_tokens, requests / 20);
}

}  // namespace
}  // namespace weir
